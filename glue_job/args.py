"""The job's arguments. Glue passes many of its own besides; those are not ours to judge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glue_job.lines import MAX_LINE_BYTES
from glue_job.log import LEVELS
from glue_job.plan import PART_BYTES
from ndjctl.contracts import MIB, JobArg, split_s3_uri

ON_DRIFT = ("add", "rescue", "fail")

_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_REQUIRED = (
    JobArg.MANIFEST_PATH,
    JobArg.TRACKING_TABLE,
    JobArg.OUTPUT_BUCKET,
    JobArg.QUARANTINE_BUCKET,
    JobArg.JOB_NAME,
    JobArg.JOB_RUN_ID,
)
_OPTIONAL = (
    JobArg.METRICS_TABLE,
    JobArg.MANIFEST_BUCKET,
    JobArg.DATASET,
    JobArg.ON_DRIFT,
    JobArg.LOG_LEVEL,
    JobArg.TASK_SLOTS,
    JobArg.PART_SIZE_MB,
    JobArg.MAX_LINE_MB,
    JobArg.MAX_BAD_LINES,
    JobArg.MAX_BAD_PERCENT,
)


class ArgumentError(ValueError):
    """str() is one line for the user. Exit code 2."""


@dataclass(frozen=True)
class Arguments:
    """manifest_path: s3:// URI. metrics_table: None to keep no counters. on_drift: one of ON_DRIFT. task_slots: tasks
    that run at once, None if not said. part_bytes: size of a part that is aimed at. max_bad_lines, max_bad_percent: of
    one file, None for no limit."""

    manifest_path: str
    tracking_table: str
    metrics_table: str | None
    manifest_bucket: str
    output_bucket: str
    quarantine_bucket: str
    dataset: str
    on_drift: str
    log_level: str
    job_name: str
    run_id: str
    task_slots: int | None = None
    part_bytes: int = PART_BYTES
    max_line_bytes: int = MAX_LINE_BYTES
    max_bad_lines: int | None = None
    max_bad_percent: float | None = None


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """`--NAME value` and `--NAME=value`; the last of a name counts. argv: without the script's name.

    Raises ArgumentError.
    """
    given = _given(argv)
    missing = [f"--{name}" for name in _REQUIRED if not given.get(name)]
    if missing:
        raise ArgumentError(f"missing job arguments: {', '.join(missing)}")
    try:
        path_bucket, _ = split_s3_uri(given[JobArg.MANIFEST_PATH])
    except ValueError as error:
        raise ArgumentError(f"--{JobArg.MANIFEST_PATH}: {error}") from None
    dataset = given.get(JobArg.DATASET) or "default"
    if not _DATASET.fullmatch(dataset):
        raise ArgumentError(
            f"--{JobArg.DATASET} {dataset!r}: letters, digits, dots, hyphens and underscores only, not a dot first"
        )
    return Arguments(
        manifest_path=given[JobArg.MANIFEST_PATH],
        tracking_table=given[JobArg.TRACKING_TABLE],
        metrics_table=given.get(JobArg.METRICS_TABLE) or None,
        manifest_bucket=given.get(JobArg.MANIFEST_BUCKET) or path_bucket,
        output_bucket=given[JobArg.OUTPUT_BUCKET],
        quarantine_bucket=given[JobArg.QUARANTINE_BUCKET],
        dataset=dataset,
        on_drift=_one_of(given, JobArg.ON_DRIFT, "add", ON_DRIFT),
        log_level=_one_of(given, JobArg.LOG_LEVEL, "INFO", LEVELS),
        job_name=given[JobArg.JOB_NAME],
        run_id=given[JobArg.JOB_RUN_ID],
        task_slots=_whole(given, JobArg.TASK_SLOTS, 1),
        part_bytes=(_whole(given, JobArg.PART_SIZE_MB, 1) or PART_BYTES // MIB) * MIB,
        max_line_bytes=(_whole(given, JobArg.MAX_LINE_MB, 1) or MAX_LINE_BYTES // MIB) * MIB,
        max_bad_lines=_whole(given, JobArg.MAX_BAD_LINES, 0),
        max_bad_percent=_percent(given, JobArg.MAX_BAD_PERCENT),
    )


def _given(argv: Sequence[str]) -> dict[str, str]:
    names = frozenset(_REQUIRED + _OPTIONAL)
    given: dict[str, str] = {}
    rest = list(argv)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("--") or name[2:] not in names:
            continue
        if not equals and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        given[name[2:]] = value
    return given


def _whole(given: dict[str, str], name: str, least: int) -> int | None:
    text = given.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise ArgumentError(f"--{name} {text!r}: a whole number from {least} on")
    return int(text)


def _percent(given: dict[str, str], name: str) -> float | None:
    text = given.get(name)
    if not text:
        return None
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise ArgumentError(f"--{name} {text!r}: a number from 0 to 100")
    return percent


def _one_of(given: dict[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name) or default
    if value not in allowed:
        raise ArgumentError(f"--{name} {value!r}: allowed are {', '.join(allowed)}")
    return value
