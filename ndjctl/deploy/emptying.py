"""How resources are removed together with what is in them, or only where nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ndjctl.deploy.kinds.base import Aws, FieldChange, Kind, Observed, Resource, found, poll
from ndjctl.deploy.kinds.buckets import BucketKind
from ndjctl.deploy.kinds.jobs import JobKind
from ndjctl.errors import CloudError

_OPEN_STATES = ("STARTING", "RUNNING", "STOPPING", "WAITING")
_WHAT = {"objects": "objects", "items": "items", "messages": "messages", "running": "runs under way"}
"""Facts of a resource that speak against its removal."""
_LOG = {"size_bytes": "lines"}


def kinds_for_destruction(
    kinds: Mapping[str, Kind], *, deletes_data: bool, stops_runs: bool = False
) -> Mapping[str, Kind]:
    """The kinds, as they are removed: what holds data is emptied first, or else stays; runs are stopped, or else the
    job stays."""
    result = dict(kinds)
    if deletes_data:
        result |= {"bucket": EmptyingBucketKind(), "objects": ObjectsKind()}
    else:
        result |= {name: EmptyKind(kinds[name]) for name in ("bucket", "table", "queue")}
        result["log-group"] = EmptyKind(kinds["log-group"], _LOG)
    result["job"] = StoppingJobKind() if stops_runs else EmptyKind(kinds["job"])
    return result


@dataclass(frozen=True)
class EmptyKind(Kind):
    """Removes only what is empty at that moment: something may have come since it was looked at. what: the facts that
    tell, and the words for what they count."""

    inner: Kind
    what: Mapping[str, str] = field(default_factory=lambda: _WHAT)

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        return self.inner.observe(aws, resource)

    def create(self, aws: Aws, resource: Resource) -> None:
        self.inner.create(aws, resource)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        self.inner.update(aws, resource, changes)

    def delete(self, aws: Aws, resource: Resource) -> None:
        there = self.inner.observe(aws, resource)
        facts = {} if there is None else there.facts
        held = [what for fact, what in self.what.items() if facts.get(fact, 0)]
        if held:
            raise CloudError(f"It has {held[0]} by now, and stays.")
        self.inner.delete(aws, resource)


class EmptyingBucketKind(BucketKind):
    """Removes a bucket with everything in it."""

    def delete(self, aws: Aws, resource: Resource) -> None:
        if found(lambda: aws.client("s3").head_bucket(Bucket=resource.name)) is None:
            return
        empty(aws, resource.name, "")
        super().delete(aws, resource)


class ObjectsKind(Kind):
    """What is under a prefix of a bucket that is not ours alone; its name is bucket/prefix."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        bucket, prefix = resource.name.split("/", 1)
        page = found(lambda: aws.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=1)) or {}
        return Observed({}) if page.get("Versions") or page.get("DeleteMarkers") else None

    def create(self, aws: Aws, resource: Resource) -> None:
        raise NotImplementedError

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        raise NotImplementedError

    def delete(self, aws: Aws, resource: Resource) -> None:
        empty(aws, *resource.name.split("/", 1))


class StoppingJobKind(JobKind):
    """Removes a job once its runs are stopped. By then what starts runs is gone, where plans are carried out from the
    last to the first."""

    def delete(self, aws: Aws, resource: Resource) -> None:
        if found(lambda: aws.client("glue").get_job(JobName=resource.name)) is None:
            return
        stop_runs(aws, resource.name)
        super().delete(aws, resource)


def empty(aws: Aws, bucket: str, prefix: str) -> None:
    """Removes every object, every version and every unfinished upload under a prefix. Raises CloudError for one that
    cannot be removed."""
    s3, deleted = aws.client("s3"), 0
    for batch in _versions(s3, bucket, prefix):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for error in answer.get("Errors", []):
            raise CloudError(f"s3://{bucket}/{error.get('Key')} cannot be deleted ({error.get('Code')}).")
        deleted += len(batch)
        aws.tell(f"{deleted:,} objects deleted")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            key, id_ = upload["Key"], upload["UploadId"]
            found(partial(s3.abort_multipart_upload, Bucket=bucket, Key=key, UploadId=id_))


def _versions(s3: Any, bucket: str, prefix: str) -> Iterator[list[dict[str, str]]]:
    """Every object, every version of it and every mark of a deletion, a thousand at most at a time."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        batch = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
        if batch:
            yield batch


def stop_runs(aws: Aws, job: str, timeout_s: float = 600) -> int:
    """Stops every run of the job and returns how many there were, once none is left. Raises CloudError after
    timeout_s."""
    glue = aws.client("glue")
    stopped = _open_runs(glue, job)
    for start in range(0, len(stopped), 25):  # what BatchStopJobRun takes at once
        glue.batch_stop_job_run(JobName=job, JobRunIds=stopped[start : start + 25])
    if stopped:
        aws.tell(f"stopping {len(stopped)} runs")
    try:
        poll(lambda: not _open_runs(glue, job), job, aws.sleep, timeout_s)
    except CloudError:
        raise CloudError(f"Its runs were stopped, and some are not over after {timeout_s:g} s.") from None
    return len(stopped)


def _open_runs(glue: Any, job: str) -> list[str]:
    runs: list[str] = []
    for page in glue.get_paginator("get_job_runs").paginate(JobName=job):
        fresh = [run["Id"] for run in page["JobRuns"] if run["JobRunState"] in _OPEN_STATES]
        runs += fresh
        if not fresh:  # the newest come first
            break
    return runs
