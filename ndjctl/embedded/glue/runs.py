"""Runs of jobs: accepted or refused, looked at, stopped."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ndjctl.embedded.glue import paging
from ndjctl.embedded.glue.arguments import merged
from ndjctl.embedded.glue.connections import require_connections
from ndjctl.embedded.glue.definitions import capacity, refuse_queuing
from ndjctl.embedded.glue.errors import CONCURRENT_RUNS, INVALID_INPUT, LIMIT_EXCEEDED, NOT_FOUND, GlueError
from ndjctl.embedded.glue.jobs import job_of
from ndjctl.embedded.glue.scope import Scope
from ndjctl.embedded.glue.store import RUNNING, SUCCEEDED, UNFINISHED, Job, Run, Store
from ndjctl.embedded.quotas import DPUS, RUNS_PER_ACCOUNT, RUNS_PER_JOB, Limits

LOG_GROUP = "/aws-glue/jobs"

_PAGE = 200

Request = dict[str, Any]
Response = dict[str, Any]


class RunControl(Protocol):
    """Who runs the runs."""

    def wake(self) -> None:
        """There is a new run."""

    def stop(self, run_id: str) -> bool:
        """Ends a run; False when it is finished already."""


class Runs:
    """limits: of each account. clock: epoch seconds."""

    def __init__(self, store: Store, control: RunControl, limits: Limits, clock: Callable[[], float]) -> None:
        self._store = store
        self._control = control
        self._limits = limits
        self._clock = clock

    def handlers(self) -> dict[str, Callable[[Scope, Request], Response]]:
        return {
            "StartJobRun": self._start,
            "GetJobRun": self._show,
            "GetJobRuns": self._show_all,
            "BatchStopJobRun": self._stop,
        }

    def _start(self, scope: Scope, request: Request) -> Response:
        refuse_queuing(request)
        run_id = f"jr_{secrets.token_hex(32)}"
        with self._store.together():
            job = job_of(self._store, scope, request["JobName"])
            definition = job.definition
            previous = self._run(scope, job.name, request["JobRunId"]) if "JobRunId" in request else None
            if previous is not None and previous.state in (*UNFINISHED, SUCCEEDED):
                raise GlueError(
                    INVALID_INPUT, f"JobRun {previous.id} is {previous.state}: only one that failed can be run again"
                )
            require_connections(self._store, scope, definition)
            capacity_asked = capacity(request, definition)
            self._require_room(scope, job, capacity_asked["MaxCapacity"])
            arguments = request.get("Arguments", previous.document.get("Arguments", {}) if previous else {})
            now = self._clock()
            document = {
                "Attempt": 0,
                "JobName": job.name,
                "StartedOn": now,
                "LastModifiedOn": now,
                "Arguments": arguments,
                "ExecutionTime": 0,
                "Timeout": request.get("Timeout", definition["Timeout"]),
                "LogGroupName": LOG_GROUP,
                "ExecutionClass": request.get("ExecutionClass", definition.get("ExecutionClass", "STANDARD")),
                **capacity_asked,
            }
            for name in ("GlueVersion", "SecurityConfiguration", "NotificationProperty", "JobMode"):
                if name in request or name in definition:
                    document[name] = request.get(name, definition.get(name))
            if previous is not None:
                document["PreviousRunId"] = previous.id
            plan = {
                "script_location": definition["Command"]["ScriptLocation"],
                "arguments": merged(definition, arguments),
                "max_retries": definition["MaxRetries"],
                "first_run_id": run_id,
            }
            self._store.add_run(scope, run_id, job.name, document, plan)
        self._control.wake()
        return {"JobRunId": run_id}

    def _require_room(self, scope: Scope, job: Job, dpus: float) -> None:
        """Raises GlueError for one run more than the job's own limit or those of the account and region allow."""
        running = self._store.unfinished(scope=scope)
        of_job = sum(1 for run in running if run.job_name == job.name)
        if of_job >= job.definition["ExecutionProperty"]["MaxConcurrentRuns"]:
            raise GlueError(CONCURRENT_RUNS, f"Concurrent runs exceeded for {job.name}")
        used = sum(_dpus(run.document) for run in running)
        for quota, limit, wanted in (
            (RUNS_PER_JOB, self._limits.runs_per_job, of_job + 1),
            (RUNS_PER_ACCOUNT, self._limits.runs_per_account, len(running) + 1),
            (DPUS, self._limits.dpus, used + dpus),
        ):
            if wanted > limit:
                raise GlueError(
                    LIMIT_EXCEEDED,
                    f"Failed to start job run of {job.name}: it would be {wanted:g}, and the quota '{quota.name}' "
                    f"({quota.code}) is {limit:g}",
                )

    def _show(self, scope: Scope, request: Request) -> Response:
        return {"JobRun": self._shown(self._run(scope, request["JobName"], request["RunId"]))}

    def _show_all(self, scope: Scope, request: Request) -> Response:
        job = job_of(self._store, scope, request["JobName"])
        limit = request.get("MaxResults", _PAGE)
        runs = self._store.runs_of(scope, job.name, paging.position_of(request, int, None), limit + 1)
        token = {"NextToken": paging.token(runs[limit - 1].sequence)} if len(runs) > limit else {}
        return {"JobRuns": [self._shown(run) for run in runs[:limit]], **token}

    def _stop(self, scope: Scope, request: Request) -> Response:
        stopped, refused = [], []
        for run_id in request["JobRunIds"]:
            entry = {"JobName": request["JobName"], "JobRunId": run_id}
            try:
                run = self._run(scope, request["JobName"], run_id)
                if not self._control.stop(run_id):
                    raise GlueError(INVALID_INPUT, f"JobRun {run_id} is {run.state} and cannot be stopped")
                stopped.append(entry)
            except GlueError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                refused.append({**entry, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": stopped, "Errors": refused}

    def _run(self, scope: Scope, job_name: str, run_id: str) -> Run:
        run = self._store.run(run_id)
        if run is None or run.scope != scope or run.job_name != job_name:
            raise GlueError(NOT_FOUND, f"JobRun {run_id} of job {job_name} not found.")
        return run

    def _shown(self, run: Run) -> Response:
        shown = {"Id": run.id, "JobRunState": run.state, **run.document}
        if run.state == RUNNING and run.running_since is not None:
            shown["ExecutionTime"] = max(0, int(self._clock() - run.running_since))
        return shown


def _dpus(document: Mapping[str, Any]) -> float:
    return float(document["MaxCapacity"])
