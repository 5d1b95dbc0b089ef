"""The Glue job and its connections: made, seen, mended and removed, with what others set in them left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.kinds.jobs import JobKind
from ndjctl.deploy.model import ABSENT
from tests.functional.kinds_world import (
    ACCOUNT,
    Canned,
    Subject,
    change,
    desired,
    stopped_after_each_call,
    subject,
)

Definition = dict[str, Any]
NAMES = Names(ACCOUNT)


@pytest.fixture
def job(embedded: Cloud) -> Subject:
    return subject(embedded, JobKind(), f"job/{embedded.names.job}")


def by_hand(job: Subject, edit: Callable[[Definition], Any]) -> None:
    """UpdateJob as somebody in the console does it."""
    glue = job.aws.client("glue")
    definition = glue.get_job(JobName=job.resource.name)["Job"]
    for derived in ("Name", "CreatedOn", "LastModifiedOn", "MaxCapacity", "AllocatedCapacity"):
        definition.pop(derived, None)
    edit(definition)
    glue.update_job(JobName=job.resource.name, JobUpdate=definition)


def definition(job: Subject) -> Definition:
    return dict(job.aws.client("glue").get_job(JobName=job.resource.name)["Job"])


def job_arn(job: Subject) -> str:
    return job.aws.arn("glue", f"job/{job.resource.name}")


def test_a_new_job_is_as_wanted(job: Subject) -> None:
    assert job.kind.observe(job.aws, job.resource) is None
    job.kind.create(job.aws, job.resource)
    assert job.labels() == []
    assert job.observe().foreign == ()
    assert job.observe().facts == {"running": 0}
    assert "--enable-continuous-cloudwatch-log" not in definition(job)["DefaultArguments"]


EDITS: dict[str, Callable[[Definition], Any]] = {
    "Role": lambda d: d.update(Role="arn:aws:iam::000000000000:role/other"),
    "ExecutionProperty.MaxConcurrentRuns": lambda d: d.update(ExecutionProperty={"MaxConcurrentRuns": 77}),
    "Command.ScriptLocation": lambda d: d["Command"].update(ScriptLocation="s3://elsewhere/job.py"),
    "Command.PythonVersion": lambda d: d["Command"].update(PythonVersion="3.9"),
    "DefaultArguments.--DATASET": lambda d: d["DefaultArguments"].update({"--DATASET": "other"}),
    "DefaultArguments.--TempDir": lambda d: d["DefaultArguments"].pop("--TempDir"),
    "DefaultArguments.--enable-continuous-cloudwatch-log": lambda d: d["DefaultArguments"].update(
        {"--enable-continuous-cloudwatch-log": "false"}
    ),
    "MaxRetries": lambda d: d.update(MaxRetries=7),
    "Timeout": lambda d: d.update(Timeout=5),
    "WorkerType": lambda d: d.update(WorkerType="G.2X"),
    "NumberOfWorkers": lambda d: d.update(NumberOfWorkers=99),
    "GlueVersion": lambda d: d.update(GlueVersion="3.0"),
}


@pytest.mark.parametrize("label", EDITS)
def test_a_field_changed_by_hand_is_named_and_mended_alone(job: Subject, label: str) -> None:
    job.kind.create(job.aws, job.resource)
    before = definition(job)
    by_hand(job, EDITS[label])
    assert job.labels() == [label]
    job.kind.update(job.aws, job.resource, job.changes())
    assert job.labels() == []
    after = definition(job)
    for moving in ("CreatedOn", "LastModifiedOn"):
        before.pop(moving), after.pop(moving)
    assert after == before


def test_a_tag_changed_by_hand_is_named_and_mended_alone(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)
    glue = job.aws.client("glue")
    glue.tag_resource(ResourceArn=job_arn(job), TagsToAdd={"ndjctl:stack": "x", "team": "hush"})
    assert job.labels() == ["Tags.ndjctl:stack"]
    assert job.observe().foreign == ("tags: team",)
    job.kind.update(job.aws, job.resource, job.changes())
    assert job.labels() == []
    assert glue.get_tags(ResourceArn=job_arn(job))["Tags"]["team"] == "hush"


def test_capacity_without_workers_becomes_workers(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)

    def fixed(d: Definition) -> None:
        del d["WorkerType"], d["NumberOfWorkers"]
        d["MaxCapacity"] = 6.0

    by_hand(job, fixed)
    assert job.labels() == ["WorkerType", "NumberOfWorkers"]
    job.kind.update(job.aws, job.resource, job.changes())
    assert job.labels() == []


def test_what_others_set_stays_and_its_values_are_not_told(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)
    theirs: Definition = {
        "Description": "hush-1",
        "LogUri": "s3://hush-2",
        "Connections": {"Connections": ["hush-3"]},
        "NonOverridableArguments": {"--hers": "hush-4"},
        "SecurityConfiguration": "hush-5",
        "NotificationProperty": {"NotifyDelayAfter": 3},
        "ExecutionClass": "STANDARD",
    }

    def edit(d: Definition) -> None:
        d.update(theirs)
        d["DefaultArguments"]["--password"] = "hush-6"
        d["Timeout"] = 5

    by_hand(job, edit)
    assert job.labels() == ["Timeout"]
    foreign = job.observe().foreign
    assert foreign[0] == "arguments: --password"
    assert "Description" in foreign[1] and "SecurityConfiguration" in foreign[1]
    assert "hush" not in str(foreign)
    job.kind.update(job.aws, job.resource, job.changes())
    assert job.labels() == []
    after = definition(job)
    assert {name: after[name] for name in theirs} == theirs
    assert after["DefaultArguments"]["--password"] == "hush-6"


def test_what_others_change_between_plan_and_update_stays(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)
    by_hand(job, lambda d: d.update(Timeout=5))
    changes = job.changes()
    by_hand(job, lambda d: d.update(MaxRetries=7, Description="meanwhile"))
    job.kind.update(job.aws, job.resource, changes)
    assert job.labels() == ["MaxRetries"]
    assert definition(job)["Description"] == "meanwhile"


def test_a_role_given_by_its_name_is_the_same_role(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)
    by_hand(job, lambda d: d.update(Role=job.resource.fields["Role"].rpartition("/")[2]))
    assert job.labels() == []


def test_a_job_is_deleted_once_and_again(job: Subject) -> None:
    job.kind.create(job.aws, job.resource)
    job.kind.delete(job.aws, job.resource)
    assert job.kind.observe(job.aws, job.resource) is None
    job.kind.delete(job.aws, job.resource)


def test_a_job_stopped_midway_is_made_whole(job: Subject) -> None:
    def remove() -> None:
        job.kind.delete(job.aws, job.resource)

    def spoil() -> None:
        job.settle()
        by_hand(job, lambda d: d.update(Timeout=5, Description="theirs"))
        job.aws.client("glue").untag_resource(ResourceArn=job_arn(job), TagsToRemove=["ndjctl:stack"])

    assert stopped_after_each_call(job, lambda aws: job.settle(aws), remove) == 2
    assert stopped_after_each_call(job, lambda aws: job.settle(aws), spoil) == 6
    assert definition(job)["Description"] == "theirs"


# What the embedded Glue endpoint never answers.

JOB = desired(NAMES)[f"job/{NAMES.job}"]


def test_open_runs_are_counted_over_pages_until_one_has_none() -> None:
    glue = Canned("glue")
    pages = [("RUNNING", "STARTING"), ("WAITING", "STOPPING", "SUCCEEDED"), ("FAILED", "STOPPED"), ("RUNNING",)]
    glue.answers("get_job", {"Job": {"Name": JOB.name}})
    glue.answers("get_tags", {"Tags": {}})
    more: dict[str, str] = {}
    for number, states in enumerate(pages[:3]):
        runs = [{"Id": f"jr_{state}", "JobRunState": state} for state in states]
        token = {"NextToken": f"page-{number + 1}"}
        glue.answers("get_job_runs", {"JobRuns": runs, **token}, JobName=JOB.name, MaxResults=100, **more)
        more = token
    observed = JobKind().observe(glue.aws, JOB)
    assert observed is not None and observed.facts == {"running": 4}
    glue.done()


def test_counting_runs_has_an_end() -> None:
    glue = Canned("glue")
    glue.answers("get_job", {"Job": {"Name": JOB.name}})
    glue.answers("get_tags", {"Tags": {}})
    for _ in range(5):
        runs = [{"Id": "jr_1", "JobRunState": "RUNNING"}]
        glue.answers("get_job_runs", {"JobRuns": runs, "NextToken": "more"})
    observed = JobKind().observe(glue.aws, JOB)
    assert observed is not None and observed.facts == {"running": 5}


def test_a_job_that_goes_while_it_is_looked_at_is_not_there() -> None:
    glue = Canned("glue")
    glue.answers("get_job", {"Job": {"Name": JOB.name}})
    glue.refuses("get_tags", "EntityNotFoundException", "Entity not found")
    assert JobKind().observe(glue.aws, JOB) is None


@pytest.mark.parametrize(
    "message",
    [
        "Role arn:aws:iam::1:role/r should be given assume role permissions for Glue Service.",
        "Service is unable to assume provided role. Please verify role's TrustPolicy",
    ],
)
def test_a_role_of_a_moment_ago_is_waited_for(message: str) -> None:
    glue = Canned("glue")
    glue.refuses("create_job", "InvalidInputException", message)
    glue.refuses("create_job", "InvalidInputException", message)
    glue.answers("create_job", {"Name": JOB.name})
    JobKind().create(glue.aws, JOB)
    assert len(glue.slept_s) == 2
    glue.done()


def test_what_glue_does_not_like_is_not_asked_twice() -> None:
    glue = Canned("glue")
    glue.refuses("create_job", "InvalidInputException", "Number of workers is too small")
    with pytest.raises(ClientError, match="too small"):
        JobKind().create(glue.aws, JOB)
    assert glue.slept_s == []


def test_an_update_against_another_one_looks_again_before_it_writes() -> None:
    glue = Canned("glue")
    live = {"Name": JOB.name, "Role": "r", "Command": {"Name": "glueetl"}, "MaxRetries": 0}
    glue.answers("get_job", {"Job": live})
    glue.refuses("update_job", "ConcurrentModificationException", "Job was modified")
    glue.answers("get_job", {"Job": {**live, "Description": "new"}})
    update = {"Role": "r", "Command": {"Name": "glueetl"}, "MaxRetries": 0, "Description": "new", "Timeout": 9}
    glue.answers("update_job", {"JobName": JOB.name}, JobName=JOB.name, JobUpdate=update)
    JobKind().update(glue.aws, JOB, change("Timeout", 9))
    glue.done()


def test_a_streaming_job_becomes_one_of_batches() -> None:
    """Without what only streaming jobs have, and without the capacity that Glue derives from the workers."""
    glue = Canned("glue")
    live = {
        "Name": JOB.name,
        "Role": "r",
        "Command": {"Name": "gluestreaming", "ScriptLocation": "s3://b/k"},
        "MaintenanceWindow": "Sun:10",
        "WorkerType": "G.1X",
        "NumberOfWorkers": 2,
        "MaxCapacity": 2.0,
        "AllocatedCapacity": 2,
        "Description": "",
        "DefaultArguments": {"--gone": "1", "--kept": "2"},
    }
    glue.answers("get_job", {"Job": live})
    expected = {
        "Role": "r",
        "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k"},
        "WorkerType": "G.1X",
        "NumberOfWorkers": 2,
        "DefaultArguments": {"--kept": "2"},
    }
    glue.answers("update_job", {"JobName": JOB.name}, JobName=JOB.name, JobUpdate=expected)
    changes = [*change("Command.Name", "glueetl"), *change("DefaultArguments.--gone", ABSENT)]
    JobKind().update(glue.aws, JOB, changes)
    glue.done()
