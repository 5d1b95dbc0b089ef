"""A load test from its plan to its cleanup. Every stage that is done is on disk, and none is done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from ndjctl.contracts import Names, iso_utc, parse_iso_utc
from ndjctl.feeding.deleting import delete_all
from ndjctl.feeding.journal import Journal as FeedJournal
from ndjctl.feeding.plan import FeedLimits
from ndjctl.loadtest.chaos import Chaos, Killer
from ndjctl.loadtest.cleaning import Cleaned, Place, clean
from ndjctl.loadtest.dead_letters import find_letters
from ndjctl.loadtest.feeder import Feeder, facts_by_uri, feed_plan_of, marker_of
from ndjctl.loadtest.following import Eyes, Followed, Limits, Sample, follow, remaining_s
from ndjctl.loadtest.journal import (
    CLEANED,
    FED,
    FEED_FILE,
    FOLLOWED,
    PLANNED,
    PROVEN,
    REPORTED,
    Journal,
)
from ndjctl.loadtest.lost_events import enter_lost
from ndjctl.loadtest.measuring import measured
from ndjctl.loadtest.model import key_prefix
from ndjctl.loadtest.observing import RunFacts, SeenFile, counted, read_files, read_runs
from ndjctl.loadtest.proving import prove
from ndjctl.loadtest.reporting import judged, report_of
from ndjctl.loadtest.results import Results
from ndjctl.loadtest.settling import GONE, RUNS_END_S, are_gone, settled
from ndjctl.loadtest.spending import Spending, is_over_budget
from ndjctl.reconcile.check import Places
from ndjctl.reconcile.verdicts import Clock
from ndjctl.sweeping import invoke_sweep

_LEAST_DEADLINE_S = 900.0
_BACKFILL_GRACE = timedelta(seconds=5)
"""An event is looked for after nothing has come for long: what is younger than this is another's."""


class Reporter(Protocol):
    """Where a test tells how far it is. Called from several threads."""

    def phase(self, name: str) -> None: ...
    def sent(self, size_bytes: int) -> None: ...
    def sample(self, sample: Sample, files: int, left_s: float | None) -> None: ...
    def done(self, count: int) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class World:
    """The environment that a test runs in. client: by service name. now: UTC. clock: seconds, monotonic. sleep:
    seconds. version: of the tool. limits: of requests, smaller in tests. event_limit_s: after which an event is lost.
    settle_s: how long a cleanup waits for the last runs. keep_report(): puts a report into the test's folder, in every
    form that people read. killer: what kills processes of it, None where nothing may. reserved, visibility_s: of the
    function and the queue as they are deployed; chaos puts them back. stated: prices (ndjctl.prices.stated)."""

    client: Callable[[str], Any]
    names: Names
    region: str
    dataset: str
    settle_s: float
    now: Callable[[], datetime]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    version: str
    reporter: Reporter
    keep_report: Callable[[dict[str, Any]], None]
    killer: Killer | None = None
    reserved: int = 1
    visibility_s: int = 30
    limits: FeedLimits = field(default_factory=FeedLimits)
    event_limit_s: float = 90.0
    stated: Mapping[str, Decimal] = field(default_factory=dict)


def carry_on(world: World, journal: Journal, keep: bool = False) -> dict[str, Any]:
    """Does what is left of a test and returns its report. keep: nothing is deleted, and the test stays unfinished: it
    can be cleaned up later. So does one that is stopped at its budget. Raises WorkFailed, CloudError and what boto3
    raises; then it can be gone on with."""
    with FeedJournal(journal.folder / FEED_FILE, marker_of(journal.test_id)) as fed:
        return _carry_on(world, journal, _Test(world, journal, fed), keep)


def _carry_on(world: World, journal: Journal, test: _Test, keep: bool) -> dict[str, Any]:
    was_followed = journal.has(FOLLOWED)
    stages = ((FOLLOWED, test.feed_and_follow), (PROVEN, test.prove), (REPORTED, test.report))
    for stage, do in stages:
        if not journal.has(stage):
            _timed(world, journal, stage, do)
    if not journal.has(CLEANED):
        # What has just been stopped at its budget may go on with a larger one; without one, the next resume cleans up.
        stays = keep or (is_over_budget(journal) and not was_followed)
        journal.note("kept", stays)
        if not stays:
            _timed(world, journal, CLEANED, test.clean)
    report = report_of(journal, judged(journal), world.version)
    world.keep_report(report)
    return report


def _timed(world: World, journal: Journal, stage: str, do: Callable[[], None]) -> None:
    """Notes how long it took, in all processes that worked on it, but for what a killed one did."""
    begun = world.clock()
    do()
    seconds = dict(journal.noted("stage_seconds", {}))
    seconds[stage] = round(seconds.get(stage, 0.0) + world.clock() - begun, 3)
    journal.note("stage_seconds", seconds)


class _Test:
    def __init__(self, world: World, journal: Journal, fed: FeedJournal) -> None:
        self._world = world
        self._journal = journal
        self._settings = journal.settings
        self._prefix = key_prefix(journal.date, journal.test_id)
        self._plan = feed_plan_of(self._settings, world.names.input_bucket, journal.date, journal.test_id, world.limits)
        self._fed = fed

    def _look(self) -> list[SeenFile]:
        world = self._world
        return read_files(world.client("dynamodb"), world.names.tracking_table, self._journal.date, self._prefix)

    def _flush(self) -> None:
        invoke_sweep(self._world.client("lambda"), self._world.names.live_function, flush=True, date=self._journal.date)

    @property
    def _begun_at(self) -> datetime:
        return parse_iso_utc(str(self._journal.noted("begun_at")))

    # ------------------------------------------------------------------------------------------------ feed, follow

    def feed_and_follow(self) -> None:
        world, journal = self._world, self._journal
        if self._is_gone():
            self._give_up()
            return
        world.reporter.phase("feeding")
        if journal.noted("begun_at") is None:
            journal.note("begun_at", iso_utc(world.now()))
        feeding = Feeder(
            world.client("s3"),
            self._plan,
            self._settings,
            journal.date,
            self._fed,
            world.clock,
            world.reporter.sent,
            journal.has(FED),
        )
        samples: list[Sample] = []

        def tell(sample: Sample) -> None:
            if feeding.is_over and not journal.has(FED):
                self._end_feeding(feeding)
            journal.add_sample(sample.to_dict())
            samples.append(sample)
            world.reporter.sample(sample, self._settings.files, remaining_s(samples, self._settings.files))
            if chaos is not None:
                chaos.step(sample, feeding.is_over)

        chaos, spending = self._chaos(), self._spending()
        eyes = Eyes(
            look=self._look,
            fed=lambda: feeding.count,
            is_fed=lambda: feeding.is_over,
            raise_failure=feeding.raise_failure,
            flush=self._flush,
            tell=tell,
            begun_at=self._begun_at,
            now=world.now,
            sleep=world.sleep,
            enter_unseen=None if chaos is None else self._backfill,
            why_stop=(lambda _files: "") if spending is None else spending.why_stop,
        )
        if chaos is not None:
            chaos.begin()
        feeding.start()
        try:
            followed = follow(eyes, self._limits())
        finally:
            feeding.end()
            if chaos is not None:
                chaos.end()
        if not journal.has(FED):
            self._end_feeding(feeding)
        if followed.over_budget:
            world.reporter.note(f"stopped: {followed.stopped}; no more files are fed, what was fed is still converted")
        spent_usd = None if spending is None else spending.spent_usd
        journal.done(FOLLOWED, {**self._followed(followed), "spent_usd": spent_usd})

    def _is_gone(self) -> bool:
        """Of what an earlier process fed; never while the inputs are there, or the pipeline knows of one."""
        world = self._world
        return are_gone(world.client("s3"), world.names, self._prefix, len(self._fed.fed), self._look)

    def _give_up(self) -> None:
        """There is nothing to follow and nothing to prove: the test ends, and what is still there is cleaned up."""
        journal = self._journal
        self._world.reporter.note(f"stopped: {GONE}")
        if not journal.has(FED):
            journal.done(FED, {"files": len(self._fed.fed), "ended_at": iso_utc(self._world.now())})
        gone = Followed((), Counter(), GONE)
        journal.done(FOLLOWED, {**self._followed(gone), "first_unseen": "", "spent_usd": None})

    def _spending(self) -> Spending | None:
        world, budget_usd = self._world, self._settings.thresholds.max_cost_usd
        if budget_usd is None:
            return None
        requests_usd = float(self._journal.of(PLANNED)["feed"]["cost_usd"])
        glue, since = world.client("glue"), self._begun_at
        return Spending(glue, world.names, world.region, since, requests_usd, budget_usd, world.now, world.stated)

    def _chaos(self) -> Chaos | None:
        world = self._world
        if not self._settings.chaos or world.killer is None:
            return None
        keys = [file.key for file in self._plan.files]
        return Chaos(
            world.client,
            world.names,
            world.region,
            world.killer,
            self._journal,
            keys,
            self._settings.seed,
            world.reserved,
            world.visibility_s,
            world.sleep,
        )

    def _backfill(self) -> int:
        """Enters objects of the test whose events were lost, as `ndjctl backfill --prefix` does; how many."""
        world = self._world
        places, clock = Places(world.client, world.names, world.sleep), Clock(world.now(), _BACKFILL_GRACE)
        return enter_lost(places, self._prefix, world.region, clock, world.clock)

    def _end_feeding(self, feeding: Feeder) -> None:
        self._journal.done(FED, {"files": feeding.count, "ended_at": iso_utc(self._world.now())})
        self._world.reporter.phase("following")

    def _limits(self) -> Limits:
        expected_s = float(self._journal.of(PLANNED)["expected"]["seconds"])
        thresholds = self._settings.thresholds
        longest_s = max(2 * (thresholds.max_p99_s or thresholds.max_p95_s or 0), 3 * expected_s, _LEAST_DEADLINE_S)
        return Limits(self._settings.files, thresholds.max_failed_share, longest_s, self._world.event_limit_s)

    def _followed(self, followed: Followed) -> dict[str, Any]:
        seen = {file.key for file in followed.files}
        unseen = next((key for key in self._fed.fed if key not in seen), "")
        return {
            "counts": dict(followed.counts),
            "stopped": followed.stopped,
            "over_budget": followed.over_budget,
            "lost_events": followed.lost_events,
            "faults": self._journal.noted("faults", []),
            "first_unseen": unseen,
            "ended_at": iso_utc(self._world.now()),
        }

    # ------------------------------------------------------------------------------------------------ prove, report

    def prove(self) -> None:
        world, journal = self._world, self._journal
        world.reporter.phase("proving")
        followed = journal.of(FOLLOWED)
        limit_s = max(RUNS_END_S, world.settle_s) if followed.get("over_budget") else RUNS_END_S
        still = settled(self._look, self._runs, world.sleep, limit_s)
        # One that is still under way has a part of its rows at most: none of them is lost.
        fed, at_rest = self._fed.fed.keys(), {file.key for file in still.files if file.is_at_rest}
        seen = fed & {file.key for file in still.files}
        is_gone = self._is_gone()
        moving = (fed if is_gone or followed["stopped"] else seen) - at_rest
        made = facts_by_uri(self._fed, self._plan, self._settings, journal.date, moving)
        proof = prove(world.client("s3"), world.names, journal.date, self._begun_at, made, tell=world.reporter.done)
        result = {
            "proof": asdict(proof),
            "stopped": GONE if is_gone else followed["stopped"],
            "counts": {"gone": len(fed)} if is_gone else dict(counted(still.files, len(fed))),
            "not_converted": 0 if is_gone else len(moving),
            "measured": measured(still.files, still.runs, journal.samples(), self._begun_at),
            **find_letters(world.client("sqs"), world.names, self._prefix, journal.of(PLANNED)["dead_letters"]),
            "ended_at": iso_utc(world.now()),
        }
        journal.done(PROVEN, result)

    def _runs(self, manifests: set[str]) -> RunFacts:
        world = self._world
        return read_runs(world.client("glue"), world.names, self._begun_at, manifests, world.region, world.stated)

    def report(self) -> None:
        checks = judged(self._journal)
        self._keep(checks)
        self._journal.done(REPORTED, {"verdict": "PASS" if all(check.ok for check in checks) else "FAIL"})

    def _keep(self, checks: Any) -> None:
        report = report_of(self._journal, checks, self._world.version)
        self._world.keep_report(report)
        Results(self._world.client("s3"), self._world.names).put(report)

    # ------------------------------------------------------------------------------------------------ clean

    def clean(self) -> None:
        world, journal = self._world, self._journal
        world.reporter.phase("cleaning up")
        counts = journal.of(FOLLOWED)["counts"]
        is_least = bool(journal.noted("cleaning"))
        journal.note("cleaning", True)
        place = Place(
            client=world.client,
            names=world.names,
            date=journal.date,
            prefix=self._prefix,
            dataset=world.dataset,
            since=self._begun_at,
            now=world.now,
            sleep=world.sleep,
            delete_inputs=self._delete_inputs,
            may_come=bool(counts.get("unseen")) or self._settings.chaos or bool(journal.of(FOLLOWED)["stopped"]),
            settle_s=world.settle_s,
        )
        cleaned: Cleaned = clean(place, self._flush)
        cleaned.is_least = is_least
        journal.done(CLEANED, asdict(cleaned))
        self._keep(judged(journal))

    def _delete_inputs(self) -> int:
        """How many, in all tries."""
        delete_all(self._plan, self._world.client("s3"), self._fed)
        return len(self._fed.deleted)
