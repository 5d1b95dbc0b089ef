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
from ndjctl.contracts import TTL_DAYS, iso_utc

STOP_MARGIN_S = 10.0
"""With less time left than this, no new piece of work is begun."""


_READ_TIMEOUT_S = {"dynamodb": 5, "glue": 20, "s3": 60}
"""How long one request may take: a table answers in milliseconds, a copy of a part in seconds."""


def make_client(service: str) -> Any:
    """A boto3 client with short time-outs and few retries."""
    # Imported here: a cold start that only fails its configuration, or a test of the pure parts, does not pay for it.
    import boto3
    from botocore.config import Config

    # StartJobRun is not idempotent: a retry inside the client would turn "maybe accepted" into "surely refused".
    attempts = 1 if service == "glue" else 4
    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=3,
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


@dataclass
class Invocation:
    """One invocation: its request id, the time it has left (seconds), its log and its counters."""

    services: Services
    request_id: str
    remaining_s: Callable[[], float]
    counters: Counters = field(default_factory=Counters)
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
