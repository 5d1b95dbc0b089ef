"""What a deployment is made of: resources as they should be, as they are, and what differs. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Path = tuple[str, ...]
"""Where a field is in its resource: the keys on the way to it."""

Action = Literal["create", "update", "replace", "delete", "keep"]
Danger = Literal["deletes data", "shrinks below what is running", "replaces a table"]

ENVIRONMENT_TAG = "ndjctl:environment"
"""The tag that says which environment a resource belongs to. Two environments under the same names are told by it."""

REGION_TAG = "ndjctl:region"
"""The tag of what has one name in all regions, as buckets and roles have: where the rest of its environment is."""

RETIRED_TAG = "ndjctl:retired"
"""The tag of code in the scripts bucket that no deployment worth returning to uses; a lifecycle rule removes it."""


class Absent:
    """The value of a field that is not there, or must not be there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(frozen=True)
class Resource:
    """One resource as the profile asks for it.

    fields: nested values as the AWS API has them; only these are compared and changed, so that what others set stays.
    An ABSENT one must not be there. needs: ids of resources that have to be there first. whole: paths of mappings that
    are ours alone, with all that is in them: a key that is not in `fields` is removed, unless it matches one of `keep`
    (with * for any characters). replaces: paths whose change AWS takes only for a new resource. wanted: False for one
    that must go if it is there.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    whole: tuple[Path, ...] = ()
    keep: tuple[str, ...] = ()
    replaces: tuple[Path, ...] = ()
    wanted: bool = True

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def label(self) -> str:
        """The id as a person reads it."""
        return label_of(self.id)


def label_of(id_: str) -> str:
    """An id without a second slash: log groups have names that begin with one."""
    return id_.replace("//", "/", 1)


@dataclass(frozen=True)
class Observed:
    """One resource as it is. fields: of the same shape as the desired ones, and maybe more. foreign: what is there and
    not ours, one phrase each; it is left alone. facts: counts that decide whether a change is dangerous, such as
    `objects`, `messages`, `items`, `size_bytes` or `running`."""

    fields: Mapping[str, Any]
    foreign: tuple[str, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)


def other_owner(resource: Resource, observed: Observed | None) -> str | None:
    """The environment that the resource is tagged with, where it is not ours: 'prod', or 'prod in us-east-1' where its
    region alone is another one."""
    ours = resource.fields.get("Tags", {})
    theirs = observed.fields.get("Tags", {}) if observed else {}
    environment = theirs.get(ENVIRONMENT_TAG)
    if not ours.get(ENVIRONMENT_TAG) or not environment:
        return None
    if environment != ours[ENVIRONMENT_TAG]:
        return str(environment)
    region = theirs.get(REGION_TAG)
    return f"{environment} in {region}" if region and ours.get(REGION_TAG, region) != region else None


@dataclass(frozen=True)
class FieldChange:
    """One field that is not as it should be. old is ABSENT where it is new, new where it goes. is_hidden: the old value
    is somebody else's, and nobody's business: it may be a secret."""

    path: Path
    old: Any
    new: Any
    dangers: tuple[Danger, ...] = ()
    is_hidden: bool = False

    @property
    def label(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Step:
    """What is to be done with one resource."""

    resource: Resource
    observed: Observed | None
    action: Action
    changes: tuple[FieldChange, ...] = ()
    dangers: tuple[Danger, ...] = ()
    owner: str | None = None  # another environment that the resource is tagged with, as of other_owner()

    @property
    def all_dangers(self) -> frozenset[Danger]:
        return frozenset(self.dangers) | {danger for change in self.changes for danger in change.dangers}


@dataclass(frozen=True)
class Plan:
    """Every resource with what is to be done, in the order in which it can be done."""

    steps: tuple[Step, ...]

    @property
    def pending(self) -> tuple[Step, ...]:
        """Steps that change something."""
        return tuple(step for step in self.steps if step.action != "keep")

    @property
    def dangers(self) -> frozenset[Danger]:
        return frozenset(danger for step in self.steps for danger in step.all_dangers)

    @property
    def foreign_owners(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.owner is not None)
