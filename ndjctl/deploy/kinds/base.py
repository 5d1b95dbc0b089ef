"""What every kind of resource can do, and what it does it with."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import Names
from ndjctl.deploy.model import FieldChange, Observed, Path, Resource
from ndjctl.errors import CloudError


@dataclass
class Aws:
    """Where a plan is looked up and carried out. client: service name -> boto3 client, safe to use from threads.
    artifact: SHA-256 in hex -> the bytes of a file of ours; raises KeyError for others. clock: the time, in UTC. tell:
    is told how far a long step is, in a few words."""

    client: Callable[[str], Any]
    region: str
    names: Names
    sleep: Callable[[float], None]
    artifact: Callable[[str], bytes]
    clock: Callable[[], datetime]
    tell: Callable[[str], None] = lambda _text: None

    @property
    def account_id(self) -> str:
        return self.names.account_id

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


class Kind(ABC):
    """One kind of resource. All of them raise boto3's errors, and CloudError where AWS's answer has none.

    Each may be stopped between any two calls and called again: what is half made is found as it is, and made whole.
    """

    @abstractmethod
    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        """The resource as it is, its fields in the shape of `resource.fields`; None where it is not there."""

    @abstractmethod
    def create(self, aws: Aws, resource: Resource) -> None:
        """Makes it with all its fields."""

    @abstractmethod
    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        """Makes `changes` true and leaves everything else of it as it is at this moment."""

    @abstractmethod
    def delete(self, aws: Aws, resource: Resource) -> None:
        """Removes it; what is gone already is no error. Data in it is not looked at: the caller has asked."""


def found(call: Callable[[], Any]) -> Any:
    """call(), or None where AWS says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if not is_not_found(error):
            raise
        return None


def changed(changes: Sequence[FieldChange]) -> set[str]:
    """The first word of every changed path: the parts of a resource that calls of their own change."""
    return {change.path[0] for change in changes}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_map(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags as most services give them, as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def foreign(names: Mapping[str, Any] | Sequence[str], ours: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """A phrase such as 'tags: team, cost' for what is there and not ours; none where nothing is."""
    theirs = sorted(name for name in names if name not in ours and not name.startswith("aws:"))
    return (f"{what}: {', '.join(theirs)}",) if theirs else ()


def parsed(text: str | None) -> dict[str, Any]:
    """A JSON document as AWS keeps it; empty where there is none or it is no JSON object."""
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def until_accepted(
    call: Callable[[], Any], retryable: Mapping[str, str], sleep: Callable[[float], None], timeout_s: float = 120
) -> Any:
    """call(), repeated while AWS answers with one of the codes in `retryable` (code -> text its message contains):
    a new role or a function under update needs seconds to be usable. Raises the last error after timeout_s."""
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


__all__ = [
    "Aws",
    "FieldChange",
    "Kind",
    "Observed",
    "Path",
    "Resource",
    "changed",
    "foreign",
    "found",
    "parsed",
    "poll",
    "tag_list",
    "tag_map",
    "until_accepted",
]
