"""What the largest line of an estimate is, and what would make it less. Pure."""

from __future__ import annotations

from decimal import Decimal

from ndjctl.cost.estimate import Estimate
from ndjctl.cost.line import Line
from ndjctl.cost.objects import S3
from ndjctl.cost.runs import SERVICE as GLUE
from ndjctl.cost.watching import CLOUDWATCH


def hint_for(found: Estimate) -> str:
    """One sentence; empty where nothing costs anything."""
    lines = found.expected.lines
    largest = max(lines, key=lambda line: line.usd_per_month, default=None)
    total = found.expected.usd_per_month
    if largest is None or not largest.usd_per_month:
        return ""
    share = largest.usd_per_month / total
    hint = _hint(found, largest)
    what = f"the largest line is {largest.service}, {largest.name}: {share:.0%} of the total"
    return f"{what}; {hint}" if hint else what


def _hint(found: Estimate, line: Line) -> str:
    used, profile = found.expected.usage, found.profile
    kept = {"input kept": ("input", used.input_days), "Parquet kept": ("Parquet", used.output_days)}
    if line.service == S3 and line.name in kept:
        what, days = kept[line.name]
        return f"each day less that {what} is kept saves about ${line.usd_per_month / days:,.2f} a month"
    if line.service == GLUE:
        return _of_runs(found, line)
    logs = "--set job.continuous_log=false saves most of it" if profile.job.continuous_log else ""
    hints = {
        (S3, "input uploads"): "parts of 64 MB instead of 8 cost an eighth of it (multipart_chunksize of the aws CLI)",
        (S3, "quarantine kept"): "retention.quarantine_days lets it go",
        (CLOUDWATCH, "job's metrics"): "--set job.metrics=false saves it",
        (CLOUDWATCH, "logs of runs"): logs,
    }
    return hints.get((line.service, line.name), "")


def _of_runs(found: Estimate, line: Line) -> str:
    used, job = found.expected.usage, found.profile.job
    if line.name == "runs, converting":
        current, newer = line.price, found.book.find("glue.v6_dpu_hour")
        if current is not None and newer is not None and newer.usd < current.usd:
            return f"Glue 6.0 asks ${newer.usd:f} for a DPU hour instead of ${current.usd:f} (job.glue_version)"
        return ""
    fewer = "fewer workers lose less while they start (job.workers)" if job.workers > 2 else ""
    full = Decimal(found.profile.batching.max_files_per_manifest)
    if used.files_per_manifest < full:
        return f"a longer batching.max_partial_age_s makes fewer runs{', and ' + fewer if fewer else ''}"
    return f"a larger batching.max_files_per_manifest starts fewer runs{', and ' + fewer if fewer else ''}"
