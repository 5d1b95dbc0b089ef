"""Reads that may be refused: one that is costs its own part of a screen, and the rest lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from ndjctl.aws import NOT_FOUND_CODES, error_code, told
from ndjctl.errors import NdjctlError

T = TypeVar("T")

Why = Literal["denied", "throttled", "absent", "refused"]

_DENIED_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}
)
THROTTLED_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "SlowDown",
        "LimitExceededException",
    }
)


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What a read came to. value: None where it was refused. why: the kind of refusal, None where there was none.
    sentence: what AWS said, for a person."""

    value: T | None = None
    why: Why | None = None
    sentence: str = ""

    @property
    def was_read(self) -> bool:
        return self.why is None


def attempt(read: Callable[[], T], environment: str) -> Reading[T]:
    """read(), with what AWS refuses as a Reading. Whatever is no error of AWS (a bug, an interrupt) is raised."""
    try:
        return Reading(read())
    except NdjctlError as error:
        return Reading(why="refused", sentence=str(error))
    except Exception as error:
        sentence = told(error, environment)
        if sentence is None:
            raise
        return Reading(why=_why(error_code(error)), sentence=str(sentence))


def attempt_all(
    reads: Mapping[str, Callable[[], Any]], environment: str, pool: ThreadPoolExecutor
) -> dict[str, Reading[Any]]:
    """All of `reads` at once, by their names; each as of attempt()."""
    futures = {name: pool.submit(attempt, read, environment) for name, read in reads.items()}
    return {name: future.result() for name, future in futures.items()}


def _why(code: str) -> Why:
    if code in _DENIED_CODES:
        return "denied"
    if code in THROTTLED_CODES:
        return "throttled"
    return "absent" if code in NOT_FOUND_CODES else "refused"
