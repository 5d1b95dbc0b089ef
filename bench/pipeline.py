"""python -m bench.pipeline: the same files by the bare kernel and through the whole pipeline on the embedded cloud, in
one run, and where the difference goes."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench import data
from bench.meter import Usage, run_measured
from ndjctl.contracts import report_key, schema_key
from ndjctl.embedded.provider import cloud_of, embedded_cloud
from ndjctl.profiles import load_profile

_ROOT = Path(__file__).resolve().parents[1]
_THREADS = 2
_TIMEOUT_S = 3600


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--files", type=int, default=3, help="how many files (default 3)")
    parser.add_argument("--mb", type=float, default=700, help="10**6 bytes of each (default 700)")
    parser.add_argument("--data-dir", type=Path, default=Path(tempfile.gettempdir()) / "ndjctl-bench")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found to FILE")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 1 if either way failed or lost a line."""
    options = _parser().parse_args(argv)
    tell = sys.stderr.write
    with tempfile.TemporaryDirectory(prefix="ndjctl-pipeline-", dir=options.data_dir.parent) as folder:
        place = Path(folder)
        (place / "in").mkdir()
        for number in range(options.files):
            made = data.dataset("events", options.mb, number + 1, options.data_dir, lambda text: None)
            (place / "in" / f"events-{number}.ndjson").symlink_to(made.files[0])
        size_bytes = sum(path.stat().st_size for path in (place / "in").iterdir())
        tell(f"{options.files} files, {size_bytes / 1e6:,.0f} MB\n")
        # The schema that a dataset has after its first manifest: both ways then do the same work.
        found = _pipeline(place, tell)
        kernel = _kernel(place, found.pop("schema"), tell)
    found.update(kernel)
    found["size_bytes"] = size_bytes
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    _print(found)
    return 0 if found["kernel_ok"] and found["pipeline_ok"] else 1


def _kernel(place: Path, schema: bytes, tell: Any) -> dict[str, Any]:
    (place / "schema.json").write_bytes(schema)
    words = ["convert", "in", "-o", "out", "--schema", "schema.json", "--threads", str(_THREADS), "--json"]
    usage, document = _ndjctl(words, place, "kernel", tell)
    shutil.rmtree(place / "out", ignore_errors=True)
    tasks_s = sum(part["seconds"] for part in document.get("parts", []))
    return {
        "kernel_ok": usage.exit_code == 0,
        "kernel_wall_s": usage.wall_s,
        "kernel_cpu_s": usage.cpu_s,
        "kernel_parts": len(document.get("parts", [])),
        "kernel_tasks_s": tasks_s,
        "kernel_lines": document.get("totals", {}).get("lines", 0),
    }


def _pipeline(place: Path, tell: Any) -> dict[str, Any]:
    profile = load_profile("local", working_dir=place).profile
    (place / "cloud").mkdir()
    embedded = embedded_cloud(profile, place / "cloud")
    os.environ["NDJ_SPARK_THREADS"] = str(_THREADS)
    # Not left to the tool: whatever a measured command starts is ended with it.
    cloud = cloud_of(embedded.ensure_started(lambda _text: None), profile)
    try:
        usage, document = _ndjctl(["run", "in", "--json"], place, "pipeline", tell)
        s3, names = cloud.client("s3"), cloud.names
        reports = [
            json.loads(s3.get_object(Bucket=names.manifest_bucket, Key=report_key(date, manifest_id))["Body"].read())
            for manifest_id in document["manifest_ids"]
            for date in {uri.split("/")[-2] for uri in document["parquet"]}
        ]
        runs = cloud.client("glue").get_job_runs(JobName=names.job)["JobRuns"]
        schema = s3.get_object(Bucket=names.manifest_bucket, Key=schema_key(profile.job.dataset, 1))["Body"].read()
        servers_s = sum(
            sum(process.cpu_times()[:2])
            for process in psutil.process_iter(["cmdline"])
            if any(str(place) in word for word in process.info["cmdline"] or [])
        )
    finally:
        embedded.stop(lambda _text: None)
    return {
        "schema": schema,
        "pipeline_ok": usage.exit_code == 0 and document["lost"] == 0,
        "pipeline_lines": document["lines_in"],
        "tool_wall_s": usage.wall_s,
        "tool_cpu_s": usage.cpu_s,
        "servers_cpu_s": servers_s,
        "glue_s": sum(run["ExecutionTime"] for run in runs),
        "runs": len(runs),
        "timings_s": [report["timings_s"] for report in reports],
        "parts": sum(len(report["parts"]) for report in reports),
        "tasks_s": sum(part["seconds"] for report in reports for part in report["parts"]),
        "peak_memory_bytes": max(part["peak_memory_bytes"] for report in reports for part in report["parts"]),
    }


def _ndjctl(words: Sequence[str], place: Path, name: str, tell: Any) -> tuple[Usage, dict[str, Any]]:
    tell(f"{name}: ndjctl {' '.join(words)}\n")
    output = place / f"{name}.json"
    environment = {
        **os.environ,
        "NDJ_DATA_DIR": str(place / "cloud"),
        "NDJ_BENCH_DOCUMENT": str(output),
        "PYTHONPATH": str(_ROOT),
    }
    usage = run_measured(
        # The meter keeps one log of everything; the document has to come alone.
        ["/bin/sh", "-c", 'exec "$0" -m ndjctl "$@" > "$NDJ_BENCH_DOCUMENT"', sys.executable, *words],
        cwd=place,
        environment=environment,
        log=place / f"{name}.log",
        timeout_s=_TIMEOUT_S,
    )
    if usage.exit_code:
        tell((place / f"{name}.log").read_text()[-2_000:])
    return usage, json.loads(output.read_text() or "{}")


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    size_mb = found["size_bytes"] / 1e6
    steps: dict[str, float] = {}
    for timings in found["timings_s"]:
        for step, seconds in timings.items():
            steps[step] = steps.get(step, 0.0) + seconds
    table = Table(box=None, title=f"{size_mb:,.0f} MB, {_THREADS} at once", title_justify="left")
    for heading in ("what", "seconds", "MB/s"):
        table.add_column(heading, justify="left" if heading == "what" else "right")

    def row(what: str, seconds: float, has_rate: bool = False) -> None:
        table.add_row(what, f"{seconds:,.1f}", f"{size_mb / seconds:,.0f}" if has_rate and seconds else "")

    row("bare kernel (ndjctl convert), wall", found["kernel_wall_s"], True)
    row("  its tasks, summed", found["kernel_tasks_s"])
    row("  its CPU", found["kernel_cpu_s"])
    row(f"Glue run on Spark local[{_THREADS}], execution", found["glue_s"], True)
    row("  start of Python, end, and what is not below", found["glue_s"] - sum(steps.values()))
    for step, seconds in steps.items():
        row(f"  {step}", seconds, step == "convert")
    row(f"  tasks of convert, summed ({found['parts']} parts)", found["tasks_s"])
    row("ndjctl run (upload, pipeline, proof), wall", found["tool_wall_s"], True)
    row("  its CPU: reading, hashing, sending, proving", found["tool_cpu_s"])
    row("embedded S3, SQS, DynamoDB, Lambda, Glue: CPU", found["servers_cpu_s"])
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
