"""What is told of one file: its stages, its moments, the verdict and what mends it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ndjctl.health.model import Remedy

State = Literal["ok", "wrong", "waiting", "none", "unknown"]
"""none: there is nothing to tell of it, or the file has not come so far. unknown: it could not be looked at."""

STAGES = ("upload", "event", "queue", "function", "ledger", "lock", "manifest", "run", "output", "quarantine")
"""In the order of the pipeline."""


@dataclass(frozen=True)
class Stage:
    """name: one of STAGES. sentence: what is so there, for a person. facts: the figures of it, as --json has them."""

    name: str
    state: State
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """at: UTC. stage: one of STAGES."""

    at: datetime
    stage: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What is so with the file as a whole.

    code: never changes. is_wrong: whether it will not get to Parquet by itself, or its rows are not whole. remedies:
    what mends it, in order. wait_until: where nothing is to be done but to wait, until when at the latest; None where
    that is not known. cause: code of a known cause, empty without one.
    """

    code: str
    sentence: str
    is_wrong: bool = False
    remedies: tuple[Remedy, ...] = ()
    wait_until: datetime | None = None
    is_waiting: bool = False
    cause: str = ""


@dataclass(frozen=True)
class Explained:
    """key: of the file. uri: of its object. remarks: what could not be looked at, and bounds that were met."""

    key: str
    uri: str
    at: datetime
    stages: tuple[Stage, ...]
    timeline: tuple[Moment, ...]
    verdict: Verdict
    remarks: tuple[str, ...]
