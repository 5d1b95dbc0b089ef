"""What Glue says about a run and the attempts that it made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ndjctl.aws import error_code

SUCCEEDED = "SUCCEEDED"
ENDED = frozenset({SUCCEEDED, "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"})
RETRY_GRACE_S = 30.0
"""How long after a failure Glue may still begin the next attempt (MaxRetries)."""

_MOST_ATTEMPTS = 11  # MaxRetries is 10 at most


@dataclass(frozen=True)
class GlueRun:
    """One attempt. Times are aware, None where Glue gives none. execution_s: seconds that it ran. dpu_s: DPU seconds,
    None where Glue does not tell."""

    run_id: str
    state: str
    started_at: datetime | None
    completed_at: datetime | None
    execution_s: int
    dpu_s: float | None
    error: str

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def has_failed(self) -> bool:
        return self.has_ended and self.state != SUCCEEDED

    def retry_until(self) -> datetime | None:
        """Until when Glue may try again what this attempt failed at; None when it does not."""
        if self.state not in ("FAILED", "ERROR") or self.completed_at is None:
            return None
        return self.completed_at + timedelta(seconds=RETRY_GRACE_S)


def attempts_of(glue: Any, job: str, run_id: str) -> tuple[list[GlueRun], Mapping[str, Any]]:
    """(the run `run_id` and the attempts that Glue made after it, in order, the last answer's metadata). No runs when
    Glue does not know the run."""
    found: list[GlueRun] = []
    wanted = run_id
    while True:
        run, metadata = _get(glue, job, wanted)
        if run is not None:
            found.append(run)
        if run is None or not run.has_failed or len(found) >= _MOST_ATTEMPTS:
            return found, metadata
        wanted = _next_attempt(run.run_id)


def _get(glue: Any, job: str, run_id: str) -> tuple[GlueRun | None, Mapping[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        answer = glue.get_job_run(JobName=job, RunId=run_id)
    except ClientError as error:
        if error_code(error) != "EntityNotFoundException":
            raise
        return None, error.response.get("ResponseMetadata", {})
    return run_of(answer["JobRun"]), answer.get("ResponseMetadata", {})


def run_of(run: Mapping[str, Any]) -> GlueRun:
    """run: as GetJobRun and GetJobRuns give it."""
    return GlueRun(
        run_id=str(run["Id"]),
        state=str(run["JobRunState"]),
        started_at=utc_of(run.get("StartedOn")),
        completed_at=utc_of(run.get("CompletedOn")),
        execution_s=int(run.get("ExecutionTime") or 0),
        dpu_s=run.get("DPUSeconds"),
        error=str(run.get("ErrorMessage") or ""),
    )


def utc_of(moment: datetime | None) -> datetime | None:
    """A moment as AWS gives it, in UTC; None where it gives none."""
    return None if moment is None else moment.astimezone(timezone.utc)


def _next_attempt(run_id: str) -> str:
    """Glue calls its retries <id>_attempt_1, _2, ..."""
    base, separator, number = run_id.partition("_attempt_")
    is_retry = bool(separator) and re.fullmatch(r"\d+", number) is not None
    return f"{base}_attempt_{int(number) + 1}" if is_retry else f"{run_id}_attempt_1"
