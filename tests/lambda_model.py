"""DynamoDB and S3 as the manifest builder knows them, in memory: hundreds of times faster than a mock of the wire, and
able to let an index lag. Only the requests that the function makes; anything else raises.

tests/functional/test_lambda_pipeline.py runs one story here and on moto and compares the ledgers.
"""

from __future__ import annotations

import copy
import hashlib
import io
import math
import re
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from heapq import nsmallest
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.contracts import STATUS_INDEX

Key = tuple[str, ...]
Item = dict[str, Any]

_ITEM_LIMIT = 400 * 1024
LAST_MODIFIED = datetime(2026, 3, 14, 11, 59, 59, tzinfo=timezone.utc)
"""Of every object."""


def client_error(code: str, operation: str, status: int = 400, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(response, operation)


class ModelDynamoDB:
    """Tables are named {table: (hash key, range key)}; STATUS_INDEX is (status, upload_time)."""

    def __init__(self, tables: dict[str, tuple[str, str]]) -> None:
        self._keys = tables
        self.tables: dict[str, dict[Key, Item]] = {name: {} for name in tables}
        self.index_lag = 0
        """How many of the latest writes the index does not show yet."""
        self.keys_per_read = 2
        """BatchGetItem leaves the keys beyond these unprocessed, so that they must be asked for again."""
        self._writes: list[tuple[str, Key, Item | None]] = []
        self._index: dict[str, dict[Key, Item]] = {name: {} for name in tables}
        self._indexed = 0

    # --- calls

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool) -> Item:
        item = self.tables[TableName].get(self._key(TableName, Key))
        return {"Item": copy.deepcopy(item)} if item else {}

    def put_item(self, TableName: str, Item: Item, **condition: Any) -> Item:
        self._apply("PutItem", [lambda: self._put(TableName, Item, condition)])
        return {}

    def update_item(self, TableName: str, Key: Item, ReturnValues: str = "NONE", **expression: Any) -> Item:
        self._apply("UpdateItem", [lambda: self._update(TableName, Key, expression)])
        return {"Attributes": copy.deepcopy(self.tables[TableName][self._key(TableName, Key)])}

    def transact_write_items(self, TransactItems: list[Item]) -> Item:
        assert 1 <= len(TransactItems) <= 100
        actions = [action for each in TransactItems for action in each.items()]
        keys = [self._key(body["TableName"], body.get("Key") or body["Item"]) for _, body in actions]
        named = [(body["TableName"], key) for (_, body), key in zip(actions, keys, strict=True)]
        assert len(set(named)) == len(named), "an item appears twice in one transaction"
        self._apply("TransactWriteItems", [self._action(kind, dict(body)) for kind, body in actions])
        return {}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Item:
        found: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        for table, request in RequestItems.items():
            wanted = [self._key(table, key) for key in request["Keys"]]
            assert request["ConsistentRead"] and 1 <= len(wanted) <= 100 and len(set(wanted)) == len(wanted)
            served = [key for key in wanted[: self.keys_per_read] if key in self.tables[table]]
            found[table] = [self._project(self.tables[table][key], request) for key in served]
            if wanted[self.keys_per_read :]:
                left[table] = {**request, "Keys": request["Keys"][self.keys_per_read :]}
        return {"Responses": found, "UnprocessedKeys": left}

    def query(self, TableName: str, Limit: int, IndexName: str = "", **request: Any) -> Item:
        if IndexName:
            assert IndexName == STATUS_INDEX and "ConsistentRead" not in request
            items, hash_name, range_name = self._caught_up(TableName), "status", "upload_time"
        else:
            items, (hash_name, range_name) = self.tables[TableName], self._keys[TableName]
        name, value = request["KeyConditionExpression"].split(" = ")
        assert request["ExpressionAttributeNames"][name] == hash_name
        wanted = request["ExpressionAttributeValues"][value]
        after = tuple(request.get("ExclusiveStartKey", {}).get("position", ()))
        rows = (
            ((item[range_name]["S"], *key), item)
            for key, item in items.items()
            if item.get(hash_name) == wanted and range_name in item
        )
        rest = nsmallest(Limit + 1, (row for row in rows if row[0] > after), key=lambda row: row[0])
        answer: Item = {"Items": [self._project(item, request) for _, item in rest[:Limit]]}
        if rest[Limit:] or len(rest) == Limit:
            answer["LastEvaluatedKey"] = {"position": rest[Limit - 1][0]}
        return answer

    # --- inside

    def _key(self, table: str, item: Item) -> Key:
        return tuple(item[name]["S"] for name in self._keys[table])

    def _caught_up(self, table: str) -> dict[Key, Item]:
        while self._indexed < len(self._writes) - self.index_lag:
            written, key, item = self._writes[self._indexed]
            self._index[written].pop(key, None)
            if item is not None:
                self._index[written][key] = item
            self._indexed += 1
        return self._index[table]

    def _apply(self, operation: str, actions: list[Callable[[], tuple[str, Key, Item | None] | None]]) -> None:
        """Each action returns what it writes; None: its condition failed."""
        outcomes = [action() for action in actions]
        if None in outcomes:
            if operation != "TransactWriteItems":
                raise client_error("ConditionalCheckFailedException", operation)
            codes = ["ConditionalCheckFailed" if outcome is None else "None" for outcome in outcomes]
            reasons = [{"Code": code} for code in codes]
            raise client_error("TransactionCanceledException", operation, CancellationReasons=reasons)
        for outcome in outcomes:
            assert outcome is not None
            table, key, item = outcome
            assert item is None or len(repr(item)) < _ITEM_LIMIT
            self.tables[table].pop(key, None)
            if item is not None:
                self.tables[table][key] = item
            self._writes.append((table, key, copy.deepcopy(item)))

    def _action(self, kind: str, body: Item) -> Callable[[], tuple[str, Key, Item | None] | None]:
        table = body.pop("TableName")
        if kind == "Put":
            return lambda: self._put(table, body["Item"], body)
        key = body["Key"]
        if kind == "Update":
            return lambda: self._update(table, key, body)
        item_key = self._key(table, key)
        kept = {"Delete": lambda: None, "ConditionCheck": lambda: self.tables[table].get(item_key)}[kind]
        return lambda: (table, item_key, kept()) if self._holds(table, item_key, body) else None

    def _put(self, table: str, item: Item, condition: Item) -> tuple[str, Key, Item | None] | None:
        key = self._key(table, item)
        return (table, key, copy.deepcopy(item)) if self._holds(table, key, condition) else None

    def _update(self, table: str, key: Item, expression: Item) -> tuple[str, Key, Item | None] | None:
        item_key = self._key(table, key)
        if not self._holds(table, item_key, expression):
            return None
        item = copy.deepcopy(self.tables[table].get(item_key)) or dict(key)
        names, values = expression.get("ExpressionAttributeNames", {}), expression.get("ExpressionAttributeValues", {})
        clauses = re.split(r"\b(SET|REMOVE|ADD) ", expression["UpdateExpression"])[1:]
        for verb, body in zip(clauses[::2], clauses[1::2], strict=True):
            for part in body.strip().split(", "):
                words = part.split(" ")
                name = names.get(words[0], words[0])
                if verb == "SET":
                    item[name] = copy.deepcopy(values[words[2]])
                elif verb == "REMOVE":
                    item.pop(name, None)
                else:
                    old = Decimal(item.get(name, {"N": "0"})["N"])
                    item[name] = {"N": str(old + Decimal(values[words[1]]["N"]))}
        return table, item_key, item

    def _holds(self, table: str, key: Key, expression: Item) -> bool:
        condition = expression.get("ConditionExpression")
        if condition is None:
            return True
        item = self.tables[table].get(key, {})
        names, values = expression["ExpressionAttributeNames"], expression.get("ExpressionAttributeValues", {})

        def clause(text: str) -> bool:
            if match := re.fullmatch(r"attribute_not_exists\((\S+)\)", text):
                return names[match[1]] not in item
            if match := re.fullmatch(r"(\S+) IN \((.+)\)", text):
                return item.get(names[match[1]]) in [values[each] for each in match[2].split(", ")]
            name, operator, value = text.split(" ")
            held, wanted = item.get(names[name]), values[value]
            if operator == "=":
                return bool(held == wanted)
            assert operator == "<"
            return held is not None and Decimal(held["N"]) < Decimal(wanted["N"])

        return any(all(clause(each) for each in side.split(" AND ")) for side in condition.split(" OR "))

    @staticmethod
    def _project(item: Item, request: Item) -> Item:
        if "ProjectionExpression" not in request:
            return copy.deepcopy(item)
        names = [request["ExpressionAttributeNames"][each] for each in request["ProjectionExpression"].split(", ")]
        return copy.deepcopy({name: item[name] for name in names if name in item})


class ModelCloudWatch:
    """Takes what CloudWatch would take. calls: (namespace, {(metric, dimensions): its datum}) of each call. on_call:
    told of each of them."""

    UNITS = ("Seconds", "Count")

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[tuple[str, tuple[str, ...]], Item]]] = []
        self.refuse_with: Exception | None = None
        self.on_call: Callable[[str, list[Item]], None] = lambda namespace, data: None

    def put_metric_data(self, Namespace: str, MetricData: list[Item]) -> Item:
        if self.refuse_with:
            raise self.refuse_with
        assert re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", Namespace) and not Namespace.startswith(("AWS/", ":"))
        data = {}
        for datum in MetricData:
            assert set(datum) == {"MetricName", "Dimensions", "Timestamp", "Value", "Unit"}
            assert datum["Timestamp"].tzinfo is not None and datum["Unit"] in self.UNITS
            assert isinstance(datum["Value"], float) and math.isfinite(datum["Value"])
            dimensions = tuple(f"{each['Name']}={each['Value']}" for each in datum["Dimensions"])
            assert all(1 <= len(each["Value"]) <= 1024 and each["Value"].isascii() for each in datum["Dimensions"])
            data[datum["MetricName"], dimensions] = datum
        assert len(data) == len(MetricData) > 0, "one metric appears twice in one call"
        self.calls.append((Namespace, data))
        self.on_call(Namespace, MetricData)
        return {}

    def values(self) -> list[dict[str, float]]:
        """{metric: value} of each call."""
        return [{name: datum["Value"] for (name, _), datum in data.items()} for _, data in self.calls]


class ModelS3:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, tuple[str, str]] = {}
        """Unfinished ones: (bucket, key) by id."""
        self.keys_per_page = 2

    def create_bucket(self, Bucket: str) -> None:
        pass

    def put_object(
        self, Bucket: str, Key: str, Body: bytes, ContentType: str = "", IfNoneMatch: str = "", IfMatch: str = ""
    ) -> Item:
        there = self.objects.get((Bucket, Key))
        if IfMatch and there is None:
            raise client_error("NoSuchKey", "PutObject", 404)
        if there is not None and (IfNoneMatch or (IfMatch and self._etag(there) != IfMatch)):
            raise client_error("PreconditionFailed", "PutObject", 412)
        self.objects[Bucket, Key] = Body
        return {"ETag": self._etag(Body)}

    def head_object(self, Bucket: str, Key: str) -> Item:
        body = self._body(Bucket, Key, "HeadObject")
        return {"ContentLength": len(body), "ETag": self._etag(body), "LastModified": LAST_MODIFIED}

    def get_object(self, Bucket: str, Key: str) -> Item:
        body = self._body(Bucket, Key, "GetObject")
        return {"Body": io.BytesIO(body), "ContentLength": len(body), "ETag": self._etag(body)}

    def copy(self, CopySource: Item, Bucket: str, Key: str, ExtraArgs: Item, Config: Any) -> None:
        body = self._body(CopySource["Bucket"], CopySource["Key"], "HeadObject")
        if ExtraArgs["CopySourceIfMatch"] != self._etag(body):
            raise client_error("412", "HeadObject", 412)
        self.objects[Bucket, Key] = body

    def delete_object(self, Bucket: str, Key: str) -> Item:
        self.objects.pop((Bucket, Key), None)
        return {}

    def delete_objects(self, Bucket: str, Delete: Item) -> Item:
        assert Delete["Quiet"] and 1 <= len(Delete["Objects"]) <= 1000
        for entry in Delete["Objects"]:
            self.objects.pop((Bucket, entry["Key"]), None)
        return {}

    def list_objects_v2(self, Bucket: str, Prefix: str, ContinuationToken: str = "") -> Item:
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        rest = [key for key in keys if key > ContinuationToken]
        page: Item = {"Contents": [{"Key": key} for key in rest[: self.keys_per_page]]} if rest else {}
        more = len(rest) > self.keys_per_page
        token = {"NextContinuationToken": rest[self.keys_per_page - 1]} if more else {}
        return {**page, "IsTruncated": more, **token}

    def list_multipart_uploads(self, Bucket: str, Prefix: str, KeyMarker: str = "", UploadIdMarker: str = "") -> Item:
        found = sorted(
            (key, upload_id)
            for upload_id, (bucket, key) in self.uploads.items()
            if bucket == Bucket and key.startswith(Prefix)
        )
        rest = [each for each in found if each > (KeyMarker, UploadIdMarker)]
        page = rest[: self.keys_per_page]
        more = len(rest) > len(page)
        markers = {"NextKeyMarker": page[-1][0], "NextUploadIdMarker": page[-1][1]} if more else {}
        return {"Uploads": [{"Key": key, "UploadId": id_} for key, id_ in page], "IsTruncated": more, **markers}

    def create_multipart_upload(self, Bucket: str, Key: str) -> Item:
        self.uploads[f"upload-{len(self.uploads)}"] = (Bucket, Key)
        return {"UploadId": f"upload-{len(self.uploads) - 1}"}

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> Item:
        if self.uploads.pop(UploadId, None) is None:
            raise client_error("NoSuchUpload", "AbortMultipartUpload", 404)
        return {}

    def _body(self, bucket: str, key: str, operation: str) -> bytes:
        if (bucket, key) not in self.objects:
            raise client_error("404" if operation == "HeadObject" else "NoSuchKey", operation, 404)
        return self.objects[bucket, key]

    @staticmethod
    def _etag(body: bytes) -> str:
        return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
