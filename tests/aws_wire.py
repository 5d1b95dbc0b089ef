"""The models of S3, DynamoDB, Glue and CloudWatch behind real HTTP, so that a process of its own can use real clients
on them: what that process needs is then its own, and not that of a mock inside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore import xform_name
from botocore.exceptions import ClientError

from tests.lambda_world import World
from tests.loopback import serving


@contextmanager
def served(world: World) -> Iterator[str]:
    """The endpoint URL of the world's services, by loopback."""

    class Handler(_Handler):
        model = world
        lock = Lock()

    with serving(Handler) as url:
        yield url


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model: World
    lock: Lock

    def do_POST(self) -> None:
        prefix, operation = self.headers["X-Amz-Target"].split(".")
        services = {"AWSGlue": self.model.glue, "GraniteServiceVersion20100801": self.model.cloudwatch}
        service: Any = services.get(prefix, self.model.dynamodb)
        request = json.loads(self._body())
        for datum in request.get("MetricData", []):
            datum["Timestamp"] = datetime.fromtimestamp(datum["Timestamp"], timezone.utc)
            datum["Value"] = float(datum["Value"])
        for name in ("ClientRequestToken",):
            request.pop(name, None)
        if "ExclusiveStartKey" in request:
            request["ExclusiveStartKey"] = {"position": json.loads(request["ExclusiveStartKey"]["position"]["S"])}
        try:
            with self.lock:
                answer = getattr(service, xform_name(operation))(**request)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons")
            told = {"__type": error.response["Error"]["Code"], "message": str(error)}
            self._answer(400, json.dumps({**told, **({"CancellationReasons": reasons} if reasons else {})}).encode())
            return
        if "LastEvaluatedKey" in answer:
            answer["LastEvaluatedKey"] = {"position": {"S": json.dumps(answer["LastEvaluatedKey"]["position"])}}
        self._answer(200, json.dumps(answer, default=lambda moment: moment.timestamp()).encode())

    def do_PUT(self) -> None:
        bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        with self.lock:
            answer = self.model.s3.put_object(Bucket=bucket, Key=key, Body=self._body())
        self._answer(200, b"", ETag=answer["ETag"])

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
