"""Buckets, what they tell the queue, and the code that is in one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import error_code, is_not_found
from ndjctl.deploy.dangers import is_expiring, objects_under
from ndjctl.deploy.desired.common import by_sid
from ndjctl.deploy.desired.storage import NOTIFICATION_ID
from ndjctl.deploy.kinds.base import (
    Aws,
    FieldChange,
    Kind,
    Observed,
    Resource,
    changed,
    foreign,
    found,
    parsed,
    tag_list,
    tag_map,
    until_accepted,
)
from ndjctl.deploy.kinds.documents import merged_policy
from ndjctl.deploy.model import ABSENT, RETIRED_TAG
from ndjctl.errors import CloudError, UsageError

_BUSY = {"OperationAborted": "", "NoSuchBucket": ""}  # a bucket of this name is being made or removed


class BucketKind(Kind):
    """Lifecycle rules and policy statements of others stay."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        s3, name = aws.client("s3"), resource.name
        try:
            head = s3.head_bucket(Bucket=name)
        except ClientError as error:
            if error_code(error) in ("403", "AccessDenied"):
                raise CloudError(
                    f"The bucket {name} belongs to another account, or these credentials may not see it."
                ) from error
            if is_not_found(error):
                return None
            raise
        _check_region(aws, name, head)
        block = found(lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
        encryption = found(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
        owner = found(lambda: s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"])
        policy = by_sid(parsed(found(lambda: s3.get_bucket_policy(Bucket=name)["Policy"])))
        rules = _rules(s3, name)
        tags = tag_map(found(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"]) or [])
        there = s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount", 0)
        fields = {
            "PublicAccessBlock": block or {},
            "Encryption": _encryption(encryption),
            "ObjectOwnership": owner["Rules"][0]["ObjectOwnership"] if owner else ABSENT,
            "Policy": policy,
            "Lifecycle": {rule["ID"]: _plain(rule) for rule in rules if rule.get("ID")},
            "Tags": tags,
        }
        others = (
            *foreign(policy, resource.fields["Policy"], "policy statements"),
            *foreign([rule.get("ID", "(no id)") for rule in rules], resource.fields["Lifecycle"], "lifecycle rules"),
            *foreign(tags, resource.fields["Tags"], "tags"),
        )
        facts = {"objects": there}
        ours = resource.fields["Lifecycle"].values() if there else ()
        for prefix in {rule["Prefix"] for rule in ours if is_expiring(rule)}:
            page = s3.list_objects_v2(Bucket=name, Prefix=prefix, MaxKeys=1)
            facts[objects_under(prefix)] = page.get("KeyCount", 0)
        return Observed(fields, others, facts)

    def create(self, aws: Aws, resource: Resource) -> None:
        s3, name = aws.client("s3"), resource.name
        # us-east-1 is the one region that S3 does not take by its name.
        place = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        until_accepted(lambda: s3.create_bucket(Bucket=name, **place), {"OperationAborted": ""}, aws.sleep)
        self._set(aws, resource, set(resource.fields))

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        self._set(aws, resource, changed(changes))

    def _set(self, aws: Aws, resource: Resource, parts: set[str]) -> None:
        s3, name, fields = aws.client("s3"), resource.name, resource.fields

        def put(operation: str, **arguments: Any) -> None:
            until_accepted(lambda: getattr(s3, operation)(Bucket=name, **arguments), _BUSY, aws.sleep)

        if "Tags" in parts:  # first: they say whose the bucket is
            tags = tag_map(found(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"]) or [])
            put("put_bucket_tagging", Tagging={"TagSet": tag_list({**tags, **fields["Tags"]})})
        if "PublicAccessBlock" in parts:
            put("put_public_access_block", PublicAccessBlockConfiguration=dict(fields["PublicAccessBlock"]))
        if "ObjectOwnership" in parts:
            rule = {"ObjectOwnership": fields["ObjectOwnership"]}
            put("put_bucket_ownership_controls", OwnershipControls={"Rules": [rule]})
        if "Encryption" in parts:
            wanted = dict(fields["Encryption"])
            bucket_key = wanted.pop("BucketKeyEnabled", False)
            encryption = {"ApplyServerSideEncryptionByDefault": wanted, "BucketKeyEnabled": bucket_key}
            put("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [encryption]})
        if "Policy" in parts:
            text = found(lambda: s3.get_bucket_policy(Bucket=name)["Policy"])
            put("put_bucket_policy", Policy=merged_policy(text, fields["Policy"]))
        if "Lifecycle" in parts:
            others = [rule for rule in _rules(s3, name) if rule.get("ID") not in fields["Lifecycle"]]
            ours = [_full(id_, rule) for id_, rule in fields["Lifecycle"].items() if rule is not ABSENT]
            put("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": others + ours})

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("s3").delete_bucket(Bucket=resource.name))


def _check_region(aws: Aws, bucket: str, head: Mapping[str, Any]) -> None:
    """A bucket has one name in all regions, and cannot be moved. head: of HeadBucket. Raises UsageError."""
    told = head["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
    region = told or _location(aws.client("s3").get_bucket_location(Bucket=bucket).get("LocationConstraint"))
    if region != aws.region:
        raise UsageError(
            f"The bucket {bucket} lies in {region}, and this environment is to be in {aws.region}: say --set "
            f"region={region}, or give the environment in {aws.region} names of its own ('suffix' in its profile, or "
            f"--set suffix=...); nothing was changed, and a bucket cannot be taken over from another region."
        )


def _location(constraint: str | None) -> str:
    """The region that GetBucketLocation means (Amazon S3 API reference): the first two have names of old."""
    return {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}.get(constraint, str(constraint))


def _encryption(configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    rules = (configuration or {}).get("Rules", [])
    if not rules:
        return {}
    return {
        **rules[0].get("ApplyServerSideEncryptionByDefault", {}),
        "BucketKeyEnabled": rules[0].get("BucketKeyEnabled", False),
    }


def _rules(s3: Any, bucket: str) -> list[dict[str, Any]]:
    return list(found(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]) or [])


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as it is desired: its prefix wherever S3 put it, and beside it the tags that it asks for."""
    inner = dict(rule)
    inner.pop("ID", None)
    filter_ = inner.pop("Filter", {})
    both = {key: value for key, value in filter_.get("And", {}).items() if (key, value) != ("ObjectSizeGreaterThan", 0)}
    if set(filter_) == {"And"} and set(both) == {"Prefix", "Tags"}:
        inner |= {"Prefix": both["Prefix"], "Tags": tag_map(both["Tags"])}
    elif set(filter_) <= {"Prefix"}:
        inner["Prefix"] = filter_.get("Prefix", inner.get("Prefix", ""))
    else:
        inner["Filter"] = filter_
        inner["Prefix"] = ABSENT
    return inner


def _full(id_: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    inner = dict(rule)
    filter_: dict[str, Any] = {"Prefix": inner.pop("Prefix")}
    tags = inner.pop("Tags", None)
    return {"ID": id_, "Filter": {"And": {**filter_, "Tags": tag_list(tags)}} if tags else filter_, **inner}


class NotificationKind(Kind):
    """Ours is what carries our id, and whatever else of the bucket goes to our queue: S3 takes no two that overlap. All
    other configurations stay."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        current = self._current(aws, resource.name)
        if current is None:
            return None
        ours, theirs = self._split(current, resource)
        # Ids, never what they carry: an ARN may name another account.
        other_ids = [str(q.get("Id", "(no id)")) for q in theirs]
        for section in ("TopicConfigurations", "LambdaFunctionConfigurations"):
            other_ids += [str(each.get("Id", "(no id)")) for each in current.get(section, [])]
        others: tuple[str, ...] = (f"notifications: {', '.join(sorted(other_ids))}",) if other_ids else ()
        if "EventBridgeConfiguration" in current:
            others += ("notifications: EventBridge",)
        if not ours:
            return Observed({}, others) if others else None
        if len(ours) > 1:
            return Observed({"QueueArn": f"{len(ours)} configurations for the queue"}, others)
        rules = ours[0].get("Filter", {}).get("Key", {}).get("FilterRules", [])
        fields = {
            "QueueArn": ours[0]["QueueArn"],
            "Events": sorted(ours[0]["Events"]),
            "Filter": {str(rule["Name"]).lower(): rule["Value"] for rule in rules},
        }
        return Observed(fields, others)

    def create(self, aws: Aws, resource: Resource) -> None:
        self._put(aws, resource, is_there=True)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        self._put(aws, resource, is_there=True)

    def delete(self, aws: Aws, resource: Resource) -> None:
        self._put(aws, resource, is_there=False)

    def _put(self, aws: Aws, resource: Resource, *, is_there: bool) -> None:
        current = self._current(aws, resource.name)
        if current is None and not is_there:
            return
        current = current or {}
        _, theirs = self._split(current, resource)
        rules = [{"Name": name, "Value": value} for name, value in resource.fields["Filter"].items()]
        ours = {
            "Id": NOTIFICATION_ID,
            "QueueArn": resource.fields["QueueArn"],
            "Events": resource.fields["Events"],
            "Filter": {"Key": {"FilterRules": rules}},
        }
        current["QueueConfigurations"] = [*theirs, ours] if is_there else theirs
        s3 = aws.client("s3")
        # The queue's policy counts some seconds after it was set, and a new bucket is not known everywhere.
        until_accepted(
            lambda: s3.put_bucket_notification_configuration(Bucket=resource.name, NotificationConfiguration=current),
            {"InvalidArgument": "destination", "NoSuchBucket": "", "OperationAborted": ""},
            aws.sleep,
        )

    def _current(self, aws: Aws, bucket: str) -> dict[str, Any] | None:
        current = found(lambda: aws.client("s3").get_bucket_notification_configuration(Bucket=bucket))
        if current is not None:
            current.pop("ResponseMetadata", None)
        return current  # type: ignore[no-any-return]

    def _split(self, current: Mapping[str, Any], resource: Resource) -> tuple[list[Any], list[Any]]:
        queues = current.get("QueueConfigurations", [])
        queue_arn = resource.fields["QueueArn"]
        ours = [q for q in queues if q.get("Id") == NOTIFICATION_ID or q.get("QueueArn") == queue_arn]
        return ours, [q for q in queues if q not in ours]


class ArtifactKind(Kind):
    """One file of a bundle; its name is bucket/key. It is read to be compared: metadata would be believed. Retired: as
    the tag says, ABSENT without it."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        s3 = aws.client("s3")
        bucket, key = resource.name.split("/", 1)
        there = found(lambda: s3.get_object(Bucket=bucket, Key=key))
        if there is None:
            return None
        digest = hashlib.sha256()
        for chunk in there["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
        tags = self._tags(s3, bucket, key) if there.get("TagCount") else {}
        return Observed({"Sha256": digest.hexdigest(), "Retired": tags.get(RETIRED_TAG, ABSENT)})

    def create(self, aws: Aws, resource: Resource) -> None:
        bucket, key = resource.name.split("/", 1)
        try:
            body = aws.artifact(resource.fields["Sha256"])
        except KeyError:
            raise CloudError(
                f"The code of that deployment is gone: s3://{bucket}/{key} is not there any more, and this version of "
                f"ndjctl has other code."
            ) from None
        until_accepted(lambda: aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body), _BUSY, aws.sleep)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        if "Sha256" in changed(changes):
            self.create(aws, resource)  # without any tag
            return
        s3 = aws.client("s3")
        bucket, key = resource.name.split("/", 1)
        kept = {name: value for name, value in self._tags(s3, bucket, key).items() if name != RETIRED_TAG}
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tag_list(kept)})

    def _tags(self, s3: Any, bucket: str, key: str) -> dict[str, str]:
        return tag_map(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])

    def delete(self, aws: Aws, resource: Resource) -> None:
        bucket, key = resource.name.split("/", 1)
        found(lambda: aws.client("s3").delete_object(Bucket=bucket, Key=key))
