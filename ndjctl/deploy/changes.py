"""What a deployment did to each resource, and the small comparisons that decide it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ndjctl.aws import error_code
from ndjctl.errors import CloudError

Action = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True)
class Change:
    """One resource after `deploy`. fields: the names of what was updated; empty when created or unchanged."""

    kind: str
    name: str
    action: Action
    fields: tuple[str, ...] = ()


def settled(kind: str, name: str, fields: list[str]) -> Change:
    """The change of a resource that existed before: updated if any field was."""
    return Change(kind, name, "updated" if fields else "unchanged", tuple(fields))


def differing(desired: Mapping[str, Any], observed: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of what in `desired` is not so in `observed`. Mappings are compared field by field, and what only
    `observed` has belongs to somebody else."""
    found = []
    for name, value in desired.items():
        there = observed.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            found += differing(value, there, f"{prefix}{name}.")
        elif not _same(value, there):
            found.append(f"{prefix}{name}")
    return found


def _same(value: object, there: object) -> bool:
    if value == there:
        return True
    if isinstance(value, str) and isinstance(there, str) and value[:1] == "{" == there[:1]:
        try:  # policies come back with other spacing and order
            return bool(json.loads(value) == json.loads(there))
        except ValueError:
            return False
    return False


def until_accepted(
    call: Callable[[], Any], retryable: Mapping[str, str], sleep: Callable[[float], None], timeout_s: float = 60
) -> Any:
    """call(), repeated while AWS answers with one of the codes in `retryable` (code -> text its message contains):
    a new role or a function under update needs seconds to be usable. Raises the last error after timeout_s."""
    from botocore.exceptions import ClientError

    waited_s, pause_s = 0.0, 0.5
    while True:
        try:
            return call()
        except ClientError as error:
            text = retryable.get(error_code(error))
            if text is None or text not in str(error) or waited_s >= timeout_s:
                raise
        sleep(pause_s)
        waited_s += pause_s
        pause_s = min(pause_s * 2, 8)


def poll(ready: Callable[[], bool], what: str, sleep: Callable[[float], None], timeout_s: float = 300) -> None:
    """Returns once ready() is true. Raises CloudError after timeout_s."""
    waited_s, pause_s = 0.0, 0.1
    while not ready():
        if waited_s >= timeout_s:
            raise CloudError(f"{what} was not ready after {timeout_s:g} s; run 'ndjctl deploy' again.")
        sleep(pause_s)
        waited_s += pause_s
        pause_s = min(pause_s * 2, 5)
