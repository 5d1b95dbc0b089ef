"""One kind of resource on the embedded cloud: what differs by the planner's own eyes, and calls that stop midway."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
from botocore.stub import Stubber

from ndjctl.aws import Cloud
from ndjctl.bundles import Code, glue_bundle, lambda_bundle
from ndjctl.contracts import Names
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.kinds.base import Aws, Kind
from ndjctl.deploy.model import FieldChange, Observed, Resource
from ndjctl.deploy.planner import differences
from ndjctl.profiles import load_profile

REGION, ACCOUNT = "us-east-1", "123456789012"
NOW = datetime(2027, 3, 1, 12, tzinfo=timezone.utc)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Stopped(Exception):
    """The deployment was killed here."""


def desired(names: Names, *assignments: str, env: str = "dev") -> dict[str, Resource]:
    """Every resource of a profile, by its id."""
    profile = load_profile(env, working_dir=Path("/nonexistent"), assignments=assignments).profile
    code = Code(lambda_bundle().index, glue_bundle().index)
    return {resource.id: resource for resource in desired_state(profile, names, code)}


def aws_of(client: Callable[[str], Any], names: Names, sleep: Callable[[float], None] = lambda _s: None) -> Aws:
    def no_artifact(sha256: str) -> bytes:
        raise KeyError(sha256)

    return Aws(client, REGION, names, sleep, no_artifact, lambda: NOW)


@dataclass
class Subject:
    """One resource under test."""

    kind: Kind
    aws: Aws
    resource: Resource

    def observe(self) -> Observed:
        observed = self.kind.observe(self.aws, self.resource)
        assert observed is not None
        return observed

    def changes(self) -> list[FieldChange]:
        return list(differences(self.resource, self.observe()))

    def labels(self) -> list[str]:
        return [change.label for change in self.changes()]

    def settle(self, aws: Aws | None = None) -> None:
        """What a deployment does with the resource."""
        aws = aws or self.aws
        observed = self.kind.observe(aws, self.resource)
        if observed is None:
            self.kind.create(aws, self.resource)
            return
        changes = list(differences(self.resource, observed))
        if changes:
            self.kind.update(aws, self.resource, changes)

    def wanting(self, **fields: Any) -> Subject:
        """The same with other wishes."""
        return replace(self, resource=replace(self.resource, fields={**self.resource.fields, **fields}))


def subject(cloud: Cloud, kind: Kind, id_: str, *assignments: str) -> Subject:
    return Subject(kind, aws_of(cloud.client, cloud.names), desired(cloud.names, *assignments)[id_])


@dataclass
class StoppingClients:
    """Clients that work for `calls` calls and then raise Stopped, before they ask the cloud."""

    inner: Callable[[str], Any]
    calls: int

    def __call__(self, service: str) -> Any:
        return _StoppingClient(self.inner(service), self)


@dataclass
class _StoppingClient:
    client: Any
    clients: StoppingClients

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self.client, name)
        if not callable(operation):
            return operation

        def call(**given: Any) -> Any:
            if self.clients.calls == 0:
                raise Stopped
            self.clients.calls -= 1
            return operation(**given)

        return call


def stopped_after_each_call(subject: Subject, work: Callable[[Aws], None], begin: Callable[[], None]) -> int:
    """Begins, does `work` and stops it after 0, 1, 2 ... calls; after each stop a deployment makes the resource whole.
    Returns how many calls the work takes."""
    for calls in range(50):
        begin()
        clients = StoppingClients(subject.aws.client, calls)
        try:
            work(replace(subject.aws, client=clients))
        except Stopped:
            subject.settle()
            assert subject.labels() == [], f"after {calls} calls"
        else:
            assert subject.labels() == []
            return calls
    raise AssertionError("it never ends")


def mended_alone(one: Subject, edit: Callable[[Subject], Any], label: str, state: Callable[[Subject], Any]) -> None:
    """After `edit` exactly `label` differs, and settling brings back what was there before."""
    one.kind.create(one.aws, one.resource)
    before = state(one)
    edit(one)
    assert one.labels() == [label]
    one.kind.update(one.aws, one.resource, one.changes())
    assert one.labels() == []
    assert state(one) == before


def made_and_gone(one: Subject) -> None:
    """Not there, then there as wanted, then gone, and gone again."""
    assert one.kind.observe(one.aws, one.resource) is None
    one.kind.create(one.aws, one.resource)
    assert one.labels() == []
    assert one.observe().foreign == ()
    one.kind.delete(one.aws, one.resource)
    assert one.kind.observe(one.aws, one.resource) is None
    one.kind.delete(one.aws, one.resource)


def stopped_anywhere(one: Subject, spoil: Callable[[Subject], Any]) -> tuple[int, int]:
    """Calls of a creation and of a mending, each of which was stopped after every one of them."""

    def remove() -> None:
        one.kind.delete(one.aws, one.resource)

    def spoiled() -> None:
        one.settle()
        spoil(one)

    def settle(aws: Aws) -> None:
        one.settle(aws)

    return stopped_after_each_call(one, settle, remove), stopped_after_each_call(one, settle, spoiled)


@dataclass
class Canned:
    """One client of boto3 whose answers are written down; botocore checks both sides against the service's model."""

    service: str
    slept_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = boto3.client(
            self.service, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none"
        )
        self.stub = Stubber(self.client)
        self.stub.activate()

    @property
    def aws(self) -> Aws:
        def only(service: str) -> Any:
            assert service == self.service
            return self.client

        return aws_of(only, Names(ACCOUNT), self.slept_s.append)

    def answers(self, operation: str, answer: Mapping[str, Any], **expected: Any) -> None:
        self.stub.add_response(operation, dict(answer), expected or None)

    def refuses(self, operation: str, code: str, message: str) -> None:
        self.stub.add_client_error(operation, code, message)

    def done(self) -> None:
        self.stub.assert_no_pending_responses()


def change(path: str, new: Any, old: Any = None) -> Sequence[FieldChange]:
    """One change, its path written with dots."""
    return [FieldChange(tuple(path.split(".")), old, new)]
