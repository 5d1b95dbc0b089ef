"""DynamoDB requests with named conditions, for the low-level client: one form, run alone or in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ndjctl.contracts import MIB, Attr

if TYPE_CHECKING:
    from lambda_handler.services import Invocation

Item = dict[str, Any]
Request = dict[str, Any]

ABSENT = object()
"""In a condition: the attribute does not exist."""

CONDITION_FAILED = "ConditionalCheckFailed"
_RETRYABLE_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_TRANSACTION_ROUNDS = 6
_READ_ROUNDS = 6
_KEYS_PER_READ = 100


class Contended(Exception):
    """Other writers, or throttling, kept a call from its end for longer than it is worth waiting."""


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def size_mb(size_bytes: int) -> Decimal:
    return (Decimal(size_bytes) / MIB).quantize(Decimal("0.000001"))


# --- values


def to_value(value: Any) -> dict[str, Any]:
    """A value in DynamoDB's own form. Raises TypeError for what the ledger does not hold, such as a float."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, Decimal)):
        return {"N": str(value)}
    if isinstance(value, (list, tuple)):
        return {"L": [to_value(each) for each in value]}
    if isinstance(value, Mapping):
        return {"M": to_item(value)}
    if value is None:
        return {"NULL": True}
    raise TypeError(f"the ledger holds no {type(value).__name__}")


def from_value(value: Mapping[str, Any]) -> Any:
    """The inverse of to_value: whole numbers as int, others as Decimal; a type of ours only."""
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content)
        return int(number) if number == number.to_integral_value() else number
    if kind == "L":
        return [from_value(each) for each in content]
    if kind == "M":
        return from_item(content)
    return None if kind == "NULL" else content


def to_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_value(value) for name, value in item.items()}


def from_item(item: Mapping[str, Any]) -> Item:
    return {name: from_value(value) for name, value in item.items()}


def file_key(date: str, key: str) -> Item:
    """Primary key of an item of the tracking table."""
    return {Attr.DATE_PREFIX: date, Attr.FILE_KEY: key}


# --- requests


class _Expression:
    """Gathers names and values under placeholders."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: Item = {}

    def name(self, name: str) -> str:
        placeholder = f"#{name}"
        self.names[placeholder] = name
        return placeholder

    def value(self, value: Any) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def condition(self, when: Mapping[str, Any]) -> str:
        """All clauses hold: equal to a value, one of a tuple, or ABSENT."""
        clauses = []
        for attribute, wanted in when.items():
            name = self.name(attribute)
            if wanted is ABSENT:
                clauses.append(f"attribute_not_exists({name})")
            elif isinstance(wanted, tuple):
                clauses.append(f"{name} IN ({', '.join(self.value(each) for each in wanted)})")
            else:
                clauses.append(f"{name} = {self.value(wanted)}")
        return " AND ".join(clauses)

    def into(self, request: Request) -> Request:
        if self.names:
            request["ExpressionAttributeNames"] = self.names
        if self.values:
            request["ExpressionAttributeValues"] = to_item(self.values)
        return request


def _conditional(request: Request, when: Mapping[str, Any]) -> Request:
    expression = _Expression()
    request["ConditionExpression"] = expression.condition(when)
    return expression.into(request)


def put_request(table: str, item: Item, when: Mapping[str, Any] | None = None) -> Request:
    request: Request = {"TableName": table, "Item": to_item(item)}
    return _conditional(request, when) if when else request


def key_request(table: str, key: Item, when: Mapping[str, Any]) -> Request:
    """For a delete, or for a condition check in a transaction."""
    return _conditional({"TableName": table, "Key": to_item(key)}, when)


def update_request(
    table: str, key: Item, change: Mapping[str, Any], when: Mapping[str, Any], remove: Iterable[str] = ()
) -> Request:
    expression = _Expression()
    sets = ", ".join(f"{expression.name(name)} = {expression.value(value)}" for name, value in change.items())
    removes = ", ".join(expression.name(name) for name in remove)
    clauses = ([f"SET {sets}"] if sets else []) + ([f"REMOVE {removes}"] if removes else [])
    request = {"TableName": table, "Key": to_item(key), "UpdateExpression": " ".join(clauses)}
    request["ConditionExpression"] = expression.condition(when)
    return expression.into(request)


# --- execution


def try_write(inv: Invocation, call: Callable[..., Any], request: Request) -> bool:
    """Runs put_item, update_item or delete_item. False: its condition did not hold and nothing was written. Conflicts
    with transactions are retried; raises Contended when they do not end."""
    for number in range(_TRANSACTION_ROUNDS):
        try:
            call(**request)
            return True
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            if error_code(error) != "TransactionConflictException":
                raise
        back_off(inv, number)
    raise Contended(f"a write met transactions {_TRANSACTION_ROUNDS} times in a row")


def transact(inv: Invocation, actions: Sequence[Request]) -> list[str]:
    """All or nothing. Returns [] when written, else a reason for each action, with CONDITION_FAILED at those whose
    condition did not hold. Conflicts with other transactions are retried; raises Contended when they do not end."""
    for number in range(_TRANSACTION_ROUNDS):
        try:
            inv.services.dynamodb.transact_write_items(TransactItems=list(actions))
            return []
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            reasons = [str(reason.get("Code", "None")) for reason in error.response.get("CancellationReasons", [])]
            if CONDITION_FAILED in reasons:
                return reasons
            if not _RETRYABLE_REASONS.intersection(reasons):
                raise
        back_off(inv, number)
    raise Contended(f"a transaction met others {_TRANSACTION_ROUNDS} times in a row")


def back_off(inv: Invocation, number: int) -> None:
    """Sleeps before another round; rounds count from 0."""
    inv.services.sleep(0.05 * 2**number * (0.5 + inv.services.jitter()))


def get_item(inv: Invocation, key: Item) -> Item | None:
    """A consistent read from the tracking table."""
    answer = inv.services.dynamodb.get_item(
        TableName=inv.settings.tracking_table, Key=to_item(key), ConsistentRead=True
    )
    return from_item(answer["Item"]) if answer.get("Item") else None


def get_items(inv: Invocation, keys: Sequence[Item], attributes: Sequence[str]) -> list[Item]:
    """Consistent reads of distinct keys from the tracking table, in no order; what does not exist is left out."""
    table = inv.settings.tracking_table
    expression = _Expression()
    projection = ", ".join(expression.name(name) for name in attributes)
    items: list[Item] = []
    for start in range(0, len(keys), _KEYS_PER_READ):
        wanted = [to_item(key) for key in keys[start : start + _KEYS_PER_READ]]
        in_vain = 0
        while wanted:
            if in_vain:
                back_off(inv, in_vain)
            request = expression.into({"Keys": wanted, "ConsistentRead": True, "ProjectionExpression": projection})
            answer = inv.services.dynamodb.batch_get_item(RequestItems={table: request})
            items += [from_item(item) for item in answer["Responses"].get(table, [])]
            left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            in_vain = in_vain + 1 if len(left) == len(wanted) else 0
            if in_vain == _READ_ROUNDS:
                raise Contended(f"{len(left)} keys were still unread after {_READ_ROUNDS} rounds")
            wanted = left
    return items


def query_pages(
    inv: Invocation,
    attribute: str,
    value: str,
    fields: Sequence[str],
    index: str | None = None,
    page_items: int | None = None,
) -> Iterator[list[Item]]:
    """The items of one partition of the tracking table in the order of their range key, page by page, read when
    asked for. The table is read consistently; an index cannot be. page_items: of one page, less than usual."""
    expression = _Expression()
    request: Request = {
        "TableName": inv.settings.tracking_table,
        "KeyConditionExpression": expression.condition({attribute: value}),
        "ProjectionExpression": ", ".join(expression.name(name) for name in fields),
        "Limit": min(page_items or inv.settings.page_items, inv.settings.page_items),
        **({"IndexName": index} if index else {"ConsistentRead": True}),
    }
    expression.into(request)
    while True:
        answer = inv.services.dynamodb.query(**request)
        yield [from_item(item) for item in answer["Items"]]
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
