"""Hands what comes for Glue to our Glue endpoint, so that the one address of the services is enough for a client.

ministack has a Glue of its own whose runs succeed at once without running anything: a job created there is lost on its
owner, and nothing says so.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from ndjctl.embedded.status import health

ACCOUNT_HEADER = "X-Ndj-Account"
"""Names the account of a request that is handed on: only the services know whose the key of a session is."""

_PASSED = ("x-amz-target", "content-type", "authorization", "x-amz-security-token", "user-agent")
_TIMEOUT_S = 30.0
_THREADS = 8

Answer = tuple[int, dict[str, str], bytes]


class GlueForwarder:
    """The handler that ministack is given for Glue. account: of the request that is being served, 12 digits."""

    def __init__(self, endpoint_url: str, account: Callable[[], str]) -> None:
        self._address = urlsplit(endpoint_url)
        self._account = account
        # Threads of its own: the loop's are few, and services wait on them for Lambda functions that wait for us.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="to-glue")

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> Answer:
        """The Glue endpoint's answer: (status, headers, body). 503 when it gives none."""
        passed = {name: headers[name] for name in _PASSED if name in headers}
        passed[ACCOUNT_HEADER] = self._account()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, method, passed, body)

    def limits(self) -> dict[str, float]:
        """The quotas that the Glue endpoint enforces, by their codes. Raises OSError when it does not answer."""
        report = health(self._address.port or 0, "/health", _TIMEOUT_S)
        if report is None:
            raise OSError(f"no report from {self._address.geturl()}")
        return {str(code): float(value) for code, value in report["limits"].items()}

    def _ask(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, "/", body, headers)
            response = connection.getresponse()
            return (
                response.status,
                {"Content-Type": response.getheader("Content-Type", "application/x-amz-json-1.1")},
                response.read(),
            )
        except (OSError, http.client.HTTPException) as error:
            message = f"the embedded Glue does not answer: {error}"
            document = {"__type": "ServiceUnavailableException", "message": message}
            return 503, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
        finally:
            connection.close()
