"""What the use cases are given: of the process clients, clock, sleep and chance; of the invocation id and time left."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from lambda_handler.config import Settings
from lambda_handler.log import Log, write_stdout
from lambda_handler.metrics import Counters
from lambda_handler.signals import Signals
from ndjctl.contracts import TTL_DAYS, iso_utc

STOP_MARGIN_S = 10.0
"""With less time left than this, no new piece of work is begun."""


_READ_TIMEOUT_S = {"dynamodb": 5, "glue": 20, "s3": 60, "cloudwatch": 2}
"""How long one request may take: a table answers in milliseconds, a copy of a part in seconds. What CloudWatch
is told is not worth waiting for: with both attempts and a pause it takes less than STOP_MARGIN_S."""
_CONNECT_TIMEOUT_S = {"cloudwatch": 1}
_ATTEMPTS = {
    # StartJobRun is not idempotent: a retry inside the client would turn "maybe accepted" into "surely refused".
    "glue": 1,
    # The second is for a connection that broke while the function was frozen.
    "cloudwatch": 2,
}


def make_client(service: str) -> Any:
    """A boto3 client with short time-outs and few retries."""
    # Imported here: a cold start that only fails its configuration, or a test of the pure parts, does not pay for it.
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS.get(service, 4)},
            connect_timeout=_CONNECT_TIMEOUT_S.get(service, 3),
            read_timeout=_READ_TIMEOUT_S.get(service, 20),
        ),
    )


@dataclass
class Services:
    """Of the process. Clients are made when first used. entropy(n): n hex digits. jitter(): 0 <= x < 1."""

    settings: Settings
    make_client: Callable[[str], Any] = make_client
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    sleep: Callable[[float], None] = time.sleep
    entropy: Callable[[int], str] = lambda digits: secrets.token_hex((digits + 1) // 2)[:digits]
    jitter: Callable[[], float] = secrets.SystemRandom().random
    write_log: Callable[[str], None] = write_stdout

    @cached_property
    def s3(self) -> Any:
        return self.make_client("s3")

    @cached_property
    def dynamodb(self) -> Any:
        return self.make_client("dynamodb")

    @cached_property
    def glue(self) -> Any:
        return self.make_client("glue")

    @cached_property
    def cloudwatch(self) -> Any:
        return self.make_client("cloudwatch")


@dataclass
class Invocation:
    """One invocation: its request id, the time it has left (seconds), its log, its counters, and what it has for
    CloudWatch."""

    services: Services
    request_id: str
    remaining_s: Callable[[], float]
    counters: Counters = field(default_factory=Counters)
    signals: Signals = field(default_factory=Signals)
    given_s: float = field(init=False)
    """Seconds that it had at its beginning."""

    def __post_init__(self) -> None:
        self.given_s = self.remaining_s()

    @cached_property
    def log(self) -> Log:
        services = self.services
        return Log(services.settings.log_level, services.clock, services.write_log, self.request_id)

    @property
    def settings(self) -> Settings:
        return self.services.settings

    def now(self) -> datetime:
        return self.services.clock()

    def now_iso(self) -> str:
        return iso_utc(self.now())

    def ttl(self, days: int = TTL_DAYS) -> int:
        """Epoch second at which an item written now may be dropped."""
        return int((self.now() + timedelta(days=days)).timestamp())

    def short_of_time(self) -> bool:
        return self.remaining_s() < STOP_MARGIN_S
