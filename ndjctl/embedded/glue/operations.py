"""The operations of the Glue API that the pipeline and the tool use, on the store. Each takes a request that was
checked against the service model and returns the response's fields."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from ndjctl.embedded.environment import ACCOUNT_ID, REGION
from ndjctl.embedded.glue.arguments import merged
from ndjctl.embedded.glue.definitions import capacity, complete_definition, refuse_queuing
from ndjctl.embedded.glue.errors import (
    ALREADY_EXISTS,
    CONCURRENT_RUNS,
    INVALID_INPUT,
    NOT_FOUND,
    PARAMETER_MISMATCH,
    UNKNOWN_OPERATION,
    GlueError,
)
from ndjctl.embedded.glue.store import RUNNING, SUCCEEDED, UNFINISHED, Job, Run, Store
from ndjctl.embedded.glue.validation import RequestValidator

LOG_GROUP = "/aws-glue/jobs"

_ARN_PREFIX = f"arn:aws:glue:{REGION}:{ACCOUNT_ID}:job/"
_RUNS_PAGE = 200
_JOBS_PAGE = 100
_DATES = ("CreatedOn", "LastModifiedOn")

Request = dict[str, Any]
Response = dict[str, Any]


class RunControl(Protocol):
    """Who runs the runs."""

    def wake(self) -> None:
        """There is a new run."""

    def stop(self, run_id: str) -> bool:
        """Ends a run; False when it is finished already."""


class Operations:
    """clock: epoch seconds."""

    def __init__(
        self, store: Store, control: RunControl, validator: RequestValidator, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._control = control
        self._validator = validator
        self._clock = clock
        self._handlers: dict[str, Callable[[Request], Response]] = {
            "CreateJob": self._create_job,
            "UpdateJob": self._update_job,
            "GetJob": self._get_job,
            "GetJobs": self._get_jobs,
            "ListJobs": self._list_jobs,
            "BatchGetJobs": self._batch_get_jobs,
            "DeleteJob": self._delete_job,
            "StartJobRun": self._start_job_run,
            "GetJobRun": self._get_job_run,
            "GetJobRuns": self._get_job_runs,
            "BatchStopJobRun": self._batch_stop_job_run,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "GetTags": self._get_tags,
        }

    def call(self, operation: str, request: Any) -> Response:
        """Raises GlueError."""
        handler = self._handlers.get(operation)
        if handler is None:
            raise GlueError(UNKNOWN_OPERATION, f"the embedded Glue does not offer {operation}")
        return handler(self._validator.check(operation, request))

    # ---------------------------------------------------------------------------------------------- jobs

    def _create_job(self, request: Request) -> Response:
        name = request.pop("Name")
        tags = request.pop("Tags", {})
        definition = complete_definition(request)
        now = self._clock()
        with self._store.together():
            present = self._store.job(name)
            if present is not None:
                if {key: value for key, value in present.definition.items() if key not in _DATES} == definition:
                    raise GlueError(ALREADY_EXISTS, f"Job with name: {name} already exists")
                raise GlueError(
                    PARAMETER_MISMATCH, f"Job with name: {name} already submitted with different configuration"
                )
            self._store.put_job(Job(name, {**definition, "CreatedOn": now, "LastModifiedOn": now}, tags))
        return {"Name": name}

    def _update_job(self, request: Request) -> Response:
        definition = complete_definition(request["JobUpdate"])
        with self._store.together():
            job = self._job(request["JobName"])
            dates = {"CreatedOn": job.definition["CreatedOn"], "LastModifiedOn": self._clock()}
            self._store.put_job(Job(job.name, {**definition, **dates}, job.tags))
        return {"JobName": job.name}

    def _get_job(self, request: Request) -> Response:
        return {"Job": _shown_job(self._job(request["JobName"]))}

    def _get_jobs(self, request: Request) -> Response:
        jobs, token = self._page_of_jobs(request)
        return {"Jobs": [_shown_job(job) for job in jobs], **token}

    def _list_jobs(self, request: Request) -> Response:
        jobs, token = self._page_of_jobs(request)
        wanted = request.get("Tags", {}).items()
        return {"JobNames": [job.name for job in jobs if wanted <= job.tags.items()], **token}

    def _page_of_jobs(self, request: Request) -> tuple[list[Job], Response]:
        limit = request.get("MaxResults", _JOBS_PAGE)
        after = _read_token(request, str, "")
        jobs = self._store.jobs(after, limit + 1)
        return jobs[:limit], {"NextToken": _token(jobs[limit - 1].name)} if len(jobs) > limit else {}

    def _batch_get_jobs(self, request: Request) -> Response:
        found = {name: self._store.job(name) for name in request["JobNames"]}
        return {
            "Jobs": [_shown_job(job) for job in found.values() if job is not None],
            "JobsNotFound": [name for name, job in found.items() if job is None],
        }

    def _delete_job(self, request: Request) -> Response:
        self._store.delete_job(request["JobName"])
        return {"JobName": request["JobName"]}

    def _job(self, name: str) -> Job:
        job = self._store.job(name)
        if job is None:
            raise GlueError(NOT_FOUND, f"Job with name: {name} not found.")
        return job

    # ---------------------------------------------------------------------------------------------- runs

    def _start_job_run(self, request: Request) -> Response:
        refuse_queuing(request)
        run_id = f"jr_{secrets.token_hex(32)}"
        with self._store.together():
            job = self._job(request["JobName"])
            definition = job.definition
            previous = self._run(job.name, request["JobRunId"]) if "JobRunId" in request else None
            if previous is not None and previous.state in (*UNFINISHED, SUCCEEDED):
                raise GlueError(
                    INVALID_INPUT, f"JobRun {previous.id} is {previous.state}: only one that failed can be run again"
                )
            limit = definition["ExecutionProperty"]["MaxConcurrentRuns"]
            if self._store.count_unfinished(job.name) >= limit:
                raise GlueError(CONCURRENT_RUNS, f"Concurrent runs exceeded for {job.name}")
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
                **capacity(request, definition),
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
            self._store.add_run(run_id, job.name, document, plan)
        self._control.wake()
        return {"JobRunId": run_id}

    def _get_job_run(self, request: Request) -> Response:
        return {"JobRun": self._shown_run(self._run(request["JobName"], request["RunId"]))}

    def _get_job_runs(self, request: Request) -> Response:
        job = self._job(request["JobName"])
        limit = request.get("MaxResults", _RUNS_PAGE)
        runs = self._store.runs_of(job.name, _read_token(request, int, None), limit + 1)
        token = {"NextToken": _token(runs[limit - 1].sequence)} if len(runs) > limit else {}
        return {"JobRuns": [self._shown_run(run) for run in runs[:limit]], **token}

    def _batch_stop_job_run(self, request: Request) -> Response:
        stopped, refused = [], []
        for run_id in request["JobRunIds"]:
            entry = {"JobName": request["JobName"], "JobRunId": run_id}
            try:
                run = self._run(request["JobName"], run_id)
                if not self._control.stop(run_id):
                    raise GlueError(INVALID_INPUT, f"JobRun {run_id} is {run.state} and cannot be stopped")
                stopped.append(entry)
            except GlueError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                refused.append({**entry, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": stopped, "Errors": refused}

    def _run(self, job_name: str, run_id: str) -> Run:
        run = self._store.run(run_id)
        if run is None or run.job_name != job_name:
            raise GlueError(NOT_FOUND, f"JobRun {run_id} of job {job_name} not found.")
        return run

    def _shown_run(self, run: Run) -> Response:
        shown = {"Id": run.id, "JobRunState": run.state, **run.document}
        if run.state == RUNNING and run.running_since is not None:
            shown["ExecutionTime"] = max(0, int(self._clock() - run.running_since))
        return shown

    # ---------------------------------------------------------------------------------------------- tags

    def _tag_resource(self, request: Request) -> Response:
        with self._store.together():
            job = self._tagged_job(request)
            tags = {**job.tags, **request["TagsToAdd"]}
            if len(tags) > 50:
                raise GlueError(INVALID_INPUT, f"{len(tags)} tags: a job can have 50")
            self._store.put_job(Job(job.name, job.definition, tags))
        return {}

    def _untag_resource(self, request: Request) -> Response:
        with self._store.together():
            job = self._tagged_job(request)
            tags = {name: value for name, value in job.tags.items() if name not in request["TagsToRemove"]}
            self._store.put_job(Job(job.name, job.definition, tags))
        return {}

    def _get_tags(self, request: Request) -> Response:
        return {"Tags": self._tagged_job(request).tags}

    def _tagged_job(self, request: Request) -> Job:
        arn = request["ResourceArn"]
        if not arn.startswith(_ARN_PREFIX):
            raise GlueError(INVALID_INPUT, f"{arn} is not the ARN of a job here, which begins with {_ARN_PREFIX}")
        return self._job(arn.removeprefix(_ARN_PREFIX))


def _shown_job(job: Job) -> Response:
    return {"Name": job.name, **job.definition}


def _token(position: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _read_token(request: Request, kind: type, first: Any) -> Any:
    text = request.get("NextToken")
    if not text:
        return first
    try:
        position = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        position = None
    if type(position) is not kind or (isinstance(position, int) and not 0 <= position < 2**62):
        raise GlueError(INVALID_INPUT, "NextToken is none that this operation returned")
    return position
