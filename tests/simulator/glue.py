"""Glue: runs up to MaxConcurrentRuns, refusals, retries of its own, runs that end badly, are lost, or start twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.lambda_model import client_error

IN_FLIGHT = ("STARTING", "RUNNING", "STOPPING")
Run = dict[str, Any]
RUN_DPUS = 2.0


class Glue:
    """clock: now. started: called with each run that is to do its work. refuse: an error code that the next start is to
    be refused with, or None. is_known: whether GetJobRun tells of the run yet."""

    def __init__(self, clock: Callable[[], datetime], started: Callable[[Run], None]) -> None:
        self.clock, self.started = clock, started
        self.max_concurrent = 3
        self.max_retries = 0
        self.page_runs = 2
        self.runs: list[Run] = []
        self.refusals = 0
        self.refuse: Callable[[], str | None] = lambda: None
        self.is_known: Callable[[Run], bool] = lambda run: True
        self.before_start: Callable[[dict[str, str]], None] = lambda arguments: None
        self._numbers = itertools.count(1)

    # --- calls

    def start_job_run(self, JobName: str, Arguments: dict[str, str]) -> dict[str, Any]:
        self.before_start(Arguments)
        code = self.refuse()
        if code is None and len(self.in_flight()) >= self.max_concurrent:
            code = "ConcurrentRunsExceededException"
        if code is not None:
            self.refusals += 1
            raise client_error(code, "StartJobRun")
        return {"JobRunId": self.add(Arguments)["Id"]}

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:
        for run in self.runs:
            if run["Id"] == RunId and self.is_known(run):
                return {"JobRun": self._told(run)}
        raise client_error("EntityNotFoundException", "GetJobRun")

    def get_job_runs(self, JobName: str, MaxResults: int = 100, NextToken: str = "0") -> dict[str, Any]:
        newest = [run for run in reversed(self.runs) if self.is_known(run)]
        start, stop = int(NextToken), int(NextToken) + min(MaxResults, self.page_runs)
        answer: dict[str, Any] = {"JobRuns": [self._told(run) for run in newest[start:stop]]}
        return {**answer, "NextToken": str(stop)} if stop < len(newest) else answer

    # --- what happens by itself

    def add(self, arguments: dict[str, str], run_id: str = "", attempt: int = 0) -> Run:
        run: Run = {
            "Id": run_id or f"jr_{next(self._numbers):04d}",
            "JobRunState": "RUNNING",
            "StartedOn": self.clock(),
            "Arguments": dict(arguments),
            "Attempt": attempt,
        }
        self.runs.append(run)
        self.started(run)
        return run

    def end(self, run: Run, state: str, message: str = "") -> None:
        run.update(JobRunState=state, CompletedOn=self.clock(), ErrorMessage=message)

    def lose(self, run: Run) -> None:
        """It is as if it had never been."""
        if run in self.runs:
            self.runs.remove(run)

    def retry(self, run: Run) -> Run | None:
        """The next attempt that Glue makes of a run that ended badly, or None when none is left."""
        if run["Attempt"] >= self.max_retries or run not in self.runs:
            return None
        attempt = run["Attempt"] + 1
        base = run["Id"].partition("_attempt_")[0]
        return self.add(run["Arguments"], f"{base}_attempt_{attempt}", attempt)

    def in_flight(self) -> list[Run]:
        return [run for run in self.runs if run["JobRunState"] in IN_FLIGHT]

    def _told(self, run: Run) -> Run:
        told = {name: value for name, value in run.items() if not name.startswith("_")}
        ran = run.get("CompletedOn", self.clock()) - run["StartedOn"]
        return {**told, "MaxCapacity": RUN_DPUS, "ExecutionTime": int(ran.total_seconds())}
