"""The plan as a pure function of what should be and what is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ndjctl.deploy.dangers import field_dangers, step_dangers
from ndjctl.deploy.model import ABSENT, Action, FieldChange, Observed, Path, Plan, Resource, Step, other_owner


def make_plan(desired: Sequence[Resource], observed: Mapping[str, Observed | None]) -> Plan:
    """What makes `observed` (resource id -> what is there, None where nothing is) as `desired`."""
    return Plan(tuple(plan_step(resource, observed[resource.id]) for resource in ordered(desired)))


def ordered(resources: Sequence[Resource]) -> list[Resource]:
    """Each after what it needs; otherwise in the order given. Raises ValueError on a circle or an unknown need."""
    by_id = {resource.id: resource for resource in resources}
    done: dict[str, Resource] = {}
    open_: list[str] = []

    def visit(resource: Resource) -> None:
        if resource.id in done:
            return
        if resource.id in open_:
            raise ValueError(f"resources need each other: {' -> '.join([*open_, resource.id])}")
        open_.append(resource.id)
        for need in resource.needs:
            if need not in by_id:
                raise ValueError(f"{resource.id} needs {need}, which is not there")
            visit(by_id[need])
        open_.pop()
        done[resource.id] = resource

    for resource in resources:
        visit(resource)
    return list(done.values())


def plan_step(resource: Resource, observed: Observed | None) -> Step:
    """What is to be done with one resource."""
    if not resource.wanted:
        action: Action = "keep" if observed is None else "delete"
        step = Step(resource, observed, action, owner=other_owner(resource, observed))
        return Step(resource, observed, action, (), step_dangers(step), step.owner)
    # No fields: nothing is there but what others have in the same place.
    if observed is None or (resource.fields and not observed.fields):
        return Step(resource, observed, "create")
    changes = tuple(differences(resource, observed))
    owner = other_owner(resource, observed)
    if any(change.path[: len(path)] == path for change in changes for path in resource.replaces):
        step = Step(resource, observed, "replace", changes, owner=owner)
        return Step(resource, observed, "replace", changes, step_dangers(step), owner)
    return Step(resource, observed, "update" if changes else "keep", changes, owner=owner)


def differences(resource: Resource, observed: Observed) -> Iterator[FieldChange]:
    """Every field of ours that is not as it should be, in the order of the resource's fields."""
    for path, old, new, is_hidden in _walk((), resource.fields, observed.fields, resource):
        yield FieldChange(path, old, new, field_dangers(resource, path, old, new, observed), is_hidden)


def _walk(
    path: Path, desired: Mapping[str, Any], observed: Mapping[str, Any], resource: Resource
) -> Iterator[tuple[Path, Any, Any, bool]]:
    for key, new in desired.items():
        here = (*path, key)
        old = observed.get(key, ABSENT)
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            yield from _walk(here, new, old, resource)
        elif new is ABSENT and old is ABSENT:
            continue
        elif old is ABSENT or new is ABSENT or not same(new, old):
            yield here, old, new, False
    if any(path[: len(whole)] == whole for whole in resource.whole):
        for key, old in observed.items():
            if key not in desired and not any(fnmatchcase(key, pattern) for pattern in resource.keep):
                yield (*path, key), old, ABSENT, "Environment" in path


def same(new: Any, old: Any) -> bool:
    """Whether two values are one: numbers by value, a truth only with a truth, lists in any order of their own."""
    if isinstance(new, bool) or isinstance(old, bool):
        return new is old
    return bool(new == old)
