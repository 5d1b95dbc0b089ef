"""The budget of the day: whether another run may be started, by what Glue itself says that today's runs came to.

No counter is kept by events: one that is lost would lose its cost for ever, and one that comes twice count it twice.
What is kept is a mark, `settled_until`, and the sum of the runs of the day that started before it, all of which have
ended for good. So a measurement reads the newest runs back to the mark and no further: one page of 200 mostly, whatever
the day; back to midnight (22 pages) the first time. Any such pair of mark and sum is true, whoever writes it, whenever.
It is measured only where a run is about to be started. At 4,000 runs a day that is some 6,000 GetJobRuns, which cost
nothing, and as many reads and writes of one item, less than a cent.

A run counts for the date on which it started; one under way by its time so far, a minute at least. So the limit is
overshot by what the runs that are under way when it is reached still take, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from lambda_handler.dynamo import ABSENT, Item, get_item, try_write, update_request
from lambda_handler.services import Invocation
from ndjctl.contracts import LEAST_BILLED_RUN_S, Attr, billed_dpu_s, budget_item_key, iso_utc, parse_iso_utc

SETTLE_S = 120
"""How long Glue is given to list a run, and to tell all of one that has ended."""
MOST_PAGES = 22
RUNS_PER_PAGE = 200
"""The most that GetJobRuns gives (AWS Glue API reference)."""

_ENDED = {"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"}


class Budget:
    """Of one pass over what waits. held: starts that it did not allow."""

    def __init__(self, inv: Invocation) -> None:
        self._inv = inv
        self._base = inv.settings.max_dpu_s_per_day
        self._limit = self._base
        self._spent: Decimal | None = None
        self._item: Item = {}
        self._mark: Item = {}
        self._date = ""
        self._could_not = False
        self.held = 0

    def allows(self) -> bool:
        """Whether another run may be started. Where that cannot be found out the answer is no, for this pass: a
        manifest that waits for another minute loses nothing."""
        if self._base is None:
            return True
        if self._spent is None and not self._could_not:
            try:
                self._measure()
            except Exception as error:
                self._could_not = True
                self._inv.log.error("budget_not_measured", error, date=self._date)
        is_allowed = self._spent is not None and (self._limit is None or self._spent < self._limit)
        self.held += not is_allowed
        return is_allowed

    def started(self) -> None:
        """Another run was started: it is billed for a minute at least."""
        if self._spent is not None:
            self._spent += LEAST_BILLED_RUN_S * self._inv.settings.run_dpus

    def record(self) -> None:
        """Writes what was measured, and whether runs are held from now on or no longer: that is logged once. Whoever
        comes in between, the tool that lifts it or another invocation, wins: the next sweep measures again."""
        if self._base is None or self._spent is None:
            return
        inv = self._inv
        was_held = Attr.HELD_SINCE in self._item
        is_held = self._limit is not None and self._spent >= self._limit
        change = {
            **self._mark,
            Attr.SPENT_DPU_S: self._spent,
            Attr.LIMIT_DPU_S: self._base,
            Attr.MEASURED_AT: inv.now_iso(),
            Attr.TTL: inv.ttl(),
        }
        if is_held and not was_held:
            change[Attr.HELD_SINCE] = inv.now_iso()
        remove = (Attr.HELD_SINCE,) if was_held and not is_held else ()
        as_read = {name: self._item.get(name, ABSENT) for name in (Attr.HELD_SINCE, Attr.LIFTED_AT)}
        request = update_request(
            inv.settings.tracking_table, dict(budget_item_key(self._date)), change, as_read, remove
        )
        try:
            is_written = try_write(inv, inv.services.dynamodb.update_item, request)
        except Exception as error:
            inv.log.error("budget_not_recorded", error, date=self._date)
            return
        if is_written and was_held != is_held:
            told = {"spent_dpu_s": str(self._spent), "limit_dpu_s": str(self._limit)}
            if is_held:
                inv.log.warning("runs_held_by_budget", date=self._date, **told)
            else:
                inv.log.info("runs_not_held_any_more", date=self._date, **told)

    def as_dict(self) -> dict[str, Any] | None:
        """For the report: None where nothing was measured. DPU seconds; limit_dpu_s is None where it is lifted."""
        if self._spent is None:
            return None
        return {
            "spent_dpu_s": float(self._spent),
            "limit_dpu_s": None if self._limit is None else float(self._limit),
        }

    def _measure(self) -> None:
        inv, now = self._inv, self._inv.now()
        self._date = f"{now:%Y-%m-%d}"
        self._item = get_item(inv, dict(budget_item_key(self._date))) or {}
        since = now.replace(hour=0, minute=0, second=0, microsecond=0)
        settled = Decimal(0)
        if Attr.SETTLED_UNTIL in self._item:
            since, settled = parse_iso_utc(self._item[Attr.SETTLED_UNTIL]), Decimal(self._item[Attr.SETTLED_DPU_S])
        runs, is_complete = self._runs_since(since)
        spent = settled + sum((_billed(run, now) for run in runs), Decimal(0))
        if is_complete:
            mark = _mark(runs, since, now)
            settled += sum((_billed(run, now) for run in runs if _started(run, now) < mark), Decimal(0))
            self._mark = {Attr.SETTLED_UNTIL: iso_utc(mark), Attr.SETTLED_DPU_S: settled}
        else:
            inv.log.warning("budget_measured_in_part", date=self._date, runs=len(runs))
        if Attr.LIFTED_AT in self._item:
            lifted_to = self._item.get(Attr.LIFTED_TO_DPU_S)
            # A budget that was raised since wins over a lift to less.
            self._limit = None if lifted_to is None or self._base is None else max(Decimal(lifted_to), self._base)
        self._spent = spent

    def _runs_since(self, since: datetime) -> tuple[list[dict[str, Any]], bool]:
        """(runs of the job that started then or later, whether that is all of them)."""
        found: list[dict[str, Any]] = []
        for page, is_last in self._pages():
            found += [run for run in page if _started(run, since) >= since]
            # Glue lists the newest runs first.
            if is_last or any(_started(run, since) < since for run in page):
                return found, True
            if self._inv.short_of_time():
                break
        return found, False

    def _pages(self) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        request: dict[str, Any] = {"JobName": self._inv.settings.glue_job_name, "MaxResults": RUNS_PER_PAGE}
        for _ in range(MOST_PAGES):
            answer = self._inv.services.glue.get_job_runs(**request)
            token = answer.get("NextToken")
            yield answer.get("JobRuns", []), not token
            if not token:
                return
            request["NextToken"] = token


def _mark(runs: list[dict[str, Any]], since: datetime, now: datetime) -> datetime:
    """Before which no run is listed any more, and every one has ended for good. As it will be read again."""
    settles = now - timedelta(seconds=SETTLE_S)
    unsettled = (_started(run, now) for run in runs if not _is_settled(run, settles))
    return parse_iso_utc(iso_utc(max(since, min([settles, *unsettled]))))


def _is_settled(run: dict[str, Any], settles: datetime) -> bool:
    ended = run.get("CompletedOn")
    return run["JobRunState"] in _ENDED and ended is not None and _utc(ended) <= settles


def _billed(run: dict[str, Any], now: datetime) -> Decimal:
    has_ended = run["JobRunState"] in _ENDED
    execution_s = float(run.get("ExecutionTime") or 0)
    if run["JobRunState"] == "RUNNING" and not execution_s:
        # Where Glue does not tell a run's time before its end.
        execution_s = max(0.0, (now - _started(run, now)).total_seconds())
    return billed_dpu_s(
        execution_s=execution_s,
        dpus=float(run.get("MaxCapacity") or 0),
        dpu_s=run.get("DPUSeconds"),
        has_ended=has_ended,
    )


def _started(run: dict[str, Any], otherwise: datetime) -> datetime:
    started = run.get("StartedOn")
    return otherwise if started is None else _utc(started)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)
