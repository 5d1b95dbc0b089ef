"""What goes wrong around one call, and how often: drawn from a seed, or planned for one call of an enumerated path."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Protocol

ERROR_BEFORE = "error before the effect"
ERROR_AFTER = "error after the effect"
SENT_TWICE = "answer lost, sent again"
CONFLICT = "transaction conflict"
DEATH_BEFORE = "death before"
DEATH_AFTER = "death after"
SLOW_BEFORE = "slow before"
SLOW_AFTER = "slow after"


@dataclass
class Fault:
    """kind: one of the above. seconds: of a slow one. code: of an error."""

    kind: str
    seconds: float = 0.0
    code: str = ""


class Faults(Protocol):
    """latency_s: of a call that nothing happens to. of_call: what happens around a process's next call."""

    def latency_s(self) -> float: ...

    def of_call(self, process: str, number: int, name: str) -> Fault | None: ...


class NoFaults:
    def latency_s(self) -> float:
        return 0.01

    def of_call(self, process: str, number: int, name: str) -> Fault | None:
        return None


@dataclass
class Planned(NoFaults):
    """One fault at the n-th call (from 1) of one process, by its name; records the calls of that process."""

    process: str
    at: int = 0
    fault: Fault | None = None
    before: dict[tuple[str, int], Fault] = field(default_factory=dict)
    """What is to happen before that, to make the scene: by process and call."""
    meanwhile: Callable[[], None] = lambda: None
    """What is set going when the fault happens."""
    calls: list[str] = field(default_factory=list)
    happened: bool = False

    def of_call(self, process: str, number: int, name: str) -> Fault | None:
        if process != self.process:
            return self.before.get((process, number))
        self.calls.append(name)
        if len(self.calls) != self.at:
            return None
        self.happened = True
        self.meanwhile()
        return self.fault


@dataclass
class Rates:
    """Chances of one kind of fault each, of one call unless it says otherwise. A seed draws some of them as nothing and
    others as much: a mild mixture of everything would reach few of the states that only one fault leads to."""

    throttle: float = 0.0
    error: float = 0.0
    answer_lost: float = 0.0
    conflict: float = 0.0
    death: float = 0.0
    slow: float = 0.0
    asleep: float = 0.0  # for longer than a lock lasts
    skew: float = 0.0  # of a process: a clock up to a minute off
    index_lag: float = 0.0  # of a write
    event_lost: float = 0.0  # of an upload, as those below
    event_doubled: float = 0.0
    event_late: float = 0.0
    overwrite: float = 0.0
    delete: float = 0.0
    bad_size: float = 0.0
    message_again: float = 0.0  # of a delivery
    sweep_missed: float = 0.0  # of a minute
    sweep_doubled: float = 0.0
    run_refused: float = 0.0  # of a start
    run_killed: float = 0.0  # of a run, as those below
    run_lost: float = 0.0
    run_doubled: float = 0.0
    run_unknown: float = 0.0
    task_doubled: float = 0.0  # of a part
    manifest_lost: float = 0.0  # of an object of a manifest: deleted, or overwritten

    @classmethod
    def drawn(cls, chance: random.Random) -> Rates:
        most = {
            "throttle": 0.08, "error": 0.05, "answer_lost": 0.05, "conflict": 0.1, "death": 0.02, "slow": 0.05,
            "asleep": 0.02, "skew": 1.0, "index_lag": 0.5, "event_lost": 0.2, "event_doubled": 0.4, "event_late": 0.3,
            "overwrite": 0.4, "delete": 0.15, "bad_size": 0.2, "message_again": 0.3, "sweep_missed": 0.5,
            "sweep_doubled": 0.3, "run_refused": 0.4, "run_killed": 0.5, "run_lost": 0.15, "run_doubled": 0.3,
            "run_unknown": 0.5, "task_doubled": 0.1,
        }  # fmt: skip
        # A chance of its own, so that a seed is otherwise the story that it was before there was this fault.
        apart = random.Random(str(chance.getstate()[1][:8]))
        drawn = {name: chance.choice((0.0, 0.0, 0.2, 1.0)) * rate for name, rate in most.items()}
        drawn["manifest_lost"] = 0.5 * apart.choice((0.0, 0.0, 0.2, 1.0))
        assert {each.name for each in fields(cls)} == set(drawn)
        return cls(**drawn)


_THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", "ThrottlingException"),
    "s3": ("SlowDown",),
    "glue": ("ThrottlingException",),
    "cloudwatch": ("ThrottlingException",),
}
_ERRORS = {
    "dynamodb": "InternalServerError",
    "s3": "InternalError",
    "glue": "InternalServiceException",
    "cloudwatch": "InternalServiceFault",
}
_WRITES = ("put", "update", "delete", "transact", "create", "complete", "upload", "copy", "abort", "start")


class SeededFaults:
    def __init__(self, rates: Rates, chance: random.Random, lock_ttl_s: float) -> None:
        self.rates = rates
        self.is_over = False
        self._chance = chance
        self._lock_ttl_s = lock_ttl_s

    def latency_s(self) -> float:
        return 0.002 + 0.05 * self._chance.random()

    def of_call(self, process: str, number: int, name: str) -> Fault | None:
        if self.is_over:
            return None
        rates, draw = self.rates, self._chance.random
        service, _, operation = name.partition(".")
        if draw() < rates.death:
            return Fault(DEATH_BEFORE if draw() < 0.5 else DEATH_AFTER)
        if draw() < rates.throttle:
            return Fault(ERROR_BEFORE, code=self._chance.choice(_THROTTLES[service]))
        if draw() < rates.error:
            return Fault(ERROR_BEFORE if draw() < 0.5 else ERROR_AFTER, code=_ERRORS[service])
        if operation == "transact_write_items" and draw() < rates.conflict:
            return Fault(CONFLICT)
        if operation.startswith(_WRITES) and draw() < rates.answer_lost:
            return Fault(SENT_TWICE if service != "glue" else ERROR_AFTER, code=_ERRORS[service])
        if draw() < rates.asleep:
            seconds = self._lock_ttl_s * (1.05 + 2 * draw())
            return Fault(SLOW_BEFORE if draw() < 0.5 else SLOW_AFTER, seconds)
        if draw() < rates.slow:
            return Fault(SLOW_BEFORE if draw() < 0.5 else SLOW_AFTER, 0.2 + 5 * draw())
        return None
