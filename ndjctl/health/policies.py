"""What a queue's policy lets in, as far as it matters here. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SENDS = {"sqs:sendmessage", "sqs:*", "*"}


def queue_lets_in(attributes: Mapping[str, str], bucket: str) -> bool:
    """Whether a queue of these attributes takes what S3 sends for a bucket: its policy has a statement that allows S3
    to send and names that bucket, or no bucket at all."""
    try:
        statements = json.loads(attributes.get("Policy") or "{}").get("Statement", [])
    except (ValueError, AttributeError):
        return False
    return any(_allows(each, bucket) for each in _listed(statements) if isinstance(each, Mapping))


def _allows(statement: Mapping[str, Any], bucket: str) -> bool:
    actions = {str(action).lower() for action in _listed(statement.get("Action", []))}
    sources = [
        str(value)
        for operator in _values(statement.get("Condition"))
        for key, values in (operator.items() if isinstance(operator, Mapping) else ())
        if str(key).lower() == "aws:sourcearn"
        for value in _listed(values)
    ]
    is_for_it = not sources or any(source.endswith(f":{bucket}") or source == "*" for source in sources)
    return statement.get("Effect") == "Allow" and bool(actions & _SENDS) and is_for_it


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
