"""Puts the events of Glue runs on the EventBridge of their account.

PutEvents is not for that: like AWS, ministack lets nobody else speak for aws.glue. So the Glue endpoint hands them in
at a path of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ndjctl.embedded.gate import Application

PATH = "/_ndjctl/glue-events"

_MOST_BYTES = 64 * 1024

Put = Callable[[str, str, Mapping[str, Any]], None]
"""(account, region, detail of the event)."""


def taking_run_events(application: Application, put: Put) -> Application:
    """An ASGI application that takes events of runs at PATH; everything else is the given one's."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await application(scope, receive, send)
            return
        status = 200
        try:
            event = json.loads(await _body(receive))
            account, region, detail = str(event["account_id"]), str(event["region"]), dict(event["detail"])
        except (ValueError, KeyError, TypeError):
            status = 400
        else:
            put(account, region, detail)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return serve


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > _MOST_BYTES:
            raise ValueError("too long")
        if not message.get("more_body"):
            return body


def put_with(eventbridge: Any, request_scope: Any) -> Put:
    """eventbridge, request_scope: ministack's service and its way of acting for an account and a region."""

    def put(account: str, region: str, detail: Mapping[str, Any]) -> None:
        entry = {
            "Source": "aws.glue",
            "DetailType": "Glue Job State Change",
            "Detail": json.dumps(dict(detail)),
            "Resources": [],
        }
        with request_scope(account, region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    return put
