"""The pure rules of redrives: which are chosen, how fast, and what it is about to cost."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.estimate import estimate
from ndjctl.forecast.rate import RUN_START_S
from ndjctl.prices import LEAST_BILLED_S
from ndjctl.profiles import load_profile
from ndjctl.redrive.choice import Choice, Reasons
from ndjctl.redrive.pacing import Pacer

PROD = load_profile("prod", working_dir=Path("/nonexistent")).profile


@pytest.mark.parametrize(
    ("pattern", "reason", "is_taken"),
    [
        (None, "", True),
        ("", "anything", True),
        ("no longer", "s3://b/k: it is No Longer there", True),
        ("no longer", "it is there", False),
        ("*ETag*", "s3://b/k: (its ETag is another)", True),
        ("ETag*", "s3://b/k: (its ETag is another)", False),
        ("more than 0 bad*", "s3://b/k: more than 0 bad lines, which is the limit", True),
        ("*: more than 0 bad*", "s3://b/k: more than 0 bad lines, which is the limit", True),
        ("run ? ended", "run 7 ended", True),
        ("run [0-5] ended", "run 7 ended", False),
        ("a.b", "axb", False),
        ("(", "a ( b", True),
    ],
)
def test_a_reason_is_part_of_the_text_or_a_pattern_of_all_of_it(
    pattern: str | None, reason: str, is_taken: bool
) -> None:
    assert Choice(pattern).takes_reason(reason) is is_taken


def test_reasons_are_counted_without_their_files_and_are_bounded() -> None:
    reasons = Reasons()
    for number in range(1_500):
        reasons.add(f"s3://bucket/{number}.ndjson: it is no longer there")
        reasons.add(f"run jr_{number} failed")
    reasons.add("")
    assert reasons.counts["it is no longer there"] == 1_500
    assert len(reasons.counts) <= 1_001
    assert sum(reasons.counts.values()) == 3_001


@given(st.floats(0.5, 500), st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_never_more_in_a_while_than_the_rate_allows(rate: float, works: list[float]) -> None:
    now = [100.0]
    begun: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pacer = Pacer(rate, lambda: now[0], sleep)
    for work in works:
        pacer.wait()
        begun.append(now[0])
        now[0] += work
    for earlier, later in itertools.pairwise(begun):
        assert later - earlier >= 1 / rate - 1e-9


def test_an_estimate_counts_runs_their_least_time_and_their_concurrency() -> None:
    assert estimate(PROD, 0, 0).manifests == 0
    tiny = estimate(PROD, 1, 1_000)
    assert (tiny.manifests, round(tiny.seconds)) == (1, RUN_START_S)
    assert tiny.cost_usd is not None
    assert tiny.cost_usd == pytest.approx(LEAST_BILLED_S / 3600 * PROD.job.dpus * 0.44)
    by_count, by_size = estimate(PROD, 1_001, 1_001), estimate(PROD, 10, 600 * 2**30)
    assert (by_count.manifests, by_size.manifests) == (11, 2)
    day = estimate(PROD, 338_000, 338_000 * 3_500_000_000)
    assert day.manifests == 3_380
    # 1.18 PB at 31 MB/s a vCPU, of which a DPU has 4: 2,650 DPU hours; drivers and billed starts besides.
    assert 1.18e9 / 31 / 4 / 3600 < day.dpu_hours < 1.2 * 338_000 * 3500 / 31 / 4 / 3600 + 3_380 * 30 / 3600 * 40
    assert json.dumps(day.to_dict())


def test_an_estimate_takes_no_price_of_another_region_or_version() -> None:
    elsewhere = estimate(PROD.model_copy(update={"region": "eu-north-1"}), 1, 1_000)
    assert elsewhere.cost_usd is None and "no price of a DPU hour is known in eu-north-1" in elsewhere.basis
    newest = estimate(PROD.model_copy(update={"job": PROD.job.model_copy(update={"glue_version": "6.0"})}), 1, 1_000)
    assert newest.cost_usd == pytest.approx(LEAST_BILLED_S / 3600 * PROD.job.dpus * 0.308)


@given(st.integers(1, 10_000), st.integers(1, 10**14), st.integers(1, 10_000), st.integers(0, 10**13))
def test_more_is_never_cheaper(files: int, size_bytes: int, more_files: int, more_bytes: int) -> None:
    less, more = estimate(PROD, files, size_bytes), estimate(PROD, files + more_files, size_bytes + more_bytes)
    assert more.manifests >= less.manifests
    assert more.cost_usd is not None and less.cost_usd is not None
    assert more.cost_usd >= less.cost_usd * (1 - 1e-9)
