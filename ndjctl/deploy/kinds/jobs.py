"""The Glue job, and the connections through which its workers are in a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ndjctl.deploy.kinds.base import Aws, Kind, changed, foreign, found, until_accepted
from ndjctl.deploy.kinds.merging import asked_for, entries, outside, overlaid, present, settable
from ndjctl.deploy.model import FieldChange, Observed, Resource

_OPEN_STATES: Final = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
_RUNS_PAGE: Final = 100
_MOST_PAGES: Final = 5  # of runs, newest first: the open ones are among the first, and thousands may follow

_RETRYABLE: Final = {
    # "Role ... should be given assume role permissions for Glue Service", "Service is unable to assume role ...":
    # a role of a moment ago, or its trust.
    "InvalidInputException": "assume",
    "ConcurrentModificationException": "",
}

_OTHER_SETTINGS: Final = (
    "Description",
    "Connections",
    "NonOverridableArguments",
    "SecurityConfiguration",
    "NotificationProperty",
    "LogUri",
    "MaintenanceWindow",
    "CodeGenConfigurationNodes",
    "SourceControlDetails",
)
"""What somebody else may have set in a job. The rest of its fields Glue fills in itself."""


class JobKind(Kind):
    """Fields are those of JobUpdate, and Tags. facts: `running`, the runs that are not over."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        observed: Observed | None = found(lambda: _observed_job(aws, resource))
        return observed

    def create(self, aws: Aws, resource: Resource) -> None:
        glue = aws.client("glue")
        definition = present(resource.fields)
        until_accepted(lambda: glue.create_job(Name=resource.name, **definition), _RETRYABLE, aws.sleep)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        glue = aws.client("glue")
        of_definition = outside(changes, "Tags")

        def replace() -> None:
            job = glue.get_job(JobName=resource.name)["Job"]
            glue.update_job(JobName=resource.name, JobUpdate=_job_update(glue, job, of_definition))

        if of_definition:
            until_accepted(replace, _RETRYABLE, aws.sleep)
        if "Tags" in changed(changes):
            tags, gone = entries(changes, "Tags")
            until_accepted(
                lambda: glue.tag_resource(ResourceArn=_job_arn(aws, resource), TagsToAdd=tags), _RETRYABLE, aws.sleep
            )
            if gone:
                glue.untag_resource(ResourceArn=_job_arn(aws, resource), TagsToRemove=gone)

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("glue").delete_job(JobName=resource.name))


def _job_arn(aws: Aws, resource: Resource) -> str:
    return aws.arn("glue", f"job/{resource.name}")


def _observed_job(aws: Aws, resource: Resource) -> Observed:
    glue = aws.client("glue")
    job = glue.get_job(JobName=resource.name)["Job"]
    tags = glue.get_tags(ResourceArn=_job_arn(aws, resource)).get("Tags", {})
    arguments = job.get("DefaultArguments", {})
    fields = {
        **asked_for(resource, job),
        "Role": _role_arn(aws, job.get("Role", "")),
        "Command": job.get("Command", {}),
        "ExecutionProperty": job.get("ExecutionProperty", {}),
        "DefaultArguments": arguments,
        "Tags": tags,
    }
    others = [name for name in _OTHER_SETTINGS if job.get(name)]
    return Observed(
        fields,
        (
            *foreign(arguments, resource.fields.get("DefaultArguments", {}), "arguments"),
            *foreign(others, resource.fields, "settings"),
            *foreign(tags, resource.fields.get("Tags", {}), "tags"),
        ),
        {"running": _open_runs(glue, resource.name)},
    )


def _role_arn(aws: Aws, role: str) -> str:
    """Glue takes a role by its name as well, and gives back what it was given."""
    return role if not role or role.startswith("arn:") else f"arn:aws:iam::{aws.account_id}:role/{role}"


def _open_runs(glue: Any, job: str) -> int:
    """Runs that are not over. Bounded: it stops at the first page without one."""
    count = 0
    more: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        page = glue.get_job_runs(JobName=job, MaxResults=_RUNS_PAGE, **more)
        open_here = sum(run.get("JobRunState") in _OPEN_STATES for run in page.get("JobRuns", []))
        count += open_here
        if not open_here or not page.get("NextToken"):
            break
        more = {"NextToken": page["NextToken"]}
    return count


def _job_update(glue: Any, job: Mapping[str, Any], changes: Sequence[FieldChange]) -> dict[str, Any]:
    """A JobUpdate with `changes`, and otherwise what the job has: whatever is left out of one is lost."""
    update = overlaid(settable(job, glue.meta.service_model.shape_for("JobUpdate")), changes)
    if "WorkerType" in update:
        # Glue derives both from the workers, and refuses them beside the workers.
        update.pop("MaxCapacity", None)
    update.pop("AllocatedCapacity", None)  # the old name of MaxCapacity, and derived from it
    if update.get("Command", {}).get("Name") != "gluestreaming":
        update.pop("MaintenanceWindow", None)  # only streaming jobs have one
    return update


class ConnectionKind(Kind):
    """Fields are those of ConnectionInput, security groups sorted."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        glue = aws.client("glue")
        # Without its password: who looks at a plan need not be allowed to decrypt it.
        answer = found(lambda: glue.get_connection(Name=resource.name, HidePassword=True))
        if answer is None:
            return None
        connection = answer["Connection"]
        requirements = dict(connection.get("PhysicalConnectionRequirements", {}))
        if "SecurityGroupIdList" in requirements:
            requirements["SecurityGroupIdList"] = sorted(requirements["SecurityGroupIdList"])
        others = [name for name in ("Description", "MatchCriteria", "ConnectionProperties") if connection.get(name)]
        fields = asked_for(resource, {**connection, "PhysicalConnectionRequirements": requirements})
        return Observed(fields, foreign(others, resource.fields, "settings"))

    def create(self, aws: Aws, resource: Resource) -> None:
        # A connection to a network has no properties, and Glue wants them all the same.
        wanted = {"Name": resource.name, "ConnectionProperties": {}, **present(resource.fields)}
        aws.client("glue").create_connection(ConnectionInput=wanted)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        glue = aws.client("glue")

        def replace() -> None:
            # With its password, where it has one: whatever is left out is lost.
            connection = glue.get_connection(Name=resource.name)["Connection"]
            kept = settable(connection, glue.meta.service_model.shape_for("ConnectionInput"))
            wanted = overlaid({"ConnectionProperties": {}, **kept}, changes)
            glue.update_connection(Name=resource.name, ConnectionInput=wanted)

        until_accepted(replace, _RETRYABLE, aws.sleep)

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("glue").delete_connection(ConnectionName=resource.name))
