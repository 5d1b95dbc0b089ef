"""Each field changed by hand: drift names it alone, deploy mends it and nothing else, and what others have stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import pytest

from ndjctl.deploy.documents import plain
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.model import Plan
from tests.deploy_world import Call, Environment, environment, labels, plan_of, quieten
from tests.drift import foreign, rows_buckets, rows_compute, rows_roles, rows_storage, rows_watching
from tests.drift.hands import Hands
from tests.drift.row import Row

ROWS = [*rows_compute.ROWS, *rows_storage.ROWS, *rows_roles.ROWS, *rows_buckets.ROWS, *rows_watching.ROWS]
SETTINGS = (*foreign.SETTINGS, "job.continuous_log=false", "tags.team=data", "alarms.email=operators@example.com")

_IDENTITIES = (
    *("UUID", "FunctionName", "Resource", "JobName", "ResourceArn", "ResourceARN", "resourceArn", "QueueUrl"),
    *("TableName", "RoleName", "Rule", "AlarmName", "DashboardName", "TopicArn", "Bucket", "Name", "logGroupName"),
)
"""Parameters that say what a call is about, where several are given the first of these."""

_BESIDE = {"PutObject": "/{Key}", "Subscribe": ":{Endpoint}"}
"""Calls that name what they are about in two parts."""

_MOVING = (
    *("LastModified", "LastModifiedTimestamp", "LastProcessingResult", "StateTransitionReason"),
    *("UUID", "EventSourceMappingArn"),
)
"""What changes with every write, by itself, or because a resource is a new one."""


@dataclass
class World:
    """An environment with everything in it that others may have there. state: of every resource when nothing was
    changed by hand, None where a test left it in doubt."""

    env: Environment
    hands: Hands
    files: dict[str, str]
    of_others: dict[str, Any]
    state: dict[str, Any] | None = None

    def settled(self) -> dict[str, Any]:
        """The state without drift."""
        if self.state is None:
            self.env.deploy()
            self.state = state(self.env.drift())
        before, self.state = self.state, None
        return before

    def resource_id(self, row: Row) -> str:
        return row.resource.format(n=self.env.names, **self.files)

    def about(self, row: Row) -> str:
        """What calls about its resource name. Of an alias and a permission, whose names begin with the function's, that
        is the function."""
        kind, name = self.resource_id(row).split("/", 1)
        return name.split(":")[0] if kind in ("alias", "permission") else name

    def subject(self, call: Call, abouts: Iterable[str]) -> str:
        """Which of `abouts` a writing call is about; else what it names."""
        key = next(name for name in _IDENTITIES if name in call.parameters)
        value = str(call.parameters[key]).removesuffix(":live")
        if key == "UUID" and value == self.hands.mapping:
            value = self.env.names.function
        if call.operation in _BESIDE:
            value = f"{value}{_BESIDE[call.operation]}".format(**call.parameters)
        ends = [about for about in abouts if value == about or value.endswith((f"/{about}", f":{about}"))]
        return max(ends, key=len, default=value)


_WORLDS = count(100_000_100_001)
"""Accounts, one for each time that the world is made: where tests are shared out, it may be made twice."""


@pytest.fixture(scope="module")
def world(cloud_dir: Path) -> Iterator[World]:
    env = environment(cloud_dir, f"{next(_WORLDS):012d}", "prod", *SETTINGS)
    assert env.deploy().execution.failed == []
    hands = Hands(env.hands)
    foreign.put_foreign(hands)
    bucket = env.names.scripts_bucket
    files = {"script": "/glue_batch_job.py", "library": "/glue_job.zip", "zip": "/function.zip"}
    of_others = foreign.foreign_state(hands)
    assert all(of_others.values())
    yield World(env, hands, {what: f"{bucket}/{hands.files(ending)}" for what, ending in files.items()}, of_others)
    quieten(env.hands)


def state(plan: Plan) -> dict[str, Any]:
    """Everything that was looked at, also what is not ours."""
    found: dict[str, Any] = {}
    for step in plan.steps:
        observed = step.observed
        fields = {} if observed is None else plain(observed.fields)
        steady = {key: value for key, value in fields.items() if key not in _MOVING and "Approximate" not in key}
        found[step.resource.id] = (steady, observed.foreign if observed else ())
    return found


def test_what_others_have_is_no_drift(world: World) -> None:
    plan = world.env.drift()
    assert labels(plan) == []
    told = {step.resource.kind: step.observed.foreign for step in plan.steps if step.observed and step.observed.foreign}
    # What is left alone is told, wherever there is something.
    kinds = {
        "alarm",
        "bucket",
        "function",
        "job",
        "log-group",
        "notification",
        "queue",
        "role",
        "rule",
        "table",
        "topic",
    }
    assert set(told) >= kinds
    assert "secret" not in str(told)


def named(world: World, row: Row) -> list[str]:
    """What drift has to say of a row."""
    resource_id = world.resource_id(row)
    if not row.fields:
        return [f"create {resource_id}"]
    if row.fields == ("Policy.*",):
        sids = world.env.resources()[resource_id].fields["Policy"]
        return [f"{resource_id} Policy.{sid}" for sid in sids]
    return [f"{resource_id} {path}" for path in row.fields]


def check(world: World, rows: Sequence[Row]) -> None:
    """Makes the changes by hand, finds exactly those, mends exactly those."""
    env, ids = world.env, {world.resource_id(row) for row in rows}
    before = world.settled()
    for row in rows:
        row.edit(world.hands)

    # This look sees all resources, so also whatever the mending before did beyond its own.
    drift = env.drift()
    assert sorted(labels(drift)) == sorted(label for row in rows for label in named(world, row))
    assert {**state(drift), **{id_: before[id_] for id_ in ids}} == before

    with env.recording() as calls:
        deploying = env.deploy(plan=drift)
    assert deploying.execution.failed == []
    abouts = {row: world.about(row) for row in rows}
    writes = {
        (str(call), world.subject(call, abouts.values())) for call in calls if call.is_write and not _record(call)
    }
    assert writes == {(operation, abouts[row]) for row in rows for operation in row.writes}

    mended = [step.resource for step in drift.steps if step.resource.id in ids]
    after = plan_of(mended, env.aws)
    assert labels(after) == []
    assert state(after) == {id_: before[id_] for id_ in ids}
    kinds = {resource.kind for resource in mended} & set(world.of_others)
    assert foreign.foreign_state(world.hands, kinds) == {kind: world.of_others[kind] for kind in kinds}
    world.state = before


def rounds() -> Iterator[list[Row]]:
    """Every row once, no two of a resource together. The alias comes first: a version is published of the function as
    it is at that moment."""
    by_resource: dict[str, list[Row]] = {}
    for row in sorted(ROWS, key=lambda row: not row.resource.startswith("alias")):
        if row.is_alone:
            yield [row]
        else:
            by_resource.setdefault(row.resource, []).append(row)
    for several in zip_longest(*by_resource.values()):
        yield [row for row in several if row is not None]


@pytest.mark.parametrize(
    "rows", list(rounds()), ids=lambda rows: f"{rows[0].about}-and-{len(rows) - 1}-more".replace(" ", "-")
)
def test_changes_by_hand(world: World, rows: list[Row]) -> None:
    """Each of another resource: drift names what the rows say and no field beside, and each is mended by its own calls
    alone."""
    check(world, rows)


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param(row, id=row.about.replace(" ", "-")) for row in ROWS])
def test_a_change_by_hand(world: World, row: Row) -> None:
    """The same, one after the other."""
    check(world, [row])


def test_nothing_is_left_of_it_all(world: World) -> None:
    assert world.state is None or state(world.env.drift()) == world.state
    assert labels(world.env.drift()) == []
    assert foreign.foreign_state(world.hands) == world.of_others


def _record(call: Call) -> bool:
    """Whether it is the deployment's own record in the history."""
    return call.operation == "PutObject" and "/deployments/" in call.parameters["Key"]


def test_no_row_stands_twice_and_every_kind_has_one() -> None:
    assert len({row.about for row in ROWS}) == len(ROWS)
    kinds = {row.resource.split("/")[0] for row in ROWS}
    assert kinds == set(KINDS) - {"connection"}  # which only an environment with a network has


def test_a_variable_that_is_kept_is_nobodys_drift(world: World) -> None:
    world.hands.vary(THEIRS_LEVEL="3")
    assert labels(world.env.drift()) == []
    world.hands.configure(MemorySize=777)
    world.env.deploy()
    assert world.hands.variables["THEIRS_LEVEL"] == "3"
    world.hands.vary("THEIRS_LEVEL")
    assert labels(world.env.drift()) == []


def test_another_mapping_of_the_queue_is_told_and_left_alone(world: World) -> None:
    """It would take events to code that nobody published, and which of two is ours must not depend on their order."""
    hands, names, ours = world.hands, world.env.names, world.hands.mapping
    queue = hands.arn("sqs", names.queue)
    theirs = hands.lambda_.create_event_source_mapping(
        EventSourceArn=queue, FunctionName=names.function, BatchSize=2, Enabled=False
    )["UUID"]
    plan = world.env.drift()
    assert labels(plan) == []
    (told,) = [step.observed.foreign for step in plan.steps if step.resource.kind == "mapping" and step.observed]
    assert theirs in str(told)
    hands.lambda_.update_event_source_mapping(UUID=ours, BatchSize=3)
    assert labels(world.env.drift()) == [f"mapping/{names.function} BatchSize"]
    world.env.deploy()
    sizes = {
        each["UUID"]: each["BatchSize"]
        for each in hands.lambda_.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    }
    assert sizes == {ours: 10, theirs: 2}
    hands.lambda_.delete_event_source_mapping(UUID=theirs)
    assert labels(world.env.drift()) == []


def test_a_change_of_two_things_is_two_fields_and_mended_at_once(world: World) -> None:
    world.hands.redefine(NumberOfWorkers=2, Timeout=5)
    world.hands.set_queue(world.env.names.queue, VisibilityTimeout="30")
    names = world.env.names
    assert labels(world.env.drift()) == [
        f"queue/{names.queue} VisibilityTimeout",
        f"job/{names.job} Timeout",
        f"job/{names.job} NumberOfWorkers",
    ]
    world.env.deploy()
    assert labels(world.env.drift()) == []


def test_a_profile_that_was_edited_since_is_not_drift(world: World) -> None:
    assert labels(world.env.plan("job.timeout_min=7")) == [f"job/{world.env.names.job} Timeout"]
    assert labels(world.env.drift()) == []
