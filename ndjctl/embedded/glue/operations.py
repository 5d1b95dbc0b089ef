"""The operations of the Glue API that the pipeline and the tool use. Each takes whose it is and a request that was
checked against the service model, and returns the response's fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ndjctl.embedded.glue.connections import Connections
from ndjctl.embedded.glue.errors import INVALID_INPUT, UNKNOWN_OPERATION, GlueError
from ndjctl.embedded.glue.jobs import Jobs
from ndjctl.embedded.glue.runs import RunControl, Runs
from ndjctl.embedded.glue.scope import Scope
from ndjctl.embedded.glue.store import Store
from ndjctl.embedded.glue.validation import RequestValidator
from ndjctl.embedded.quotas import Limits

Request = dict[str, Any]
Response = dict[str, Any]

_MOST_TAGS = 50


class Operations:
    """limits: of every account. clock: epoch seconds."""

    def __init__(
        self,
        store: Store,
        control: RunControl,
        validator: RequestValidator,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._validator = validator
        self._jobs = Jobs(store, clock)
        self._connections = Connections(store, clock)
        self._handlers: dict[str, Callable[[Scope, Request], Response]] = {
            **self._jobs.handlers(),
            **Runs(store, control, limits, clock).handlers(),
            **self._connections.handlers(),
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "GetTags": self._get_tags,
        }

    def call(self, scope: Scope, operation: str, request: Any) -> Response:
        """Raises GlueError."""
        handler = self._handlers.get(operation)
        if handler is None:
            raise GlueError(UNKNOWN_OPERATION, f"the embedded Glue does not offer {operation}")
        return handler(scope, self._validator.check(operation, request))

    # ---------------------------------------------------------------------------------------------- tags

    def _tag_resource(self, scope: Scope, request: Request) -> Response:
        with self._store.together():
            kind, name, tags = self._tagged(scope, request)
            tags = {**tags, **request["TagsToAdd"]}
            if len(tags) > _MOST_TAGS:
                raise GlueError(INVALID_INPUT, f"{len(tags)} tags: a {kind} can have {_MOST_TAGS}")
            self._put_tags(scope, kind, name, tags)
        return {}

    def _untag_resource(self, scope: Scope, request: Request) -> Response:
        with self._store.together():
            kind, name, tags = self._tagged(scope, request)
            kept = {key: value for key, value in tags.items() if key not in request["TagsToRemove"]}
            self._put_tags(scope, kind, name, kept)
        return {}

    def _get_tags(self, scope: Scope, request: Request) -> Response:
        return {"Tags": self._tagged(scope, request)[2]}

    def _tagged(self, scope: Scope, request: Request) -> tuple[str, str, dict[str, str]]:
        """(kind, name, tags) of what a request's ARN names."""
        arn = request["ResourceArn"]
        for kind in ("job", "connection"):
            prefix = scope.arn(f"{kind}/")
            if arn.startswith(prefix):
                name = arn.removeprefix(prefix)
                found = self._jobs.get(scope, name) if kind == "job" else self._connections.get(scope, name)
                return kind, name, found.tags
        raise GlueError(
            INVALID_INPUT,
            f"{arn} is not the ARN of a job or a connection here, which begin with {scope.arn('job/')} "
            f"and {scope.arn('connection/')}",
        )

    def _put_tags(self, scope: Scope, kind: str, name: str, tags: dict[str, str]) -> None:
        if kind == "job":
            self._jobs.put_tags(scope, name, tags)
        else:
            self._connections.put_tags(scope, name, tags)
