"""A finding, and what findings are made from besides the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that works against itself.

    code: stays the same for the same cause. severity: an error cannot work as it stands, a warning works until it
    does not. setting: the path of the setting to look at first. sentence: one line that tells the two figures, why it
    matters, and what to type or set.
    """

    code: str
    severity: Severity
    setting: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


NO_KEY = "NotFound"
"""The state of a key that KMS does not know; none of its own words."""


@dataclass(frozen=True)
class KeyFacts:
    """A KMS key as KMS tells it. policy: its key policy as a document; None where it could not be read."""

    state: str
    usage: str = "ENCRYPT_DECRYPT"
    spec: str = "SYMMETRIC_DEFAULT"
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AccountFacts:
    """What the account answered once. None is what it could not be asked; `remarks` says why, a sentence each.

    unreserved_concurrency: executions that no function has reserved. own_concurrency: that our own function has
    reserved now, 0 if none. Quotas of Glue are those of the region.
    """

    concurrency_limit: int | None = None
    unreserved_concurrency: int | None = None
    own_concurrency: int | None = None
    glue_runs_per_account: int | None = None
    glue_runs_per_job: int | None = None
    glue_task_dpus: float | None = None
    key: KeyFacts | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """What a plan saw of resources that are deployed; None is what it did not see."""

    queue_visibility_timeout_s: int | None = None
    queue_max_receives: int | None = None
    function_runtime: str | None = None
    job_command: str | None = None
    job_glue_version: str | None = None
    job_arguments: Mapping[str, str] | None = None
