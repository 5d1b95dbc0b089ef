"""Clients that wait and ask again where a service says that it was asked too often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import error_code
from ndjctl.deploy.kinds.base import Aws

THROTTLE_CODES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
"""Codes of refusals that a pause mends. A call so refused was not carried out: it may be made again as it is."""

TRIES = 6
FIRST_PAUSE_S = 0.5


def patient(aws: Aws) -> Aws:
    """`aws` with clients that try each call again, once boto3's own five tries are used up: one call of a resource's
    ten is then not the end of all ten. Pages of a paginator are not tried again."""
    return replace(aws, client=lambda service: _Patient(aws.client(service), aws.sleep))


@dataclass(frozen=True)
class _Patient:
    inner: Any
    sleep: Callable[[float], None]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name.startswith("_") or not callable(found) or name in ("get_paginator", "get_waiter", "can_paginate"):
            return found

        def call(**arguments: Any) -> Any:
            pause_s = FIRST_PAUSE_S
            for _ in range(TRIES - 1):
                try:
                    return found(**arguments)
                except ClientError as error:
                    if error_code(error) not in THROTTLE_CODES:
                        raise
                self.sleep(pause_s)
                pause_s *= 2
            return found(**arguments)

        return call
