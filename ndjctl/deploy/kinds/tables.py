"""DynamoDB tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ndjctl.deploy.kinds.base import (
    Aws,
    FieldChange,
    Kind,
    Observed,
    Resource,
    changed,
    foreign,
    found,
    poll,
    tag_list,
    tag_map,
    until_accepted,
)
from ndjctl.deploy.model import ABSENT

_UNDER_CHANGE = {"ResourceInUseException": "", "LimitExceededException": ""}
"""The table or another one is being changed; DynamoDB takes one change of a table at a time."""
_NOT_YET = {**_UNDER_CHANGE, "ContinuousBackupsUnavailableException": "", "TableNotFoundException": ""}


class TableKind(Kind):
    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        dynamodb, name = aws.client("dynamodb"), resource.name
        table = found(lambda: dynamodb.describe_table(TableName=name)["Table"])
        if table is None:
            return None
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        arn = aws.arn("dynamodb", f"table/{name}")
        tags = tag_map(dynamodb.list_tags_of_resource(ResourceArn=arn).get("Tags", []))
        indexes = {
            index["IndexName"]: {
                "KeySchema": _keys(index["KeySchema"]),
                "ProjectionType": index.get("Projection", {}).get("ProjectionType"),
            }
            for index in table.get("GlobalSecondaryIndexes", [])
            if index.get("IndexStatus") != "DELETING"
        }
        is_expiring = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        fields = {
            "KeySchema": _keys(table["KeySchema"]),
            "Indexes": indexes,
            "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "TimeToLive": ttl.get("AttributeName", ABSENT) if is_expiring else ABSENT,
            "PointInTimeRecovery": recovery == "ENABLED",
            "DeletionProtectionEnabled": bool(table.get("DeletionProtectionEnabled", False)),
            "KMSMasterKeyArn": table.get("SSEDescription", {}).get("KMSMasterKeyArn", ABSENT),
            "Tags": tags,
        }
        others = (
            *foreign(indexes, resource.fields["Indexes"], "indexes"),
            *foreign(tags, resource.fields["Tags"], "tags"),
        )
        # ItemCount is up to six hours old on AWS: enough to tell an empty table from one in use, with a look besides.
        items = table.get("ItemCount", 0) or dynamodb.scan(TableName=name, Limit=1, Select="COUNT")["Count"]
        return Observed(fields, others, {"items": items, "size_bytes": table.get("TableSizeBytes", 0)})

    def create(self, aws: Aws, resource: Resource) -> None:
        dynamodb, name, fields = aws.client("dynamodb"), resource.name, resource.fields
        indexes = [_index(index, wanted) for index, wanted in fields["Indexes"].items()]
        until_accepted(
            lambda: dynamodb.create_table(
                TableName=name,
                KeySchema=_schema(fields["KeySchema"]),
                AttributeDefinitions=_definitions(fields),
                BillingMode=fields["BillingMode"],
                DeletionProtectionEnabled=fields["DeletionProtectionEnabled"],
                Tags=tag_list(fields["Tags"]),
                **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
                **({"SSESpecification": _sse(fields)} if "KMSMasterKeyArn" in fields else {}),
            ),
            {"LimitExceededException": ""},
            aws.sleep,
        )
        self._wait(aws, name)
        # A new table has no TTL, and no recovery unless it is asked for.
        self._set(aws, resource, {"TimeToLive"} | ({"PointInTimeRecovery"} if fields["PointInTimeRecovery"] else set()))

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        self._wait(aws, resource.name)
        self._set(aws, resource, changed(changes))
        for name in {change.path[1] for change in changes if change.path[0] == "Indexes"}:
            self._index(aws, resource, name)

    def _set(self, aws: Aws, resource: Resource, parts: set[str]) -> None:
        dynamodb, name, fields = aws.client("dynamodb"), resource.name, resource.fields
        if "Tags" in parts:
            arn = aws.arn("dynamodb", f"table/{name}")
            dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(fields["Tags"]))
        settings: dict[str, dict[str, Any]] = {
            "BillingMode": {"BillingMode": fields["BillingMode"]},
            "DeletionProtectionEnabled": {"DeletionProtectionEnabled": fields["DeletionProtectionEnabled"]},
            "KMSMasterKeyArn": {"SSESpecification": _sse(fields)},
        }
        for part, arguments in settings.items():
            if part in parts:
                self._change(aws, name, arguments)
        if "TimeToLive" in parts:
            self._expire(aws, name, fields["TimeToLive"])
        if "PointInTimeRecovery" in parts:
            wanted = {"PointInTimeRecoveryEnabled": fields["PointInTimeRecovery"]}
            until_accepted(
                lambda: dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted),
                _NOT_YET,
                aws.sleep,
            )

    def _change(self, aws: Aws, name: str, arguments: Mapping[str, Any]) -> None:
        dynamodb = aws.client("dynamodb")
        until_accepted(lambda: dynamodb.update_table(TableName=name, **arguments), _UNDER_CHANGE, aws.sleep)
        self._wait(aws, name)

    def _expire(self, aws: Aws, name: str, attribute: str) -> None:
        """TTL on `attribute`. DynamoDB has one attribute at a time, and takes no second setting within an hour."""
        dynamodb = aws.client("dynamodb")
        now = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if now.get("TimeToLiveStatus") == "ENABLED" and now.get("AttributeName") != attribute:
            off = {"Enabled": False, "AttributeName": now["AttributeName"]}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=off)
        on = {"Enabled": True, "AttributeName": attribute}
        until_accepted(
            lambda: dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=on), _NOT_YET, aws.sleep
        )

    def _index(self, aws: Aws, resource: Resource, index: str) -> None:
        """Makes one index as it should be: it is built anew from the table, which loses nothing."""
        dynamodb, name = aws.client("dynamodb"), resource.name
        there = {i["IndexName"] for i in self._table(aws, name).get("GlobalSecondaryIndexes", [])}
        if index in there:
            self._change(aws, name, {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": index}}]})
        create = {"Create": _index(index, resource.fields["Indexes"][index])}
        definitions = {d["AttributeName"]: d for d in self._table(aws, name)["AttributeDefinitions"]}
        definitions |= {d["AttributeName"]: d for d in _definitions(resource.fields)}
        until_accepted(
            lambda: dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=list(definitions.values()),
                GlobalSecondaryIndexUpdates=[create],
            ),
            _UNDER_CHANGE,
            aws.sleep,
        )
        self._wait(aws, name)

    def _table(self, aws: Aws, name: str) -> dict[str, Any]:
        return dict(aws.client("dynamodb").describe_table(TableName=name)["Table"])

    def _wait(self, aws: Aws, name: str) -> None:
        def active() -> bool:
            table = self._table(aws, name)
            indexes = table.get("GlobalSecondaryIndexes", [])
            return table["TableStatus"] == "ACTIVE" and all(i.get("IndexStatus", "ACTIVE") == "ACTIVE" for i in indexes)

        # An index over the items of a week is built in minutes, not in seconds.
        poll(active, f"The table {name}", aws.sleep, timeout_s=3_600)

    def delete(self, aws: Aws, resource: Resource) -> None:
        dynamodb, name = aws.client("dynamodb"), resource.name
        table = found(lambda: dynamodb.describe_table(TableName=name)["Table"])
        if table is None:
            return
        if table["TableStatus"] != "DELETING":
            if table.get("DeletionProtectionEnabled"):
                self._change(aws, name, {"DeletionProtectionEnabled": False})
            until_accepted(lambda: dynamodb.delete_table(TableName=name), _UNDER_CHANGE, aws.sleep)
        gone = f"The table {name} was deleted, but"
        poll(lambda: found(lambda: dynamodb.describe_table(TableName=name)) is None, gone, aws.sleep)


def _keys(schema: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {key["AttributeName"]: key["KeyType"] for key in schema}


def _schema(keys: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]


def _definitions(fields: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every key is text."""
    keys = [*fields["KeySchema"], *(key for index in fields["Indexes"].values() for key in index["KeySchema"])]
    return [{"AttributeName": key, "AttributeType": "S"} for key in dict.fromkeys(keys)]


def _index(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": _schema(wanted["KeySchema"]),
        "Projection": {"ProjectionType": wanted["ProjectionType"]},
    }


def _sse(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": fields.get("KMSMasterKeyArn")}
