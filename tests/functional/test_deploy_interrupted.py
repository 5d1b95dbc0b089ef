"""A deployment that is stopped after any of its calls, refused at many of them, or done twice at once, ends in the
world of one that nothing happened to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ndjctl.aws import Cloud
from ndjctl.bundles import Bundle, glue_bundle, lambda_bundle
from ndjctl.deploy.deployment import Deploying, rollback_target
from ndjctl.errors import CloudError
from tests.deploy_dump import Dump, different, dump
from tests.deploy_stops import Accounts, How, Killed, Refusals, Stop, carried_out, cheap, ready
from tests.deploy_world import Environment, account_cloud, labels

pytest.importorskip("psutil")
pytest.importorskip("ministack")

OTHER = (
    "function.memory_mb=768",
    "function.reserved_concurrency=7",
    "function.timeout_s=200",
    "function.batch_size=5",
    "batching.max_files_per_manifest=7",
    "job.workers=3",
    "job.max_concurrent_runs=9",
    "job.metrics=false",
    "queue.retention_days=7",
    "queue.max_receives=8",
    "tables.point_in_time_recovery=true",
    "tables.deletion_protection=true",
    "retention.manifests_days=200",
    "retention.logs_days=30",
    "alarms.oldest_message_age_s=600",
    "alarms.email=ops@example.com",
    "security.permissions_boundary_arn=arn:aws:iam::aws:policy/PowerUserAccess",
    "tags.team=data",
)
"""Settings that change something of nearly every kind of resource."""

STOPS: tuple[tuple[str, How], ...] = (
    ("s3:CreateBucket", "interrupted"),  # a bucket that is nobody's yet
    ("s3:PutBucketEncryption", "killed"),  # one that is half set
    ("dynamodb:CreateTable", "lost"),  # a table without its time to live
    ("iam:CreateRole", "interrupted"),  # a role that may do nothing
    ("lambda:CreateFunction", "killed"),  # a function without its concurrency, and no version of it
    ("lambda:PublishVersion", "lost"),  # a version that no alias points at
    ("events:PutRule", "interrupted"),  # a rule that calls nobody
    ("s3:PutBucketNotificationConfiguration", "killed"),  # all there, and not written down
)
"""A sample that meets the half-made state of every kind that takes several calls: after the first of these calls."""

UPDATE_STOPS: tuple[tuple[str, How], ...] = (
    ("dynamodb:UpdateTable", "killed"),
    ("sns:Subscribe", "lost"),
)
ROLLBACK_STOPS: tuple[tuple[str, How], ...] = (("lambda:PublishVersion", "interrupted"),)
HOWS: tuple[How, ...] = ("interrupted", "lost", "killed")
# A lost connection is told as a sentence, or met once more where the history is to be told how it ended.
RAISED: dict[How, tuple[type[BaseException], ...]] = {
    "interrupted": (KeyboardInterrupt,),
    "lost": (CloudError, EndpointConnectionError),
    "killed": (Killed,),
}


@dataclass(frozen=True)
class Undisturbed:
    """What becomes of it where nothing happens. calls: those that write, in their order."""

    world: Dump
    calls: list[str]

    def number(self, operation: str) -> int:
        """Of its first call, from 1."""
        return self.calls.index(operation) + 1


def undisturbed(one: Environment, again: Deploying) -> Undisturbed:
    """again: the same once more, for which there is nothing to do."""
    assert labels(again.plan) == []
    return Undisturbed(dump(one.cloud), [str(call) for call in one.calls if call.is_write])


_FIRST = count(300_000_000_001, 1_000_000)
"""The first account, for each time that the fixture is made: where tests are shared out, it may be made twice."""


@pytest.fixture(scope="module")
def accounts(cloud_dir: Path) -> Iterator[Accounts]:
    found = Accounts(cloud_dir, next(_FIRST))
    yield found
    found.quiet()


@pytest.fixture(scope="module")
def fresh(accounts: Accounts) -> Undisturbed:
    """A first deployment."""
    one = accounts.new()
    carried_out(ready(one))
    return undisturbed(one, ready(one))


@pytest.fixture(scope="module")
def changed(accounts: Accounts) -> Undisturbed:
    """A second one with many other settings."""
    one = accounts.new()
    carried_out(ready(one))
    one.calls.clear()
    carried_out(ready(one, *OTHER))
    return undisturbed(one, ready(one, *OTHER))


def other_code(one: Environment) -> Environment:
    """The same environment, of a version with other code in both bundles."""
    script = {**glue_bundle().files, "glue_batch_job.py": b"# other\n"}
    return replace(
        one, job=Bundle(script), function=Bundle({"function.zip": lambda_bundle().files["function.zip"] + b"\0"})
    )


@pytest.fixture(scope="module")
def returned(accounts: Accounts) -> Undisturbed:
    """A return from other code and settings."""
    one = accounts.new()
    carried_out(ready(one))
    carried_out(ready(other_code(one), *OTHER))
    target, _ = rollback_target(one.history, None, "dev")
    one.calls.clear()
    carried_out(ready(one, target=target))
    return undisturbed(one, ready(one, target=target))


def stopped(one: Environment, stop: Stop, deploying: Deploying, after: int, how: How) -> None:
    """Carries it out up to there, and looks at what is told of it."""
    stop.arm(after, how)
    with pytest.raises(RAISED[how]):
        carried_out(deploying)
    assert len(stop.writes) >= after  # an interrupted one still writes down how it ended
    stop.arm(None)
    execution = deploying.execution
    left = {step.resource.id for step in ready(one, target=deploying.target).plan.pending}
    done = {outcome.step.resource.id for outcome in execution.outcomes if outcome.state == "done"}
    open_ = {step.resource.id for step in execution.unreached}
    assert not execution.failed
    assert done | open_ == {step.resource.id for step in execution.steps}
    assert not done & left, "told as done, and it is not"
    assert left <= open_
    record = next(one.history.newest("dev"), None)
    if record is not None and deploying.record is not None and record.id == deploying.record.id:
        ended = ("interrupted", open_) if how == "interrupted" else ("under way", set())
        assert (record.result, set(record.not_done)) == ended


def ends_well(one: Environment, again: Deploying, wanted: Undisturbed) -> None:
    """Again, and all is as if nothing had happened."""
    carried_out(again)
    assert not again.execution.failed
    assert not again.execution.unreached
    assert different(dump(one.cloud), wanted.world) == {}


def a_first_deployment(one: Environment, after: int, how: How, wanted: Undisturbed) -> None:
    stop = Stop(one.cloud)
    stopped(one, stop, ready(one), after, how)
    ends_well(one, ready(one), wanted)


def a_change(one: Environment, after: int, how: How, wanted: Undisturbed) -> None:
    stop = Stop(one.cloud)
    carried_out(ready(one))
    stopped(one, stop, ready(one, *OTHER), after, how)
    ends_well(one, ready(one, *OTHER), wanted)


def a_return(one: Environment, after: int, how: How, wanted: Undisturbed) -> None:
    """The second time it is told where to return to: the newest deployment is the one that was stopped."""
    stop = Stop(one.cloud)
    carried_out(ready(one))
    carried_out(ready(other_code(one), *OTHER))
    target, chosen = rollback_target(one.history, None, "dev")
    stopped(one, stop, ready(one, target=target), after, how)
    again, _ = rollback_target(one.history, chosen.id, "dev")
    ends_well(one, ready(one, target=again), wanted)


@pytest.mark.parametrize(("operation", "how"), STOPS)
def test_a_first_deployment_is_stopped(accounts: Accounts, fresh: Undisturbed, operation: str, how: How) -> None:
    a_first_deployment(accounts.new(), fresh.number(operation), how, fresh)


@pytest.mark.parametrize(("operation", "how"), UPDATE_STOPS)
def test_a_change_is_stopped(accounts: Accounts, changed: Undisturbed, operation: str, how: How) -> None:
    a_change(accounts.new(), changed.number(operation), how, changed)


@pytest.mark.parametrize(("operation", "how"), ROLLBACK_STOPS)
def test_a_return_is_stopped(accounts: Accounts, returned: Undisturbed, operation: str, how: How) -> None:
    a_return(accounts.new(), returned.number(operation), how, returned)


def test_a_return_is_to_the_world_before(fresh: Undisturbed, returned: Undisturbed) -> None:
    """All of it but what nobody asks to be undone: new tags, a subscription, code in the scripts bucket."""
    left = different(fresh.world, returned.world)
    assert set(left) <= set(fresh.world)


@pytest.mark.slow
@pytest.mark.parametrize("shift", range(len(HOWS)))
def test_a_first_deployment_is_stopped_after_every_call(accounts: Accounts, fresh: Undisturbed, shift: int) -> None:
    for after in range(1, len(fresh.calls)):
        a_first_deployment(accounts.new(), after, HOWS[(after + shift) % len(HOWS)], fresh)
        accounts.quiet()


@pytest.mark.slow
@pytest.mark.parametrize("shift", range(len(HOWS)))
def test_a_change_is_stopped_after_every_call(accounts: Accounts, changed: Undisturbed, shift: int) -> None:
    for after in range(1, len(changed.calls)):
        a_change(accounts.new(), after, HOWS[(after + shift) % len(HOWS)], changed)
        accounts.quiet()


@pytest.mark.slow
def test_a_return_is_stopped_after_every_call(accounts: Accounts, returned: Undisturbed) -> None:
    for after in range(1, len(returned.calls)):
        a_return(accounts.new(), after, HOWS[after % len(HOWS)], returned)
        accounts.quiet()


@dataclass
class OneMapping:
    """Refuses a second mapping of a queue to a function, as AWS does; the embedded cloud takes it."""

    cloud: Cloud
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __post_init__(self) -> None:
        events = self.cloud.session.events
        events.register("before-call.lambda.CreateEventSourceMapping", self._before)
        events.register("after-call.lambda.CreateEventSourceMapping", lambda **_: self.lock.release())

    def _before(self, model: Any, **_: Any) -> None:
        self.lock.acquire()
        if self.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            self.lock.release()
            error = {"Code": "ResourceConflictException", "Message": "An event source mapping exists already"}
            raise ClientError({"Error": error}, model.name)


@pytest.mark.parametrize("period", [2, 5])
def test_refusals_for_throttling_are_waited_out(accounts: Accounts, fresh: Undisturbed, period: int) -> None:
    """Every second or fifth call of everything that is looked at or made."""
    slept_s: list[float] = []

    def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        time.sleep(min(seconds, 0.02))

    one = replace(accounts.new(), sleep=sleep)
    refusals = Refusals(one.cloud)
    deploying = ready(one)
    refusals.is_refused = lambda number: number % period == 0
    carried_out(deploying)
    assert [(each.step.resource.id, each.reason) for each in deploying.execution.failed] == []
    assert refusals.refused > 20
    assert len(slept_s) >= refusals.refused
    refusals.is_refused = lambda _number: False
    assert different(dump(one.cloud), fresh.world) == {}


def test_two_deployments_at_once(accounts: Accounts, fresh: Undisturbed) -> None:
    """Of one plan, made by both before either began."""
    one = accounts.new()
    clouds = [cheap(account_cloud(accounts.cloud_dir, one.cloud.account_id)) for _ in range(2)]
    for cloud in clouds:
        OneMapping(cloud)
    both = [ready(one, cloud=cloud) for cloud in clouds]
    for cloud in clouds:
        for service in ("s3", "sqs", "dynamodb", "iam", "lambda", "glue", "events", "logs", "sns", "cloudwatch"):
            cloud.client(service)
    errors: list[BaseException] = []

    def work(deploying: Deploying) -> None:
        try:
            carried_out(deploying)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(deploying,)) for deploying in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for deploying in both:
        assert [(o.step.resource.id, o.reason) for o in deploying.execution.failed] == []
        assert not deploying.execution.unreached
    assert different(dump(one.cloud), fresh.world) == {}
    assert [each.result for each in one.history.newest("dev")] == ["done", "done"]
