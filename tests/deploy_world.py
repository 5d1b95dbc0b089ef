"""One environment in an account of its own on the session's embedded cloud: deployed, planned, looked at for drift, and
every call that it makes written down.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ndjctl.aws import Cloud, is_not_found
from ndjctl.bundles import Bundle, Code, glue_bundle, lambda_bundle
from ndjctl.contracts import Names
from ndjctl.deploy.deployment import Agreed, Deploying, Target, Writing, artifacts_of, last_target, plan_for
from ndjctl.deploy.history import History
from ndjctl.deploy.kinds.base import Aws
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.model import Plan, Resource
from ndjctl.deploy.planner import plan_step
from ndjctl.embedded.provider import embedded_cloud
from ndjctl.profiles import load_profile

REGION = "us-east-1"
NOWHERE = Path("/nonexistent")
READS = ("Get", "List", "Describe", "Head", "Scan", "Query")
_tokens = itertools.count()


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Call:
    """One call of the AWS API: service as boto3 has it, operation as the API has it, and its parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def is_write(self) -> bool:
        return not self.operation.startswith(READS)

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"


def account_session(account_id: str) -> boto3.Session:
    """The embedded cloud takes an access key id of 12 digits for the account."""
    return boto3.Session(aws_access_key_id=account_id, aws_secret_access_key="test", region_name=REGION)


def account_cloud(cloud_dir: Path, account_id: str, suffix: str = "", session: boto3.Session | None = None) -> Cloud:
    """An account of the session's embedded cloud, through its one address, as `--env prod` reaches it."""
    status = embedded_cloud(load_profile("local", working_dir=NOWHERE).profile, cloud_dir).status()
    return Cloud(session or account_session(account_id), REGION, suffix, endpoint_url=status.endpoint_url)


@dataclass
class Environment:
    """An environment `env` of the built-in profiles in one account. Nothing is deployed until deploy() is called.

    calls: what the deployment asked of AWS since the last `recording()` began. hands: clients of somebody else in the
    same account, whose calls are not written down.
    """

    cloud: Cloud
    hands: Cloud
    env: str
    assignments: tuple[str, ...] = ()
    preset: str | None = None
    job: Bundle = field(default_factory=glue_bundle)
    function: Bundle = field(default_factory=lambda_bundle)
    calls: list[Call] = field(default_factory=list)
    sleep: Callable[[float], None] = time.sleep

    @property
    def names(self) -> Names:
        return self.cloud.names

    @property
    def aws(self) -> Aws:
        artifacts = artifacts_of((self.function, self.job))
        return Aws(self.cloud.client, REGION, self.names, self.sleep, artifacts, utc_now)

    @property
    def history(self) -> History:
        return History(self.cloud.client("s3"), self.names)

    def target(self, *assignments: str) -> Target:
        """What the profile asks for, with `assignments` on top of this environment's own."""
        loaded = load_profile(
            self.env, working_dir=NOWHERE, preset=self.preset, assignments=(*self.assignments, *assignments)
        )
        return Target(loaded.profile, loaded.source, loaded.overrides, Code(self.function.index, self.job.index))

    def resources(self, *assignments: str) -> dict[str, Resource]:
        """What is to be there, by id."""
        return {resource.id: resource for resource in self.target(*assignments).resources(self.aws)}

    def plan(self, *assignments: str) -> Plan:
        return plan_for(self.target(*assignments), self.aws, KINDS)

    def drift(self) -> Plan:
        """What is not as the last deployment asked for, as `ndjctl drift` finds it."""
        last = last_target(self.history, self.env)
        assert last is not None
        return plan_for(last[0], self.aws, KINDS)

    def deploy(self, *assignments: str, plan: Plan | None = None, agreed: Agreed | None = None) -> Deploying:
        """Carries a plan out (a new one, unless given) with its record in the history."""
        target = self.target(*assignments)
        planned = plan or plan_for(target, self.aws, KINDS)
        writing = Writing("user/test", "test", utc_now, lambda: f"{next(_tokens):04x}")
        deploying = Deploying(target, planned, self.aws, KINDS, agreed or Agreed(), writing)
        deploying.run(lambda _step: None)
        return deploying

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """Forgets what was written down, and gives what will be."""
        self.calls.clear()
        yield self.calls


def environment(
    cloud_dir: Path, account_id: str, env: str, *assignments: str, preset: str | None = None
) -> Environment:
    """An environment in the account `account_id`, 12 digits. One account is to be used by one test module only."""
    suffix = load_profile(env, working_dir=NOWHERE, assignments=assignments).profile.suffix
    session, calls = account_session(account_id), list[Call]()

    def write_down(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        calls.append(Call(model.service_model.service_name, model.name, dict(params)))

    session.events.register("provide-client-params", write_down)
    cloud = account_cloud(cloud_dir, account_id, suffix, session)
    return Environment(cloud, account_cloud(cloud_dir, account_id, suffix), env, assignments, preset, calls=calls)


def plan_of(resources: Sequence[Resource], aws: Aws) -> Plan:
    """What is to be done with these resources alone, whatever they need."""
    observed = {resource.id: KINDS[resource.kind].observe(aws, resource) for resource in resources}
    return Plan(tuple(plan_step(resource, observed[resource.id]) for resource in resources))


def labels(plan: Plan) -> list[str]:
    """What a plan would do, a line a field: 'function/name MemorySize', and 'create alarm/name' for whole resources."""
    found: list[str] = []
    for step in plan.pending:
        if step.action == "update":
            found += [f"{step.resource.id} {change.label}" for change in step.changes]
        else:
            found.append(f"{step.action} {step.resource.id}")
    return found


def quieten(cloud: Cloud) -> None:
    """Ends what an environment does by itself: the sweeps of a hundred tests would keep a core busy."""
    names, lambda_ = cloud.names, cloud.client("lambda")
    for rule in (names.sweep_rule, names.run_state_rule):
        if_there(partial(cloud.client("events").disable_rule, Name=rule))
    mappings = lambda_.list_event_source_mappings(FunctionName=names.function)["EventSourceMappings"]
    for mapping in mappings:
        if_there(partial(lambda_.delete_event_source_mapping, UUID=mapping["UUID"]))
    if_there(partial(lambda_.delete_function, FunctionName=names.function))


def if_there(call: Callable[[], object]) -> None:
    """call(), where it is no error that there is nothing."""
    try:
        call()
    except ClientError as error:
        if not is_not_found(error):
            raise
