"""Whether a run of the job still lives, by what Glue says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.glue_runs import ENDED, attempts_of

_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class RunState:
    """state: of the last attempt, "unknown" where Glue does not know the run. ended_at: None while it lives, and where
    Glue does not say."""

    state: str
    is_alive: bool
    ended_at: datetime | None = None
    message: str = ""


class Runs:
    """Asks Glue once for each run, and again when told to."""

    def __init__(self, glue: Callable[[], Any], job: str) -> None:
        """glue(): the client, made only if there is something to ask."""
        self._glue = glue
        self._job = job
        self._known: dict[str, RunState] = {}
        self._any_alive: bool | None = None

    def state(self, run_id: str, fresh: bool = False) -> RunState:
        if fresh or run_id not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[run_id] = self._ask(run_id)
        return self._known[run_id]

    def any_alive(self) -> bool:
        """Whether any run of the job lives, so that what waits for room may be waiting for that."""
        if self._any_alive is None:
            runs = self._glue().get_job_runs(JobName=self._job, MaxResults=100).get("JobRuns", [])
            self._any_alive = any(run["JobRunState"] not in ENDED for run in runs)
        return self._any_alive

    def _ask(self, run_id: str) -> RunState:
        """Of the run, or of the last of the retries that Glue itself made of it."""
        attempts, _ = attempts_of(self._glue(), self._job, run_id)
        if not attempts:
            return RunState("unknown", False)
        last = attempts[-1]
        return RunState(last.state, not last.has_ended, last.completed_at, last.error)
