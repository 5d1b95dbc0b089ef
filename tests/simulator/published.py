"""What the function tells CloudWatch, judged at the moment it is told: against the ledger itself, where nothing but
that process has changed the ledger since it began, and no fault has kept it from knowing what it did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ndjctl.contracts import (
    ABANDONED,
    CLAIMING,
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    HELD_MANIFESTS,
    METRIC_NAMESPACE,
    METRICS,
    OLDEST_PENDING_AGE,
    PENDING,
    READY,
    RUNNING_MANIFESTS,
    WAITING_MANIFESTS,
    Attr,
    metric_dimensions,
    parse_iso_utc,
)
from tests.simulator.actors import Process
from tests.simulator.invariants import Violation
from tests.simulator.job_runs import TABLE
from tests.simulator.world import ENVIRONMENT, World

_OCCURRENCES = {FAILED_RUNS.name, GIVEN_UP_MANIFESTS.name}
_UNITS = {metric.name: metric.unit for metric in (*METRICS, HELD_MANIFESTS)}
_MOST_SKEW_S = 60.0
CALL = "cloudwatch.put_metric_data"


def watch_published(world: World) -> None:
    """From now on judges every call as it is made. Raises Violation out of it."""
    judge, others = _Judge(world), world.dynamodb.on_write

    def on_write(table: str, key: tuple[str, str], before: Any, after: Any) -> None:
        if table == TABLE:
            judge.written()
        if others is not None:
            others(table, key, before, after)

    world.dynamodb.on_write = on_write
    world.cloudwatch.on_call = judge.called


class _Judge:
    def __init__(self, world: World) -> None:
        self._world = world
        self._disturbed: set[str] = set()

    def written(self) -> None:
        """The ledger has just been written to."""
        scheduler = self._world.scheduler
        self._disturbed.update(each.name for each in scheduler.living if each is not scheduler.current)

    def called(self, namespace: str, data: list[dict[str, Any]]) -> None:
        process = self._world.scheduler.current
        assert process is not None
        values = {datum["MetricName"]: datum["Value"] for datum in data}
        self._judge_form(process, namespace, data, values)
        if self._world.told.setdefault(process.name, values) != values:
            raise Violation(f"signals: {process.name} told {self._world.told[process.name]} and then {values}")
        if WAITING_MANIFESTS.name in values and self._knows_all(process):
            self._judge_values(process, values, data[0]["Timestamp"])

    def _judge_form(
        self, process: Process, namespace: str, data: list[dict[str, Any]], values: dict[str, float]
    ) -> None:
        told = f"{process.name} told {values}"
        if namespace != METRIC_NAMESPACE or set(values) - set(_UNITS):
            raise Violation(f"signals: {told} in {namespace}")
        for datum in data:
            if datum["Dimensions"] != metric_dimensions(ENVIRONMENT["STACK"]):
                raise Violation(f"signals: {told} of {datum['Dimensions']}")
            if datum["Unit"] != _UNITS[datum["MetricName"]] or datum["Value"] < 0:
                raise Violation(f"signals: {told}: {datum['Value']} {datum['Unit']}")
        (moment,) = {datum["Timestamp"] for datum in data}
        now = self._world.scheduler.clock()
        # No earlier than it began and no later than now, but for how far its clock is off.
        late_s = (now - moment).total_seconds()
        if not -_MOST_SKEW_S <= late_s <= self._world.scheduler.now_s - process.began_s + _MOST_SKEW_S:
            raise Violation(f"signals: {told} for {moment}, at {now}")
        kind = process.name.partition("-")[0]
        if kind == "sweep":
            complete = {*_OCCURRENCES} == {*values} & _OCCURRENCES
            measured = {WAITING_MANIFESTS.name, RUNNING_MANIFESTS.name} & {*values}
            # A sweep that failed on the way tells what happened until then.
            if measured and not (complete and len(measured) == 2):
                raise Violation(f"signals: {told}, and that is not all")
        elif kind != "state" or set(values) - _OCCURRENCES or not all(values.values()):
            raise Violation(f"signals: {told}, which is none of its business")

    def _knows_all(self, process: Process) -> bool:
        """Whether nobody else wrote since it began, and it heard of everything that it did itself."""
        if process.name in self._disturbed:
            return False
        for when_s, name, _, outcome in reversed(self._world.trace):
            if when_s < process.began_s:
                break
            if name == process.name and not outcome.startswith(("done", "refused", "slow")):
                return False
        return True

    def _judge_values(self, process: Process, values: dict[str, float], moment: datetime) -> None:
        world = self._world
        states = [item[Attr.STATE] for item in world.open_manifests()]
        waiting = sum(state in (CLAIMING, READY) for state in states)
        truth = {WAITING_MANIFESTS.name: float(waiting), RUNNING_MANIFESTS.name: float(len(states) - waiting)}
        # The index may still show what was before its latest write.
        if max(world.dynamodb.tables[TABLE].shown_at.values(), default=0.0) <= process.began_s:
            times = [item[Attr.UPLOAD_TIME] for item in world.file_items() if item[Attr.STATUS] == PENDING]
            age_s = (moment - parse_iso_utc(min(times))).total_seconds() if times else 0.0
            truth[OLDEST_PENDING_AGE.name] = max(age_s, 0.0)
            world.told_exactly["with pending files"] += bool(times)
        world.told_exactly["with manifests"] += bool(states)
        wrong = {name: (values.get(name), wanted) for name, wanted in truth.items() if values.get(name) != wanted}
        if wrong:
            raise Violation(f"signals: {process.name} told (and the ledger has): {wrong}")


def check_published(world: World) -> None:
    """At rest: nothing was told of more often than it happened, and telling was the last that a process did. Raises
    Violation."""
    abandoned = sum(item.get(Attr.STATE) == ABANDONED for item in world.items())
    totals = {name: sum(values.get(name, 0.0) for values in world.told.values()) for name in _OCCURRENCES}
    if totals[GIVEN_UP_MANIFESTS.name] > abandoned:
        raise Violation(f"signals: {totals}, and {abandoned} manifests are abandoned")
    if totals[FAILED_RUNS.name] > len(world.runs.starts):
        raise Violation(f"signals: {totals}, and {len(world.runs.starts)} runs were started")
    told: set[str] = set()
    for _, name, call, _ in world.trace:
        if call and name in told:
            raise Violation(f"signals: {name} called {call} after it had told CloudWatch")
        if call == CALL:
            told.add(name)
