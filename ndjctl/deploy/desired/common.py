"""What the descriptions of all resources have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ndjctl.bundles import Code
from ndjctl.contracts import Names
from ndjctl.deploy.arns import Arns
from ndjctl.deploy.model import ENVIRONMENT_TAG, REGION_TAG
from ndjctl.settings import Profile

DAY_S = 86_400


@dataclass(frozen=True)
class Setting:
    """What a description may depend on."""

    profile: Profile
    names: Names
    code: Code

    @cached_property
    def arns(self) -> Arns:
        return Arns(self.profile.region, self.names)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every resource that takes tags."""
        own = {ENVIRONMENT_TAG: self.profile.environment, "ndjctl:stack": self.names.stack}
        return {**self.profile.tags, **own}

    @property
    def global_tags(self) -> dict[str, str]:
        """Tags of what has one name in all regions."""
        return {**self.tags, REGION_TAG: self.profile.region}

    def artifact_key(self, digest: str, name: str) -> str:
        """The key in the scripts bucket of one file of a bundle: under a folder named by the bundle's content, so that
        a run under way keeps its own, and an earlier deployment can be returned to."""
        return f"{self.names.stack}/{digest[:16]}/{name}"


def by_sid(document: Mapping[str, Any]) -> dict[str, Any]:
    """A policy's statements by their Sid, without it, lists sorted: so that equal policies compare equal, and what
    differs has a name."""
    statements = document.get("Statement", [])
    statements = [statements] if isinstance(statements, Mapping) else statements
    found: dict[str, Any] = {}
    for number, statement in enumerate(statements):
        sid = str(statement.get("Sid") or f"statement {number + 1}")
        found[sid] = {key: _sorted(value) for key, value in statement.items() if key != "Sid"}
    return found


def trust(document: Mapping[str, Any]) -> dict[str, Any]:
    """A trust policy as its statement about a service, since ours has that one and needs no Sid. Other statements are
    beside its parts, each by its Sid."""
    statements = by_sid(document)
    service = next((sid for sid, each in statements.items() if "Service" in each.get("Principal", {})), "")
    return {**statements.pop(service, {}), **statements}


def _sorted(value: Any) -> Any:
    """AWS gives a list of one as a string, and lists in an order of its own."""
    if isinstance(value, Mapping):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return value[0] if len(value) == 1 and isinstance(value[0], str) else sorted(value, key=str)
    return value
