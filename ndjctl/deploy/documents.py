"""A plan as JSON: for --json, for the saved plan and for the history. No account id and no value of others is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ndjctl.deploy.model import ABSENT, FieldChange, Plan, Step

ACCOUNT_MARK = "{account}"
"""Stands for the account's id wherever it would be."""


def plan_document(plan: Plan, account_id: str, *, salt: str = "") -> list[dict[str, Any]]:
    """Every resource that is not as it should be: kind, name, action, fields (path, old, new), dangers, and `wanted`,
    a digest of all that it is to be. Values that the profile does not own are left out; `salt` goes into what is told
    of them instead, so that two plans of one salt can be compared."""
    return [masked(_step(step, salt), account_id) for step in plan.pending]


def _step(step: Step, salt: str) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": step.resource.kind, "name": step.resource.name, "action": step.action}
    if step.changes:
        document["fields"] = [_change(change, salt) for change in step.changes]
    dangers = sorted(step.all_dangers)
    if dangers:
        document["dangers"] = dangers
    if step.owner is not None:
        document["owner"] = step.owner
    document["wanted"] = digest(plain(step.resource.fields))
    return document


def _change(change: FieldChange, salt: str) -> dict[str, Any]:
    document: dict[str, Any] = {"path": change.label}
    if change.is_hidden:
        document["old_hidden"] = digest([salt, plain(change.old)]) if salt else True
    elif change.old is not ABSENT:
        document["old"] = plain(change.old)
    if change.new is not ABSENT:
        document["new"] = plain(change.new)
    return document


def plain(value: Any) -> Any:
    """The value as JSON has it; what is ABSENT is left out of mappings, and null elsewhere."""
    if value is ABSENT:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not ABSENT}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def masked(value: Any, account_id: str) -> Any:
    """The value with the account's id replaced wherever it stands, also inside texts and keys."""
    if isinstance(value, str):
        return value.replace(account_id, ACCOUNT_MARK)
    if isinstance(value, Mapping):
        return {masked(key, account_id): masked(inner, account_id) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner, account_id) for inner in value]
    return value


def unmasked(value: Any, account_id: str) -> Any:
    """What masked() was given."""
    if isinstance(value, str):
        return value.replace(ACCOUNT_MARK, account_id)
    if isinstance(value, Mapping):
        return {unmasked(key, account_id): unmasked(inner, account_id) for key, inner in value.items()}
    if isinstance(value, list):
        return [unmasked(inner, account_id) for inner in value]
    return value


def digest(value: Any) -> str:
    """Hex SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
