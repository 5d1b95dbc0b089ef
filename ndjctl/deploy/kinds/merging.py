"""Laying changes over what is there, for calls that replace a whole definition. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ndjctl.deploy.model import ABSENT, FieldChange, Resource

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def overlaid(current: Mapping[str, Any], changes: Sequence[FieldChange]) -> dict[str, Any]:
    """`current` with every change made true, at its path; neither is altered. ABSENT ones are gone."""
    result = dict(current)
    for change in changes:
        place = result
        for key in change.path[:-1]:
            inner = place.get(key)
            place[key] = dict(inner) if isinstance(inner, Mapping) else {}
            place = place[key]
        if change.new is ABSENT:
            place.pop(change.path[-1], None)
        else:
            place[change.path[-1]] = present(change.new)
    return result


def present(value: Any) -> Any:
    """`value` without what is ABSENT in it."""
    if isinstance(value, Mapping):
        return {key: present(inner) for key, inner in value.items() if inner is not ABSENT}
    return value


def under(changes: Sequence[FieldChange], *parts: str) -> list[FieldChange]:
    """The changes in those parts of a resource, by the first word of their paths."""
    return [change for change in changes if change.path[0] in parts]


def outside(changes: Sequence[FieldChange], *parts: str) -> list[FieldChange]:
    """The changes in all other parts."""
    return [change for change in changes if change.path[0] not in parts]


def entries(changes: Sequence[FieldChange], part: str) -> tuple[dict[str, Any], list[str]]:
    """The changed entries of a flat mapping that observe() always gives, such as Tags: those to set with their values,
    and those to remove."""
    found = {change.path[1]: change.new for change in under(changes, part)}
    return present(found), sorted(key for key, value in found.items() if value is ABSENT)


def asked_for(resource: Resource, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Of an answer, the fields that the resource has: the rest changes by itself, or is nobody's business."""
    return {key: answer[key] for key in resource.fields if key in answer}


def settable(answer: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    """What an answer has that a request takes too, so that it can be given back. shape: botocore's, of the request.
    Empty values are left out: they mean the same as none, and some requests refuse them."""
    return {key: value for key, value in answer.items() if key in shape.members and value not in _EMPTY}


def policy_with(document: Mapping[str, Any], statements: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with `statements` (Sid -> the rest of it, or ABSENT) in place of those of the same Sid, and all others
    as they are. One without a Sid is called as by_sid calls it: 'statement 2'."""
    there = document.get("Statement", [])
    there = [there] if isinstance(there, Mapping) else there
    kept = [
        statement
        for number, statement in enumerate(there)
        if str(statement.get("Sid") or f"statement {number + 1}") not in statements
    ]
    ours = [{"Sid": sid, **rest} for sid, rest in statements.items() if rest is not ABSENT]
    return {"Version": "2012-10-17", **document, "Statement": [*kept, *ours]}
