"""Job definitions: created, replaced, read, deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ndjctl.embedded.glue import paging
from ndjctl.embedded.glue.definitions import complete_definition
from ndjctl.embedded.glue.errors import ALREADY_EXISTS, NOT_FOUND, PARAMETER_MISMATCH, GlueError
from ndjctl.embedded.glue.scope import Scope
from ndjctl.embedded.glue.store import Job, Store

Request = dict[str, Any]
Response = dict[str, Any]

_PAGE = 100
_DATES = ("CreatedOn", "LastModifiedOn")


class Jobs:
    """clock: epoch seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def handlers(self) -> dict[str, Callable[[Scope, Request], Response]]:
        return {
            "CreateJob": self._create,
            "UpdateJob": self._update,
            "GetJob": self._show,
            "GetJobs": self._show_all,
            "ListJobs": self._list,
            "BatchGetJobs": self._show_some,
            "DeleteJob": self._delete,
        }

    def get(self, scope: Scope, name: str) -> Job:
        """Raises GlueError when there is none."""
        return job_of(self._store, scope, name)

    def put_tags(self, scope: Scope, name: str, tags: dict[str, str]) -> None:
        """Replaces the tags of a job that is there."""
        self._store.put_job(scope, replace(self.get(scope, name), tags=tags))

    def _create(self, scope: Scope, request: Request) -> Response:
        name = request.pop("Name")
        tags = request.pop("Tags", {})
        definition = complete_definition(request)
        now = self._clock()
        with self._store.together():
            present = self._store.job(scope, name)
            if present is not None:
                if {key: value for key, value in present.definition.items() if key not in _DATES} == definition:
                    raise GlueError(ALREADY_EXISTS, f"Job with name: {name} already exists")
                raise GlueError(
                    PARAMETER_MISMATCH, f"Job with name: {name} already submitted with different configuration"
                )
            self._store.put_job(scope, Job(name, {**definition, "CreatedOn": now, "LastModifiedOn": now}, tags))
        return {"Name": name}

    def _update(self, scope: Scope, request: Request) -> Response:
        definition = complete_definition(request["JobUpdate"])
        with self._store.together():
            job = self.get(scope, request["JobName"])
            dates = {"CreatedOn": job.definition["CreatedOn"], "LastModifiedOn": self._clock()}
            self._store.put_job(scope, Job(job.name, {**definition, **dates}, job.tags))
        return {"JobName": job.name}

    def _show(self, scope: Scope, request: Request) -> Response:
        return {"Job": _shown(self.get(scope, request["JobName"]))}

    def _show_all(self, scope: Scope, request: Request) -> Response:
        jobs, token = self._page(scope, request)
        return {"Jobs": [_shown(job) for job in jobs], **token}

    def _list(self, scope: Scope, request: Request) -> Response:
        jobs, token = self._page(scope, request)
        wanted = request.get("Tags", {}).items()
        return {"JobNames": [job.name for job in jobs if wanted <= job.tags.items()], **token}

    def _page(self, scope: Scope, request: Request) -> tuple[list[Job], Response]:
        limit = request.get("MaxResults", _PAGE)
        jobs = self._store.jobs(scope, paging.position_of(request, str, ""), limit + 1)
        return jobs[:limit], {"NextToken": paging.token(jobs[limit - 1].name)} if len(jobs) > limit else {}

    def _show_some(self, scope: Scope, request: Request) -> Response:
        found = {name: self._store.job(scope, name) for name in request["JobNames"]}
        return {
            "Jobs": [_shown(job) for job in found.values() if job is not None],
            "JobsNotFound": [name for name, job in found.items() if job is None],
        }

    def _delete(self, scope: Scope, request: Request) -> Response:
        self._store.delete_job(scope, request["JobName"])
        return {"JobName": request["JobName"]}


def job_of(store: Store, scope: Scope, name: str) -> Job:
    """Raises GlueError when there is none."""
    job = store.job(scope, name)
    if job is None:
        raise GlueError(NOT_FOUND, f"Job with name: {name} not found.")
    return job


def _shown(job: Job) -> Response:
    return {"Name": job.name, **job.definition}
