"""The pure parts of load tests: phases, figures, plan, preflight, following."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.budget import NOTHING_SPENT
from ndjctl.contracts import Names, leading_date
from ndjctl.errors import CloudError, UsageError, WorkFailed
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import Quotas
from ndjctl.loadtest.chaos import schedule
from ndjctl.loadtest.configuration import configuration_hash
from ndjctl.loadtest.feeder import checked, feed_plan_of
from ndjctl.loadtest.figures import accumulated, concurrency, histogram, per_bucket, percentile, thinned
from ndjctl.loadtest.following import Eyes, Followed, Limits, Sample, follow, remaining_s
from ndjctl.loadtest.journal import FED, FOLLOWED, PLANNED, alone, begin, opened, unfinished
from ndjctl.loadtest.measuring import measured
from ndjctl.loadtest.model import PHASES, LoadSettings, Thresholds, files_of, input_key, is_test_id, new_test_id
from ndjctl.loadtest.observing import RunFacts, SeenFile
from ndjctl.loadtest.planning import Expected, expect
from ndjctl.loadtest.preflight import Before, check_before, check_budget, check_day, check_room
from ndjctl.loadtest.spending import Spending
from ndjctl.prices import dpu_price
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
SETTINGS = LoadSettings(phase=1, files=10, file_size_bytes=200_000, unique_files=4)


@pytest.fixture
def prod(tmp_path: Path) -> Profile:
    profile = load_profile("prod", working_dir=tmp_path).profile
    assert isinstance(profile, Profile)
    return profile


# ------------------------------------------------------------------------------------------------ what is asked for


def test_a_phase_can_be_made_smaller() -> None:
    assert [files_of(phase, None, None) for phase in PHASES] == [10, 100, 1_000, 10_000]
    assert (files_of(4, None, 0.01), files_of(4, 7, None), files_of(1, None, 0.001)) == (100, 7, 1)
    assert replace(SETTINGS, file_size_bytes=3_500_000_000).is_full_size
    assert not SETTINGS.is_full_size


def test_the_default_of_bad_lines_is_as_many_as_fit() -> None:
    small = replace(SETTINGS, file_size_bytes=10_000, bad_lines="10")
    assert checked(SETTINGS, "2026-11-27", may_shrink=True) == SETTINGS
    assert checked(small, "2026-11-27", may_shrink=True) == replace(small, bad_lines="2")
    assert checked(replace(small, file_size_bytes=100), "2026-11-27", may_shrink=True).bad_lines == "0"
    with pytest.raises(UsageError, match="there is room for 2; ask for fewer"):
        checked(small, "2026-11-27", may_shrink=False)
    with pytest.raises(UsageError, match="drifted records do not fit"):
        checked(replace(small, drift="100"), "2026-11-27", may_shrink=True)


def test_everything_of_a_test_is_told_by_its_name() -> None:
    test_id = new_test_id(NOW, "3fa2")
    key = input_key("2026-11-27", test_id, 12)
    assert is_test_id(test_id)
    assert key == "2026-11-27-loadtest-20261127T120000Z-3fa2-000012.ndjson"
    assert leading_date(key) == "2026-11-27"


@given(
    st.builds(
        LoadSettings,
        phase=st.sampled_from(list(PHASES)),
        files=st.integers(1, 100_000),
        file_size_bytes=st.integers(1, 10**12),
        unique_files=st.integers(1, 9),
        schema=st.none() | st.just({"fields": [{"name": "größe", "type": "int64"}]}),
        rate_per_s=st.none() | st.floats(0.1, 100),
        thresholds=st.builds(Thresholds, max_cost_usd=st.none() | st.floats(0, 1e6)),
    )
)
def test_settings_come_back_from_their_document(settings: LoadSettings) -> None:
    assert LoadSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_only_what_matters_changes_the_configuration(prod: Profile) -> None:
    first = configuration_hash(prod, "code")
    assert configuration_hash(prod.model_copy(update={"log_level": "DEBUG", "suffix": "x"}), "code") == first
    assert configuration_hash(prod, "other code") != first
    fewer = prod.model_copy(update={"job": prod.job.model_copy(update={"workers": 3})})
    assert configuration_hash(fewer, "code") != first


# ------------------------------------------------------------------------------------------------ figures


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_a_value_that_enough_are_not_above(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_a_histogram_has_every_value_once(values: list[float]) -> None:
    assert sum(each.count for each in histogram(values)) == len(values)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 100)), max_size=50), st.floats(1, 1000))
def test_amounts_over_time_lose_nothing(events: list[tuple[float, float]], end_s: float) -> None:
    points = per_bucket(events, end_s)
    width = points[1][0] - points[0][0] if len(points) > 1 else max(end_s / 60, 1.0)
    assert sum(rate * width for _, rate in points) == pytest.approx(sum(amount for _, amount in events), abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=30))
def test_concurrency_ends_at_nothing(pairs: list[tuple[float, float]]) -> None:
    steps = concurrency((begin, begin + length) for begin, length in pairs)
    assert not steps or steps[-1][1] == 0
    assert all(count >= 0 for _, count in steps)


def test_close_latencies_have_bins_with_a_width_and_a_small_test_its_throughput() -> None:
    ends = [NOW + timedelta(seconds=8, milliseconds=n) for n in (0, 1, 7)]
    files = [SeenFile(f"{n}", "completed", 100, NOW, end, "m", "", "") for n, end in enumerate(ends)]
    found = measured(files, RunFacts((), 0.0, None, 0, True), [], NOW)
    assert sum(count for _, _, count in found["series"]["latency_s"]) == 3
    assert all(low < high for low, high, _ in found["series"]["latency_s"])
    assert found["mb_per_s"] == pytest.approx(0.0003 / 8.007, abs=1e-6)


def test_what_accumulates_grows_while_it_lasts() -> None:
    found = dict(accumulated([(0, 10, 5.0), (5, 15, 1.0)], 20, points=4))
    assert found == {0: 0.0, 5: 2.5, 10: 5.5, 15: 6.0, 20: 6.0}
    assert thinned([(float(n), 0.0) for n in range(1000)], 3) == [(0.0, 0.0), (500.0, 0.0), (999.0, 0.0)]


# ------------------------------------------------------------------------------------------------ the journal


def _begun(home: Path) -> Any:
    return begin(home, "dev", new_test_id(NOW, "3fa2"), SETTINGS, "2026-11-27", "2026-11-27T12:00:00Z", {"a": 1})


def test_a_test_goes_on_where_it_was(tmp_path: Path) -> None:
    journal = _begun(tmp_path)
    journal.note("begun_at", "2026-11-27T12:00:01.000Z")
    journal.done(FED, {"files": 10})
    again = opened(journal.folder)
    assert (again.settings, again.date, again.of(PLANNED), again.of(FED)) == (
        SETTINGS,
        "2026-11-27",
        {"a": 1},
        {"files": 10},
    )
    assert again.noted("begun_at") == "2026-11-27T12:00:01.000Z"
    assert not again.has(FOLLOWED) and not again.is_over
    assert [each.test_id for each in unfinished(tmp_path)] == [journal.test_id]
    with pytest.raises(ValueError, match="not the stage"):
        again.done(PLANNED, {})


def test_half_a_sample_is_none(tmp_path: Path) -> None:
    journal = _begun(tmp_path)
    journal.add_sample({"at_s": 1})
    with (journal.folder / "samples.ndjson").open("a") as file:
        file.write('{"at_s": 2, "cou')
    assert journal.samples() == [{"at_s": 1}]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"format":"ndjctl.loadtest","version":9}', b"[1]", b"\xff"])
def test_what_is_no_state_is_said_to_be_none(tmp_path: Path, body: bytes) -> None:
    journal = _begun(tmp_path)
    (journal.folder / "state.json").write_bytes(body)
    with pytest.raises(UsageError, match=r"state\.json"):
        opened(journal.folder)
    assert unfinished(tmp_path) == []


def test_one_test_of_an_environment_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(WorkFailed, match="under way"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


# ------------------------------------------------------------------------------------------------ plan, preflight


def _expected(profile: Profile, settings: LoadSettings) -> Expected:
    feed = feed_plan_of(settings, "in", "2026-11-27", new_test_id(NOW, "3fa2"))
    return expect(profile, settings, feed, Rate(20.0, 90.0, "said"), Quotas(), dpu_price("us-east-1", "4.0"))


def test_the_plan_of_phase_4_at_full_size(prod: Profile) -> None:
    full = LoadSettings(phase=4, files=10_000, file_size_bytes=3_500_000_000, unique_files=4)
    expected = _expected(prod, full)
    assert (expected.files_per_manifest, expected.manifests) == (100, 100)
    assert expected.glue_usd == pytest.approx(expected.dpu_hours * 0.44)
    # 35 TB at 20 MB/s a vCPU and 4 vCPU a DPU are 116 DPU hours of work; the driver's and the starts come on top.
    assert 116 < expected.dpu_hours < 300
    assert expected.rounds == -(-100 // expected.concurrent_runs)
    # 14 GB at 125 MB/s, and 625 times 16 copies of 3.5 GB at 85 MB/s.
    assert expected.feed_s == pytest.approx(14_000 / 125 + 625 * 3_500 / 85, rel=0.01)
    assert expected.seconds == pytest.approx(expected.feed_s + 60 + expected.run_s)
    assert "85 MB/s a copy" in expected.basis and "125 MB/s" in expected.basis


def test_files_that_come_slowly_make_more_manifests_which_cost_more(prod: Profile) -> None:
    """At 60 an hour ten come in the ten minutes that a partial batch waits."""
    slow = LoadSettings(phase=2, files=100, file_size_bytes=3_500_000_000, unique_files=4, rate_per_s=60 / 3600)
    quick, expected = _expected(prod, replace(slow, rate_per_s=None)), _expected(prod, slow)
    assert prod.batching.max_partial_age_s == 600
    assert (quick.manifests, quick.files_per_manifest) == (1, 100)
    assert (expected.manifests, expected.files_per_manifest) == (10, 10)
    assert expected.glue_usd is not None and quick.glue_usd is not None
    assert expected.glue_usd > quick.glue_usd
    assert expected.feed_s == pytest.approx(99 * 60)


def test_the_last_manifest_of_a_test_costs_what_is_in_it(prod: Profile) -> None:
    settings = LoadSettings(phase=2, files=100, file_size_bytes=3_500_000_000, unique_files=4)
    one, two = _expected(prod, settings), _expected(prod, replace(settings, files=101))
    assert two.manifests == 2
    assert two.dpu_hours < 1.5 * one.dpu_hours, "the second has one file"


def test_small_files_are_fed_at_the_rate_of_requests(prod: Profile) -> None:
    small = LoadSettings(phase=4, files=10_000, file_size_bytes=10_000, unique_files=4)
    assert 10_000 * 0.1 / 16 <= _expected(prod, small).feed_s < 70


def test_a_test_wants_an_environment_that_is_fit_for_it(prod: Profile) -> None:
    fit = Before((), 0, 0, 0, 0, 0)
    settings = replace(SETTINGS, phase=2, file_size_bytes=3_500_000_000)

    def refused(before: Before, settings: LoadSettings, is_passed: bool | None = True) -> list[str]:
        return [check.name for check in check_before(before, prod, settings, [], is_passed) if not check.ok]

    assert refused(fit, settings) == []
    assert refused(replace(fit, pending_changes=("job/x",)), settings) == ["drift"]
    assert refused(replace(fit, queue_messages=1), settings) == ["queue"]
    assert refused(replace(fit, others_pending=1), settings) == ["idle"]
    assert refused(replace(fit, others_open=1), settings) == ["idle"]
    assert refused(fit, replace(settings, file_size_bytes=1_000)) == ["size"]
    assert refused(fit, settings, is_passed=False) == ["phase"]
    assert refused(fit, replace(settings, phase=1), is_passed=False) == []
    assert refused(fit, settings, is_passed=None) == [], "--force"


def test_a_budget_is_kept_before_anything_is_paid() -> None:
    assert check_budget(1.0, None) is None
    over, within, unknown = check_budget(2.0, 1.0), check_budget(1.0, 1.0), check_budget(None, 1.0)
    assert over is not None and not over.ok and "$2.00" in over.sentence
    assert within is not None and within.ok
    assert unknown is not None and not unknown.ok


def test_a_test_that_its_disk_has_no_room_for_does_not_begin() -> None:
    def check(size_bytes: int) -> None:
        if size_bytes > 100:
            raise WorkFailed("The disk is too full: 100 bytes are free, 101 are needed.")

    assert check_room(check, 100) is None
    refused = check_room(check, 101)
    assert refused is not None and not refused.ok
    assert refused.sentence == "the disk is too full: 100 bytes are free, 101 are needed"


# ------------------------------------------------------------------------------------------------ chaos


@given(st.integers(0, 2**64), st.integers(1, 300))
def test_the_faults_are_fixed_by_the_seed(seed: int, files: int) -> None:
    planned = schedule(seed, files)
    assert planned == schedule(seed, files)
    assert sorted(planned.order) == list(range(files))
    hit = (planned.lost, planned.twice, planned.late)
    assert sum(map(len, hit)) == len(frozenset().union(*hit)), "none is hit twice: what is lost is lost"
    assert planned.lost and frozenset().union(*hit, planned.overwritten) <= set(range(files))


# ------------------------------------------------------------------------------------------------ following


class _Cloud:
    """Files that come to rest as time goes by. script: for each look, the statuses of the files seen."""

    def __init__(self, script: list[list[str]]) -> None:
        self.now = NOW
        self.script = script
        self.looks = self.flushes = 0

    def look(self) -> list[SeenFile]:
        statuses = self.script[min(self.looks, len(self.script) - 1)]
        self.looks += 1
        return [
            SeenFile(f"{n}", status, 100, NOW, self.now if status == "completed" else None, "m", "why", "")
            for n, status in enumerate(statuses)
        ]

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def flush(self) -> None:
        self.flushes += 1
        raise CloudError("it was killed")


def _follow(cloud: _Cloud, limits: Limits, **more: Any) -> tuple[Followed, list[Sample]]:
    samples: list[Sample] = []
    eyes = Eyes(
        look=cloud.look,
        fed=lambda: limits.files,
        is_fed=lambda: True,
        raise_failure=lambda: None,
        flush=cloud.flush,
        tell=samples.append,
        begun_at=NOW,
        now=lambda: cloud.now,
        sleep=cloud.sleep,
        **more,
    )
    return follow(eyes, limits), samples


def test_following_ends_when_all_are_at_rest() -> None:
    cloud = _Cloud([[], ["pending"] * 2, ["processing"] * 2, ["completed", "processing"], ["completed"] * 2])
    followed, samples = _follow(cloud, Limits(2, 0.01, 900))
    assert (followed.counts, followed.stopped) == (Counter(completed=2), "")
    assert samples[0].counts == Counter(unseen=2)
    assert cloud.flushes, "the last batch is partial: somebody has to ask for it"
    assert remaining_s(samples[:1], 2) is None
    assert remaining_s(samples, 4) == pytest.approx(4.0)


def test_it_stops_at_the_rate_of_failures() -> None:
    followed, _ = _follow(_Cloud([["failed", *["processing"] * 9]]), Limits(10, 0.01, 900))
    assert "1 of 10 files failed" in followed.stopped
    followed, _ = _follow(_Cloud([["failed", *["completed"] * 9]]), Limits(10, 0.1, 900))
    assert followed.stopped == ""


def test_it_does_not_wait_for_ever() -> None:
    followed, samples = _follow(_Cloud([["processing"]]), Limits(1, 0.01, 60))
    assert "not at rest 60 s after" in followed.stopped
    assert samples[-1].at_s <= 75


def test_a_lost_event_is_told_from_a_slow_one() -> None:
    followed, samples = _follow(_Cloud([["completed"]]), Limits(2, 0.01, 900, event_limit_s=30))
    assert (followed.counts["unseen"], followed.stopped) == (1, "")
    assert 30 < samples[-1].at_s < 60


def test_where_lost_events_are_expected_the_test_enters_them() -> None:
    cloud = _Cloud([["completed"]])

    def enter() -> int:
        cloud.script = [["completed"] * 2]
        cloud.looks = 0
        return 1

    followed, _ = _follow(cloud, Limits(2, 0.01, 900, event_limit_s=30), enter_unseen=enter)
    assert (followed.counts, followed.lost_events) == (Counter(completed=2), 1)


# ------------------------------------------------------------------------------------------------ the budget


class _Glue:
    """One run, under way. told: what Glue tells of it so far."""

    def __init__(self, **told: Any) -> None:
        self.calls = 0
        uri = "s3://m/manifests/2026-11-27/manifest-m.json"
        self.run = {"Id": "jr_1", "StartedOn": NOW, "MaxCapacity": 2.0, "Arguments": {"--MANIFEST_PATH": uri}, **told}

    def get_job_runs(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        return {"JobRuns": [self.run]}


def _spending(cloud: _Cloud, glue: _Glue, budget_usd: float, region: str = "us-east-1") -> Spending:
    return Spending(glue, Names("1" * 12), region, NOW, 0.0, budget_usd, lambda: cloud.now)


@pytest.mark.parametrize("told", [{"ExecutionTime": 3_600}, {"DPUSeconds": 7_200.0}])
def test_a_test_stops_when_its_runs_have_cost_its_budget(told: dict[str, Any]) -> None:
    """Two DPU for an hour are $0.88; the run of another manifest does not count."""
    cloud = _Cloud([["processing"]])
    glue = _Glue(JobRunState="RUNNING", **told)
    followed, samples = _follow(cloud, Limits(1, 0.01, 900), why_stop=_spending(cloud, glue, 0.87).why_stop)
    assert followed.over_budget and followed.stopped == "its cost passed the budget of $0.8700"
    assert len(samples) == 1
    followed, _ = _follow(cloud, Limits(1, 0.01, 60), why_stop=_spending(cloud, glue, 0.88).why_stop)
    assert not followed.over_budget and "not at rest" in followed.stopped
    glue.run["Arguments"] = {}
    assert _spending(cloud, glue, 0.0).why_stop(cloud.look()) == ""


def test_what_a_run_costs_is_looked_at_now_and_then() -> None:
    cloud, glue = _Cloud([["processing"]]), _Glue(JobRunState="RUNNING")
    spending = _spending(cloud, glue, 0.02)
    followed, samples = _follow(cloud, Limits(1, 0.01, 180), why_stop=spending.why_stop)
    # What has just begun will be billed for a minute: of two DPUs.
    assert not followed.over_budget and spending.spent_usd == pytest.approx(120 / 3_600 * 0.44)
    assert len(samples) > 100 and 11 <= glue.calls <= 13


def test_what_is_at_rest_is_not_stopped_and_an_unknown_price_stops_nothing() -> None:
    cloud, glue = _Cloud([["completed"]]), _Glue(JobRunState="SUCCEEDED", ExecutionTime=3_600)
    followed, _ = _follow(cloud, Limits(1, 0.01, 900), why_stop=_spending(cloud, glue, 0.1).why_stop)
    assert (followed.stopped, followed.over_budget) == ("", False)
    assert _spending(cloud, glue, 0.1, "xx-nowhere-1").why_stop(cloud.look()) == ""


def test_the_budget_of_the_day_has_to_have_room_for_the_runs(tmp_path: Path, prod: Profile) -> None:
    """10 dollars are 10 / 0.44 * 3600 DPU seconds of Glue 4.0."""
    assignments = ("cost.max_per_day=10", "cost.hold_runs=true")
    profile = load_profile("prod", working_dir=tmp_path, assignments=assignments).profile
    assert check_day(NOTHING_SPENT, prod, 100.0) is None
    room, none = check_day(NOTHING_SPENT, profile, 9.99), check_day(NOTHING_SPENT, profile, 10.01)
    assert room is not None and room.ok and room.sentence == "$10.00 of today's budget for runs are left"
    assert none is not None and not none.ok
    spent = replace(NOTHING_SPENT, spent=Decimal(9) / Decimal("0.44") * 3600)
    left = check_day(spent, profile, 1.5)
    assert left is not None and not left.ok and "$1.00" in left.sentence
    now = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
    held = check_day(replace(spent, held_since=now), profile, 0.0)
    assert held is not None and not held.ok and "cost lift" in held.sentence
    assert check_day(replace(spent, lifted_at=now), profile, 100.0) is None
    more = check_day(replace(spent, lifted_at=now, lifted_to=spent.spent * 2), profile, 8.9)
    assert more is not None and more.ok
