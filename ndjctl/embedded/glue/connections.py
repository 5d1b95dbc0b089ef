"""Connections of type NETWORK: how a job's workers get into the subnets of a VPC. Here they are kept and looked up, and
change nothing of how a run runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ndjctl.embedded.glue import paging
from ndjctl.embedded.glue.errors import ALREADY_EXISTS, INVALID_INPUT, NOT_FOUND, GlueError
from ndjctl.embedded.glue.scope import Scope
from ndjctl.embedded.glue.store import Connection, Store

Request = dict[str, Any]
Response = dict[str, Any]

_PAGE = 100
_KIND = "NETWORK"
_NOT_SHOWN = ("ValidateCredentials", "ValidateForComputeEnvironments", "Name")


class Connections:
    """clock: epoch seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def handlers(self) -> dict[str, Callable[[Scope, Request], Response]]:
        return {
            "CreateConnection": self._create,
            "GetConnection": self._show,
            "GetConnections": self._show_all,
            "UpdateConnection": self._update,
            "DeleteConnection": self._delete,
        }

    def get(self, scope: Scope, name: str) -> Connection:
        """Raises GlueError when there is none."""
        connection = self._store.connection(scope, name)
        if connection is None:
            raise GlueError(NOT_FOUND, f"Connection {name} not found.")
        return connection

    def put_tags(self, scope: Scope, name: str, tags: dict[str, str]) -> None:
        """Replaces the tags of a connection that is there."""
        self._store.put_connection(scope, replace(self.get(scope, name), tags=tags))

    def _create(self, scope: Scope, request: Request) -> Response:
        _require_own_catalog(scope, request)
        given = request["ConnectionInput"]
        name, document = given["Name"], _document(given)
        now = self._clock()
        with self._store.together():
            if self._store.connection(scope, name) is not None:
                raise GlueError(ALREADY_EXISTS, f"Connection {name} already exists.")
            dates = {"CreationTime": now, "LastUpdatedTime": now}
            self._store.put_connection(scope, Connection(name, {**document, **dates}, request.get("Tags", {})))
        return {"CreateConnectionStatus": "READY"}

    def _update(self, scope: Scope, request: Request) -> Response:
        _require_own_catalog(scope, request)
        name, given = request["Name"], request["ConnectionInput"]
        if given["Name"] != name:
            raise GlueError(INVALID_INPUT, f"the connection {name} cannot be renamed to {given['Name']}")
        document = _document(given)
        with self._store.together():
            present = self.get(scope, name)
            dates = {"CreationTime": present.document["CreationTime"], "LastUpdatedTime": self._clock()}
            self._store.put_connection(scope, Connection(name, {**document, **dates}, present.tags))
        return {}

    def _show(self, scope: Scope, request: Request) -> Response:
        _require_own_catalog(scope, request)
        return {"Connection": _shown(self.get(scope, request["Name"]))}

    def _show_all(self, scope: Scope, request: Request) -> Response:
        _require_own_catalog(scope, request)
        limit = request.get("MaxResults", _PAGE)
        found = self._store.connections(scope, paging.position_of(request, str, ""), limit + 1)
        wanted = request.get("Filter", {})
        shown = [_shown(each) for each in found[:limit] if _matches(each.document, wanted)]
        token = {"NextToken": paging.token(found[limit - 1].name)} if len(found) > limit else {}
        return {"ConnectionList": shown, **token}

    def _delete(self, scope: Scope, request: Request) -> Response:
        _require_own_catalog(scope, request)
        with self._store.together():
            self._store.delete_connection(scope, self.get(scope, request["ConnectionName"]).name)
        return {}


def require_connections(store: Store, scope: Scope, definition: Mapping[str, Any]) -> None:
    """Raises GlueError when a job names a connection that is not there. As on AWS, a job may be defined so, and cannot
    be started."""
    for name in definition.get("Connections", {}).get("Connections", []):
        if store.connection(scope, name) is None:
            raise GlueError(NOT_FOUND, f"Connection {name} not found.")


def _document(given: Mapping[str, Any]) -> dict[str, Any]:
    kind = given["ConnectionType"]
    if kind != _KIND:
        raise GlueError(INVALID_INPUT, f"ConnectionType is {kind}: the embedded Glue has {_KIND} connections only")
    if not given.get("PhysicalConnectionRequirements", {}).get("SubnetId"):
        raise GlueError(
            INVALID_INPUT, f"a connection of type {_KIND} needs PhysicalConnectionRequirements with a SubnetId"
        )
    kept = {name: value for name, value in given.items() if name not in _NOT_SHOWN}
    return {**kept, "Status": "READY", "ConnectionSchemaVersion": 1}


def _shown(connection: Connection) -> Response:
    return {"Name": connection.name, **connection.document}


def _matches(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    criteria = set(wanted.get("MatchCriteria", []))
    return (
        wanted.get("ConnectionType") in (None, document["ConnectionType"])
        and wanted.get("ConnectionSchemaVersion") in (None, document["ConnectionSchemaVersion"])
        and criteria <= set(document.get("MatchCriteria", []))
    )


def _require_own_catalog(scope: Scope, request: Request) -> None:
    catalog = request.get("CatalogId", scope.account_id)
    if catalog != scope.account_id:
        raise GlueError(NOT_FOUND, f"Catalog {catalog} not found.")
