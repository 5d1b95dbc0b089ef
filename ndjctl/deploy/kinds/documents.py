"""Policies that belong to several parties: our statements in, everybody else's kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ndjctl.deploy.kinds.base import parsed
from ndjctl.deploy.policies import VERSION, to_json


def merged_policy(text: str | None, ours: Mapping[str, Any]) -> str:
    """The policy `text` (None or empty where there is none) with the statements `ours` (by Sid) in place of those of
    the same Sid."""
    document = parsed(text)
    statements = document.get("Statement", [])
    statements = [statements] if isinstance(statements, Mapping) else statements
    kept = [statement for statement in statements if statement.get("Sid") not in ours]
    return to_json(
        {
            **document,
            "Version": document.get("Version", VERSION),
            "Statement": [*kept, *({"Sid": sid, **statement} for sid, statement in ours.items())],
        }
    )


def without_statements(text: str | None, ours: Mapping[str, Any]) -> str | None:
    """The policy without our statements; None where nothing is left of it."""
    document = parsed(text)
    kept = [statement for statement in document.get("Statement", []) if statement.get("Sid") not in ours]
    return to_json({**document, "Statement": kept}) if kept else None


def whole_policy(ours: Mapping[str, Any]) -> str:
    """A policy of our statements (by Sid) alone."""
    return merged_policy(None, ours)
