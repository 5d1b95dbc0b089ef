"""Removing an environment: what is there with its counts, and what of it may go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ndjctl.deploy.kinds.base import Aws, Resource, found
from ndjctl.deploy.model import ENVIRONMENT_TAG, Observed, Plan, Step, other_owner

COUNTED_PAGES = 100
"""Pages that are counted of a bucket (a thousand objects each) or a table (a megabyte each); a larger one is told as
'more than'."""

Fate = Literal[
    "goes",
    "stays: it holds data",
    "stays: others keep objects in it",
    "stays: it is not this environment's",
    "stays: ndjctl did not make it",
]
_NOT_OURS: tuple[Fate, ...] = ("stays: it is not this environment's", "stays: ndjctl did not make it")


@dataclass(frozen=True)
class Contents:
    """What is in a resource: objects, items or messages, and their bytes where those can be told. count: None where
    there are bytes alone, as of a log. older_versions, unfinished_uploads: of a bucket, besides. is_more: there is more
    than was counted. of_others: objects of a bucket that is not ours alone, outside our folder of it."""

    count: int | None
    size_bytes: int | None = None
    older_versions: int = 0
    unfinished_uploads: int = 0
    is_more: bool = False
    of_others: int = 0

    @property
    def is_data(self) -> bool:
        return bool(self.count or self.size_bytes or self.older_versions or self.unfinished_uploads)


@dataclass(frozen=True)
class Item:
    """One resource that is there, and what is in it, where something can be. owner: the other environment that it is
    tagged with."""

    resource: Resource
    observed: Observed
    fate: Fate
    contents: Contents | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Destruction:
    """What is there, and how many runs are under way."""

    items: tuple[Item, ...]
    running: int

    @property
    def going(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.fate == "goes")

    @property
    def owned(self) -> tuple[Item, ...]:
        """What another environment owns."""
        return tuple(item for item in self.items if item.owner is not None)

    @property
    def plan(self) -> Plan:
        """The removal as a plan; an Execution carries it out from the last to the first."""
        return Plan(tuple(Step(item.resource, item.observed, "delete") for item in self.going))


def survey(
    resources: Sequence[Resource],
    observed: Mapping[str, Observed | None],
    aws: Aws,
    *,
    deletes_data: bool,
    tell: Callable[[str], None] = lambda _text: None,
) -> Destruction:
    """What is there of `resources` (each after what it needs), with what is in it: counted, up to COUNTED_PAGES. The
    code is part of what the scripts bucket holds. tell: is told what is being counted. Raises boto3's errors."""
    items: list[Item] = []
    for resource in resources:
        there = observed[resource.id]
        if there is None or resource.kind == "artifact" or (resource.kind == "notification" and not there.fields):
            continue
        tell(f"counting {resource.label}")
        item = _item(resource, there, aws, deletes_data)
        items.append(item)
        if item.fate == "stays: others keep objects in it" and deletes_data and item.contents is not None:
            items += _ours_in(item, aws)
    fates = {item.resource.id: item.fate for item in items}
    settled = [replace(item, fate=_inherited(item, fates)) for item in items]
    running = max((item.observed.facts.get("running", 0) for item in items if item.resource.kind == "job"), default=0)
    return Destruction(tuple(settled), running)


def _item(resource: Resource, there: Observed, aws: Aws, deletes_data: bool) -> Item:
    takes_tags = ENVIRONMENT_TAG in resource.fields.get("Tags", {})
    owner = other_owner(resource, there)
    contents = _contents(resource, there, aws)
    fate: Fate = "goes"
    if owner is not None:
        fate = "stays: it is not this environment's"
    elif takes_tags and ENVIRONMENT_TAG not in there.fields.get("Tags", {}):
        fate = "stays: ndjctl did not make it"
    elif contents is not None and contents.is_data and not deletes_data:
        fate = "stays: it holds data"
    elif contents is not None and contents.of_others:
        fate = "stays: others keep objects in it"
    return Item(resource, there, fate, contents, owner)


def _ours_in(item: Item, aws: Aws) -> list[Item]:
    """Of a bucket that others use too, what is ours."""
    if item.contents is None or not item.contents.is_data:
        return []
    place = Resource("objects", f"{item.resource.name}/{our_prefix(item.resource.name, aws)}", {})
    return [Item(place, Observed({}), "goes", replace(item.contents, of_others=0))]


def _inherited(item: Item, fates: Mapping[str, Fate]) -> Fate:
    """What carries no tags is not ours where something that it needs is not; and what needs nothing (a dashboard),
    where anything of these names is another environment's."""
    resource = item.resource
    if item.fate != "goes" or "Tags" in resource.fields or resource.kind == "objects":
        return item.fate
    about = [fates.get(need, "goes") for need in resource.needs] or list(fates.values())
    return next((fate for fate in _NOT_OURS if fate in about and (resource.needs or fate == _NOT_OURS[0])), item.fate)


def _contents(resource: Resource, there: Observed, aws: Aws) -> Contents | None:
    if resource.kind == "bucket":
        return _in_bucket(aws, resource.name)
    if resource.kind == "table":
        return _in_table(aws, resource.name, there)
    if resource.kind == "queue":
        return Contents(there.facts["messages"])
    if resource.kind == "log-group":
        return Contents(None, there.facts["size_bytes"])
    return None


def _in_bucket(aws: Aws, bucket: str) -> Contents:
    s3, prefix = aws.client("s3"), our_prefix(bucket, aws)
    count = size_bytes = older = others = 0
    is_more = False
    for number, page in enumerate(s3.get_paginator("list_object_versions").paginate(Bucket=bucket), start=1):
        for each in page.get("Versions", []):
            is_ours, is_newest = each["Key"].startswith(prefix), each.get("IsLatest", True)
            others += not is_ours
            count += is_ours and is_newest
            older += is_ours and not is_newest
            size_bytes += each["Size"] if is_ours else 0
        older += sum(each["Key"].startswith(prefix) for each in page.get("DeleteMarkers", []))
        if number == COUNTED_PAGES and page.get("IsTruncated"):
            is_more = True
            break
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return Contents(count, size_bytes, older, len(uploads), is_more, others)


def _in_table(aws: Aws, table: str, there: Observed) -> Contents:
    """Counted, because what DescribeTable tells is up to six hours old."""
    dynamodb, count = aws.client("dynamodb"), 0
    more: dict[str, Any] = {}
    for _ in range(COUNTED_PAGES):
        page = found(lambda: dynamodb.scan(TableName=table, Select="COUNT", **more))  # noqa: B023 - called at once
        if page is None:
            break
        count += page["Count"]
        if "LastEvaluatedKey" not in page:
            return Contents(count, there.facts.get("size_bytes", 0) if count else 0)
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    return Contents(max(count, there.facts["items"]), there.facts.get("size_bytes", 0), is_more=True)


def our_prefix(bucket: str, aws: Aws) -> str:
    """What of a bucket is ours: all, but the scripts bucket has the name that Glue gives to everybody's."""
    return f"{aws.names.stack}/" if bucket == aws.names.scripts_bucket else ""
