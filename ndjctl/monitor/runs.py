"""Runs of the job: those under way, today's, and what they cost. Reads what is new since the refresh before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from ndjctl.contracts import RUNNING
from ndjctl.glue_runs import GlueRun
from ndjctl.health.facts import Run
from ndjctl.health.reading_services import run_seen
from ndjctl.manifests import ManifestSummary
from ndjctl.monitor.model import Cost, FailedRun, RunProgress, Runs
from ndjctl.prices import built_in_book, dpu_key, dpu_price, dpu_price_of_profile
from ndjctl.prices.stated import stated_prices
from ndjctl.settings import Profile
from ndjctl.spent.billed import billed

RUN_CALLS = 21
"""Pages of runs, of RUNS_PER_CALL each: 4,200 runs are a day of 338,000 files in manifests of 100, and retries."""

RUNS_PER_CALL = 200
"""The most that GetJobRuns gives (AWS Glue API reference)."""

LISTED_FAILED = 5
ERROR_CHARACTERS = 500
"""Of the message of a failed run: Glue may put a whole log there."""

_LATEST = datetime.max.replace(tzinfo=timezone.utc)
_ALMOST = 0.99
"""What a promise of progress ends at: only the end is the end."""


@dataclass(frozen=True)
class SeenRun:
    """A run, and what else of it is billed by: texts are empty where Glue does not tell."""

    about: Run
    execution_class: str = ""
    glue_version: str = ""

    @property
    def run(self) -> GlueRun:
        return self.about.run

    @property
    def dpu_s(self) -> float:
        """DPU seconds so far, as they are billed; none of a run of which nothing tells them."""
        run = self.run
        found = billed(run.dpu_s, run.execution_s, self.about.dpus, has_ended=run.has_ended)
        return 0.0 if found is None else float(found.dpu_s)


class RunsSeen:
    """Today's runs and those under way, kept between refreshes: what has ended does not change any more."""

    def __init__(self, glue: Any, job: str) -> None:
        self._glue, self._job = glue, job
        self._known: dict[str, SeenRun] = {}
        self._is_complete = False

    def read(self, midnight: datetime) -> tuple[list[SeenRun], bool]:
        """(every run under way and every other that started since `midnight`, the newest first; whether that is all).

        Glue lists the newest first. The first time it reads back to midnight, later back to what it knows, and to the
        oldest that had not ended. At most RUN_CALLS calls. Raises what boto3 raises."""
        open_ids = {run_id for run_id, each in self._known.items() if not each.run.has_ended}
        found: dict[str, SeenRun] = {}
        is_complete = False
        for page, is_last in self._pages():
            found |= {each.run.run_id: each for each in page}
            is_past = any(_is_before(each, midnight) for each in page)
            is_known = self._is_complete and any(each.run.run_id in self._known for each in page)
            is_complete = is_last or ((is_past or is_known) and open_ids <= found.keys())
            if is_complete:
                break
        gone = open_ids - found.keys() if is_complete else set()
        known = {**self._known, **found}
        self._known = {
            run_id: each
            for run_id, each in known.items()
            if run_id not in gone and not (each.run.has_ended and _is_before(each, midnight))
        }
        self._is_complete = is_complete
        return sorted(self._known.values(), key=_when, reverse=True), is_complete

    def _pages(self) -> Iterator[tuple[list[SeenRun], bool]]:
        """(runs of a page, whether there is none behind it)."""
        request: dict[str, Any] = {"JobName": self._job, "MaxResults": RUNS_PER_CALL}
        for _ in range(RUN_CALLS):
            answer = self._glue.get_job_runs(**request)
            token = answer.get("NextToken")
            yield [_seen(each) for each in answer["JobRuns"]], not token
            if not token:
                return
            request["NextToken"] = token


def _seen(run: Mapping[str, Any]) -> SeenRun:
    return SeenRun(run_seen(run), str(run.get("ExecutionClass") or ""), str(run.get("GlueVersion") or ""))


def _is_before(each: SeenRun, moment: datetime) -> bool:
    return each.run.started_at is not None and each.run.started_at < moment


def _when(each: SeenRun) -> tuple[datetime, str]:
    return each.run.started_at or _LATEST, each.run.run_id


@dataclass(frozen=True)
class Pace:
    """What runs usually make, of a run's time from taking its manifest on: the base of a promise."""

    bytes_per_s: float
    run_s: float

    def expected_s(self, size_bytes: int) -> float:
        """A small manifest takes less than the usual one, but not in proportion: half of a run is taken for its start
        and its end."""
        return max(size_bytes / self.bytes_per_s, self.run_s / 2)


def runs_panel(
    runs: Sequence[SeenRun],
    is_complete: bool,
    manifests: Mapping[str, ManifestSummary],
    processing: Counter[str] | None,
    pace: Pace | None,
    now: datetime,
    midnight: datetime,
) -> Runs:
    """manifests: the open ones, by id. processing: files in work by manifest id, None where that is not known. pace:
    None where there is none to go by."""
    today = [each for each in runs if not _is_before(each, midnight)]
    going = [each for each in reversed(runs) if not each.run.has_ended]
    failed = [each.run for each in runs if each.run.has_failed]
    return Runs(
        under_way=tuple(_progress(each, manifests, processing, pace, now) for each in going),
        today=dict(Counter(each.run.state for each in today)),
        last_failed=tuple(
            FailedRun(run.run_id, run.state, run.completed_at, run.error[:ERROR_CHARACTERS])
            for run in failed[:LISTED_FAILED]
        ),
        dpus_in_use=sum(each.about.dpus or 0.0 for each in going),
        is_complete=is_complete,
    )


def _progress(
    each: SeenRun,
    manifests: Mapping[str, ManifestSummary],
    processing: Counter[str] | None,
    pace: Pace | None,
    now: datetime,
) -> RunProgress:
    manifest = manifests.get(each.about.manifest_id)
    started = each.run.started_at
    at_rest: int | None = None
    share: float | None = None
    is_estimate = False
    if manifest is not None and manifest.state != RUNNING:
        share = 0.0  # no run has taken it yet
    elif manifest is not None:
        if processing is not None and manifest.files:
            at_rest = max(0, manifest.files - processing[manifest.manifest_id])
            share = at_rest / manifest.files
        if not share and pace is not None and manifest.started_at is not None:
            taken_s = (now - manifest.started_at).total_seconds()
            share, is_estimate = max(0.0, min(taken_s / pace.expected_s(manifest.size_bytes), _ALMOST)), True
    return RunProgress(
        run=each.run,
        manifest_id=each.about.manifest_id,
        date=each.about.manifest_date,
        files=manifest.files if manifest else 0,
        size_bytes=manifest.size_bytes if manifest else 0,
        files_at_rest=at_rest,
        elapsed_s=max(0.0, (now - started).total_seconds()) if started else 0.0,
        share=share,
        is_estimate=is_estimate,
        dpus=each.about.dpus,
    )


def usd_of(runs: Iterable[SeenRun], region: str, stated: Mapping[str, Decimal] | None = None) -> float | None:
    """By what the profile states (ndjctl.prices.stated.stated_prices), else by the built-in prices; None where neither
    has one of them."""
    book = built_in_book(region)
    prices = {**({} if book is None else {key: each.usd for key, each in book.prices.items()}), **(stated or {})}
    usd = 0.0
    for each in runs:
        price = prices.get(dpu_key(each.glue_version, each.execution_class))
        if price is None:
            return None
        usd += each.dpu_s / 3600 * float(price)
    return usd if prices else None


def cost_of(runs: Sequence[SeenRun], is_complete: bool, profile: Profile, midnight: datetime) -> Cost:
    """What the runs that started since midnight cost so far. The price that is told is that of the newest run's Glue
    version."""
    region, stated = profile.region, stated_prices(profile)
    today = [each for each in runs if not _is_before(each, midnight)]
    version = next((each.glue_version for each in runs), "")
    is_stated = dpu_key(version) in stated
    price = dpu_price_of_profile(profile) if is_stated else dpu_price(region, version)
    hours = sum(each.dpu_s for each in today) / 3600
    usd = usd_of(today, region, stated)
    source = (
        f"no price of {region} is known here; cost.usd_per_dpu_hour states it"
        if price is None
        else f"{region}, {price.told}"
    )
    return Cost(hours, len(today), usd, price.usd if price else None, source, is_complete)
