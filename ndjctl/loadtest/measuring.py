"""What a test came to in figures: from its files in the ledger, the runs of the job, and the samples. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ndjctl.contracts import COMPLETED, FAILED
from ndjctl.loadtest.figures import accumulated, concurrency, histogram, per_bucket, percentile, thinned
from ndjctl.loadtest.observing import RunFacts, SeenFile
from ndjctl.monitor.runs import SeenRun

SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))


def measured(
    files: Sequence[SeenFile], runs: RunFacts, samples: Sequence[Mapping[str, Any]], begun_at: datetime
) -> dict[str, Any]:
    """A JSON document. begun_at: when feeding began; all times in it are seconds since then."""
    latencies = sorted(seconds for file in files if (seconds := file.latency_s) is not None)
    completed = [file for file in files if file.status == COMPLETED and file.completed_at is not None]
    ends = [_since(begun_at, file.completed_at) for file in completed if file.completed_at is not None]
    seconds = max(ends, default=0.0)
    size_bytes = sum(file.size_bytes for file in completed)
    spans = [span for run in runs.runs if (span := _span(run, begun_at)) is not None]
    failed = [file for file in files if file.status == FAILED]
    usd_per_dpu_s = None if runs.usd is None or not runs.dpu_hours else runs.usd / (runs.dpu_hours * 3600)
    return {
        "seconds": round(seconds, 3),
        "mb_per_s": round(size_bytes / 1e6 / seconds, 6) if seconds > 0 else 0.0,
        "files_per_hour": round(len(completed) / seconds * 3600) if seconds > 0 else 0,
        "latency_s": {name: _rounded(percentile(latencies, share)) for name, share in SHARES},
        "manifests": len({file.manifest_id for file in files if file.manifest_id}),
        "runs": {
            "count": len(runs.runs),
            "failed": runs.failed,
            "all_seen": runs.is_complete,
            "failures": [_failure(run) for run in runs.runs if run.run.has_failed][:20],
        },
        "dpu_hours": round(runs.dpu_hours, 6),
        "glue_usd": _rounded(runs.usd, 6),
        "most_runs_at_once": int(max((count for _, count in concurrency(spans)), default=0)),
        "first_error": failed[0].error if failed else "",
        "series": {
            "samples": _samples(samples),
            "latency_s": [[round(each.low, 6), round(each.high, 6), each.count] for each in histogram(latencies)],
            "mb_per_s": _points(
                per_bucket(
                    ((end, file.size_bytes / 1e6) for end, file in zip(ends, completed, strict=True)), max(seconds, 1.0)
                )
            ),
            "runs_at_once": _points(thinned(concurrency(spans))),
            "usd": _points(_cost(runs.runs, begun_at, usd_per_dpu_s, seconds)),
        },
    }


def _failure(run: SeenRun) -> dict[str, Any]:
    return {"run_id": run.run.run_id, "state": run.run.state, "error": run.run.error[:500]}


def _span(run: SeenRun, begun_at: datetime) -> tuple[float, float] | None:
    """Of a run that had a begin and an end; the end is told by how long it ran where Glue's own is no later."""
    started, ended = run.run.started_at, run.run.completed_at
    if started is None or ended is None:
        return None
    begin = _since(begun_at, started)
    return begin, max(_since(begun_at, ended), begin)


def _cost(
    runs: Iterable[SeenRun], begun_at: datetime, usd_per_dpu_s: float | None, end_s: float
) -> list[tuple[float, float]]:
    if usd_per_dpu_s is None:
        return []
    spans = []
    for run in runs:
        span = _span(run, begun_at)
        if span is not None:
            spans.append((*span, run.dpu_s * usd_per_dpu_s))
    return accumulated(spans, max([end_s, *(end for _, end, _ in spans)], default=0.0)) if spans else []


def _samples(samples: Sequence[Mapping[str, Any]], most: int = 240) -> list[dict[str, Any]]:
    numbers = [round(at) for _, at in thinned([(0.0, float(number)) for number in range(len(samples))], most)]
    return [dict(samples[number]) for number in numbers]


def _points(points: Iterable[tuple[float, float]]) -> list[list[float]]:
    return [[round(at, 3), round(value, 6)] for at, value in points]


def _since(begun_at: datetime, moment: datetime) -> float:
    return (moment - begun_at).total_seconds()


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
