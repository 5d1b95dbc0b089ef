"""A deployment that is stopped after one of its calls, as Ctrl-C, a kill or a lost connection stops it, and one whose
calls are refused.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.loaders import Loader

from ndjctl.aws import Cloud
from ndjctl.deploy.deployment import Agreed, Deploying, Target, Writing, plan_for
from ndjctl.deploy.kinds.registry import KINDS
from tests.deploy_world import READS, Call, Environment, environment

How = Literal["interrupted", "lost", "killed"]

MODELS = Loader(include_default_search_paths=True)
"""What boto3 knows of the services: read once, and not once for every account."""


class Killed(BaseException):
    """Nothing of the process is carried out after this."""


def short_sleep(seconds: float) -> None:
    """For what waits by a clock of its own: a fraction of it."""
    time.sleep(min(seconds, 0.03))


class Accounts:
    """Environments, each in an account of its own, whose clients share what they know of the services."""

    def __init__(self, cloud_dir: Path, first: int) -> None:
        self.cloud_dir = cloud_dir
        self._next = first
        self._made: list[Environment] = []

    def new(self, env: str = "dev", *assignments: str, account_id: str | None = None) -> Environment:
        """In the next account, or in one that is named."""
        if account_id is None:
            account_id = f"{self._next:012d}"
            self._next += 1
        one = replace(environment(self.cloud_dir, account_id, env, *assignments), sleep=short_sleep)
        for cloud in (one.cloud, one.hands):
            cheap(cloud)
        self._made.append(one)
        return one

    def quiet(self) -> None:
        """Their schedules would fire every minute until the session's end."""
        for one in self._made:
            events = one.hands.client("events")
            if any(rule["Name"] == one.names.sweep_rule for rule in events.list_rules()["Rules"]):
                events.remove_targets(Rule=one.names.sweep_rule, Ids=["manifest-builder"])
        self._made.clear()


def cheap(cloud: Cloud) -> Cloud:
    """A cloud whose clients are not made yet, and will read no model that was read before."""
    cloud.session._session.register_component("data_loader", MODELS)
    return cloud


@dataclass
class Stop:
    """Stops what goes through a cloud after its n-th call that writes: the call itself is carried out, its answer is
    never seen. Once its connection is lost or it is killed, no other call gets through either. To be made before the
    first client is. after: None for never."""

    cloud: Cloud
    after: int | None = None
    how: How = "interrupted"
    writes: list[Call] = field(default_factory=list)
    is_over: bool = False

    def __post_init__(self) -> None:
        events = self.cloud.session.events
        events.register("before-call", self._before)
        events.register("after-call", self._after)

    def arm(self, after: int | None, how: How = "interrupted") -> None:
        """Counts anew."""
        self.after, self.how, self.is_over = after, how, False
        self.writes.clear()

    def _before(self, model: Any, **_: Any) -> None:
        if self.is_over and self.how != "interrupted":
            raise self._error()

    def _after(self, model: Any, **_: Any) -> None:
        if model.name.startswith(READS) or self.is_over:
            return
        self.writes.append(Call(model.service_model.service_name, model.name, {}))
        if len(self.writes) == self.after:
            self.is_over = True
            raise self._error()

    def _error(self) -> BaseException:
        if self.how == "interrupted":
            return KeyboardInterrupt()
        if self.how == "killed":
            return Killed()
        return EndpointConnectionError(endpoint_url="https://nowhere.invalid")


@dataclass
class Refusals:
    """Refuses every call for which `is_refused` (given its number, from 1) is true, before it is carried out. To be
    made before the first client is."""

    cloud: Cloud
    is_refused: Callable[[int], bool] = lambda _number: False
    codes: tuple[str, ...] = ("ThrottlingException", "TooManyRequestsException")
    calls: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self.cloud.session.events.register("before-call", self._before)

    def _before(self, model: Any, **_: Any) -> None:
        self.calls += 1
        if self.is_refused(self.calls):
            code = self.codes[self.refused % len(self.codes)]
            self.refused += 1
            raise ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, model.name)


def ready(one: Environment, *assignments: str, target: Target | None = None, cloud: Cloud | None = None) -> Deploying:
    """A deployment of `one` with its plan made, and nothing done yet. target: instead of the profile's. cloud: other
    clients than the environment's own."""
    aws = replace(one.aws, client=cloud.client) if cloud else one.aws
    wanted = target or one.target(*assignments)
    writing = Writing("user/test", "test", lambda: datetime.now(timezone.utc), lambda: secrets.token_hex(4))
    return Deploying(wanted, plan_for(wanted, aws, KINDS), aws, KINDS, Agreed(), writing)


def carried_out(deploying: Deploying) -> Deploying:
    """The same, done."""
    deploying.run(lambda _step: None)
    return deploying
