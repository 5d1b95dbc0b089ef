"""Items of the tracking table as plain values, read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ndjctl.contracts import Attr

Item = dict[str, Any]


def plain(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's low-level client as plain values: texts, whole numbers as int, others as Decimal, lists and
    maps of these."""
    return {name: _value(value) for name, value in item.items()}


def _value(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content)
        return int(number) if number == number.to_integral_value() else number
    if kind == "L":
        return [_value(each) for each in content]
    if kind == "M":
        return plain(content)
    return None if kind == "NULL" else content


def read_item(dynamodb: Any, table: str, partition: str, sort: str) -> tuple[Item | None, Mapping[str, Any]]:
    """(the item as it is now or None, the answer's metadata)."""
    key = {Attr.DATE_PREFIX: {"S": partition}, Attr.FILE_KEY: {"S": sort}}
    answer = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return (plain(answer["Item"]) if answer.get("Item") else None), answer.get("ResponseMetadata", {})


def query_pages(
    dynamodb: Any,
    table: str,
    partition: str,
    *,
    prefix: str = "",
    fields: Sequence[str] = (),
    page_items: int | None = None,
) -> Iterator[tuple[list[Item], Mapping[str, Any]]]:
    """(items, the answer's metadata) of one partition in the order of their sort keys, each page read when asked for.

    prefix: of the sort keys. fields: the attributes to return, all without any. page_items: most items of a page.
    """
    names = {"#partition": Attr.DATE_PREFIX}
    values = {":partition": {"S": partition}}
    condition = "#partition = :partition"
    if prefix:
        names["#sort"] = Attr.FILE_KEY
        values[":prefix"] = {"S": prefix}
        condition += " AND begins_with(#sort, :prefix)"
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }
    if fields:
        projection, about = projected(fields)
        names |= about
        request["ProjectionExpression"] = projection
    if page_items is not None:
        request["Limit"] = page_items
    return pages_of(dynamodb, request)


def projected(fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """(a projection expression, its attribute names) for these attributes: some are words that DynamoDB reserves."""
    names = {f"#f{number}": name for number, name in enumerate(fields)}
    return ", ".join(names), names


def pages_of(dynamodb: Any, request: Mapping[str, Any]) -> Iterator[tuple[list[Item], Mapping[str, Any]]]:
    """(items, the answer's metadata) of every page of a query, each read when asked for. request: as the low-level
    client takes it."""
    request = dict(request)
    while True:
        answer = dynamodb.query(**request)
        yield [plain(item) for item in answer["Items"]], answer.get("ResponseMetadata", {})
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
