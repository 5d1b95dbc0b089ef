"""What the DPU seconds of runs went to: hand-worked runs, and the parts that are always the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.health.checks_budget import billed as billed_by_budget
from ndjctl.listing.runs import RunFilter, list_runs
from ndjctl.monitor.runs import RunsSeen
from ndjctl.spent.billed import Billed, billed
from ndjctl.spent.runs import SpentRun, spent_run
from ndjctl.spent.waste import PARTS, JudgedRun, LedgerManifest, RunTimes, judge, later_attempts, shared_out
from tests.spent_world import at, closed, job_run, run, times

D = Decimal
START = D(90)


def judged(
    runs: Sequence[SpentRun],
    manifests: Mapping[str, LedgerManifest] | None = None,
    reports: Mapping[str, RunTimes] | None = None,
) -> dict[str, JudgedRun]:
    return {each.about.run.run_id: each for each in judge(runs, manifests or {}, reports or {}, START)}


def parts(each: JudgedRun) -> dict[str, Decimal]:
    """Those that are not zero."""
    return {name: value for name, value in each.parts.items() if value}


@pytest.mark.parametrize(
    ("about", "has_ended", "expected"),
    [
        ((1_234.5, 600, 10.0), True, Billed(D("1234.5"), is_told=True)),  # Glue's own figure wins
        ((None, 600, 10.0), True, Billed(D(6_000))),
        ((None, 60, 2.0), True, Billed(D(120))),
        ((None, 20, 10.0), True, Billed(D(600), D(400))),  # a minute at least, of which 40 s did not run
        ((100.0, 20, 10.0), True, Billed(D(300), D(200), is_told=True)),  # 5 DPUs in the mean
        ((100.0, 20, None), True, Billed(D(300), D(200), is_told=True)),
        ((None, 0, 10.0), True, Billed(D(0))),  # it ended before it ran
        ((0.3, 0, None), True, Billed(D(0), is_told=True)),
        ((None, 0, 10.0), False, Billed(D(600), D(600))),  # it will be billed for a minute at least
        ((None, 90, 10.0), False, Billed(D(900))),
        ((10.0, 90, 10.0), False, Billed(D(900))),  # what is told before the end need not be all
        ((None, 600, None), True, None),
    ],
)
def test_what_a_run_is_billed_by(about: tuple[Any, ...], has_ended: bool, expected: Billed | None) -> None:
    assert billed(*about, has_ended=has_ended) == expected


@pytest.mark.parametrize(
    "document",
    [
        job_run("r"),
        job_run("r", seconds=20),
        job_run("r", told=1_234.567),
        job_run("r", seconds=7, told=14.0),
        job_run("r", "RUNNING", seconds=70, MaxCapacity=2.5),
        job_run("r", "STARTING", seconds=0),
    ],
)
def test_every_command_has_the_same_dpu_seconds(document: dict[str, Any]) -> None:
    class Glue:
        def get_job_runs(self, **_: Any) -> dict[str, Any]:
            return {"JobRuns": [document]}

    class NoLedger:
        def items(self, *_: Any) -> list[Any]:
            return []

    expected = float(spent_run(document).dpu_s)
    (seen,), _ = RunsSeen(Glue(), "job").read(at(-60))
    assert seen.dpu_s == expected == float(billed_by_budget(seen.about))
    (listed,) = list_runs(Glue(), "job", NoLedger(), RunFilter())  # type: ignore[arg-type]
    assert listed.dpu_hours == pytest.approx(expected / 3_600, rel=1e-12)
    assert listed.is_estimated == ("DPUSeconds" not in document)


def test_a_run_with_a_report() -> None:
    """600 s of 10 DPU. Its program began after 60 s and Spark took 30 s of it: 90 s of start are 900 DPU seconds. All
    tasks together took 8,000 s, each on a quarter of a DPU: 2,000 DPU seconds were used, and the other 3,100 not."""
    found = judged([run("r")], {"m1": closed("r", 10)}, {"m1": times("r", 1, spark_s="30", busy_s="8000")})["r"]
    assert parts(found) == {"start_up": D(900), "idle": D(3_100), "useful": D(2_000)}
    assert (found.start, found.is_idle_told) == ("told", True)


def test_time_that_glue_waited_for_workers_is_no_start() -> None:
    """CompletedOn is 5 minutes later than it would be if it had run at once: billed are the last 600 s."""
    waited = run("r", CompletedOn=at(15))
    found = judged([waited], {}, {"m1": times("r", 6)})["r"]
    assert found.parts["start_up"] == 600  # 60 s of 10 DPU


def test_a_run_without_a_report() -> None:
    found = judged([run("r")], {"m1": closed("r", 10)})["r"]
    assert parts(found) == {"start_up": D(900), "useful": D(5_100)}
    assert (found.start, found.is_idle_told) == ("assumed", False)


def test_tasks_that_took_longer_than_what_was_billed() -> None:
    """A task's seconds are of a clock: with more tasks than vCPUs they say more than there was."""
    found = judged([run("r")], {}, {"m1": times("r", 1, busy_s="999999")})["r"]
    assert parts(found) == {"start_up": D(600), "useful": D(5_400)}


def test_a_report_of_another_run_says_nothing_of_this_one() -> None:
    assert judged([run("r")], {}, {"m1": times("other", 1, busy_s="9")})["r"].start == "assumed"


def test_fewer_workers_than_asked_for() -> None:
    """Auto scaling: 600 s, but 3,000 DPU seconds, 5 DPU on average. The start of 90 s is 450 of them."""
    found = judged([run("r", told=3_000.0)], {}, {"m1": times("r", 1.5, busy_s="9000")})["r"]
    assert parts(found) == {"start_up": D(450), "idle": D(300), "useful": D(2_250)}


def test_a_short_run_is_billed_a_minute() -> None:
    """20 s of 10 DPU: 200 DPU seconds that ran, all of them a start, and 400 that make the minute."""
    assert parts(judged([run("r", seconds=20)])["r"]) == {"start_up": D(200), "minimum": D(400)}
    assert parts(judged([run("r", seconds=20, told=100.0)])["r"]) == {"start_up": D(100), "minimum": D(200)}


def test_an_attempt_that_failed_is_waste_and_the_one_that_made_it_is_not() -> None:
    runs = [run("r", "FAILED", seconds=30), run("r_attempt_1", begun=1), run("s", "TIMEOUT", manifest="m2")]
    found = judged(runs, {"m1": closed("r_attempt_1", 11)})
    assert parts(found["r"]) == {"retried": D(300), "minimum": D(300)}
    assert parts(found["r_attempt_1"]) == {"start_up": D(900), "useful": D(5_100)}
    assert parts(found["s"]) == {"failed": D(6_000)}  # nothing came after it


def test_our_own_retries_are_runs_of_their_own() -> None:
    runs = [run("b", begun=20), run("a", "STOPPED"), run("c", "ERROR", begun=40)]
    assert [each.kind for each in judged(runs).values()] == ["retried", "useful", "failed"]


def test_a_second_run_of_a_manifest_that_was_converted() -> None:
    found = judged([run("a"), run("b", begun=20)], {"m1": closed("a", 10)})
    assert (found["a"].kind, found["b"].kind, found["b"].is_unsure) == ("useful", "duplicate", False)
    assert parts(found["b"]) == {"duplicate": D(6_000)}


def test_two_at_once_of_which_the_later_one_took_the_manifest() -> None:
    found = judged([run("a"), run("b", begun=1)], {"m1": closed("b", 11)})
    assert (found["a"].kind, found["b"].kind) == ("duplicate", "useful")


def test_a_reprocess_is_no_duplicate() -> None:
    """The manifest was opened again: the ledger has the second run, which began when the first had ended."""
    found = judged([run("a"), run("b", begun=60)], {"m1": closed("b", 70)})
    assert (found["a"].kind, found["b"].kind) == ("useful", "reprocessed")
    assert parts(found["b"]) == {"reprocessed": D(6_000)}


def test_a_duplicate_after_a_reprocess() -> None:
    found = judged([run("a"), run("b", begun=60), run("c", begun=80)], {"m1": closed("b", 70)})
    assert [found[name].kind for name in "abc"] == ["useful", "reprocessed", "duplicate"]


def test_what_the_ledger_has_forgotten_is_not_sure() -> None:
    found = judged([run("a"), run("b", begun=20)])
    assert (found["b"].kind, found["b"].is_unsure) == ("duplicate", True)


def test_a_duplicate_of_a_run_before_the_time_that_is_looked_at() -> None:
    assert judged([run("b", begun=20)], {"m1": closed("a", 10)})["b"].kind == "duplicate"


def test_under_way_is_not_judged() -> None:
    assert parts(judged([run("r", "RUNNING", seconds=120)])["r"]) == {"under_way": D(1_200)}
    assert parts(judged([run("r", "STARTING", seconds=0)])["r"]) == {"under_way": D(600)}


def test_runs_of_no_manifest_are_not_of_one() -> None:
    found = judged([run("a", manifest=""), run("b", manifest="", begun=20), run("c", "FAILED", manifest="", begun=1)])
    assert [found[name].kind for name in "abc"] == ["useful", "useful", "failed"]


def test_what_glue_made_again_by_itself_was_made_again() -> None:
    """Also where a run is of no manifest, and where only one of its attempts tells of which."""
    found = judged([run("a", "FAILED", manifest=""), run("a_attempt_1", "FAILED", manifest="", begun=20)])
    assert [found[name].kind for name in ("a", "a_attempt_1")] == ["retried", "failed"]
    assert later_attempts(found.values()) == 1
    found = judged([run("a", "FAILED"), run("a_attempt_1", manifest="", begun=20), run("b", begun=40)])
    assert [found[name].kind for name in ("a", "a_attempt_1", "b")] == ["retried", "useful", "duplicate"]
    found = judged([run("a", "FAILED", manifest=""), run("a_attempt_1", manifest="", begun=20)])
    assert [each.kind for each in found.values()] == ["retried", "useful"]


def test_a_duplicate_that_is_under_way_is_no_later_attempt() -> None:
    doubled = judged([run("a"), run("b", "RUNNING", begun=20, seconds=9)], {"m1": closed("a", 10)})
    assert later_attempts(doubled.values()) == 0
    both = judged([run("a", "RUNNING", seconds=99), run("b", "RUNNING", begun=1, seconds=9)])
    assert later_attempts(both.values()) == 0
    again = judged([run("a", "FAILED"), run("b", "RUNNING", begun=20, seconds=9)])
    assert later_attempts(again.values()) == 1


STATES = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED", "RUNNING", "STARTING")
seconds = st.integers(0, 90) | st.integers(0, 5_000)
runs_of_any_kind = st.lists(
    st.builds(
        lambda number, state, manifest, begun, execution_s, told, workers: run(
            f"r{number}",
            state,
            manifest=manifest,
            begun=begun,
            seconds=execution_s,
            told=told,
            WorkerType=workers[0],
            MaxCapacity=workers[1],
        ),
        st.integers(0, 10**6),
        st.sampled_from(STATES),
        st.sampled_from(["", "m1", "m2", "m3"]),
        st.integers(0, 200),
        seconds,
        st.none() | st.floats(0, 10**7, allow_nan=False),
        st.sampled_from([("G.1X", 10.0), ("G.025X", 2.5), ("", 0.0625), ("G.2X", None), ("", None)]),
    ),
    max_size=12,
    unique_by=lambda each: each.run.run_id,
)


@given(
    runs_of_any_kind,
    st.dictionaries(
        st.sampled_from(["m1", "m2"]),
        st.builds(closed, st.sampled_from(["r1", "r2", ""]), st.integers(0, 300)),
    ),
    st.integers(1, 12),
    st.decimals(0, 10**6, places=3),
    st.decimals(0, 1_000, places=3),
)
def test_the_parts_of_a_run_are_the_whole(
    runs: list[SpentRun], manifests: dict[str, LedgerManifest], reported: int, busy_s: Decimal, spark_s: Decimal
) -> None:
    reports = {
        each.manifest_id: RunTimes(each.run.run_id, each.run.started_at, spark_s, busy_s) for each in runs[:reported]
    }
    found = judge(runs, manifests, reports, START)
    assert len(found) == len(runs)
    for each in found:
        assert set(each.parts) == set(PARTS)
        assert min(each.parts.values()) >= 0
        assert sum(each.parts.values()) == each.about.dpu_s  # not about: exactly


@given(
    st.dictionaries(st.text(max_size=3), st.decimals(-(10**6), 10**6, places=9), max_size=12),
    st.sampled_from([D("0.01"), D("0.0001"), D("0.000001")]),
)
def test_cents_add_up(amounts: dict[str, Decimal], quantum: Decimal) -> None:
    told = shared_out(amounts, quantum)
    assert sum(told.values()) == sum(amounts.values(), D(0)).quantize(quantum)
    assert all(abs(told[name] - amount) < quantum for name, amount in amounts.items())
