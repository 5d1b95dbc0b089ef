"""Load tests: the proof, the verdict with every planted failure, and which phase may follow which. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.generate.record import FileFacts
from ndjctl.loadtest.model import Thresholds, told_shape
from ndjctl.loadtest.proving import compared
from ndjctl.loadtest.results import is_allowed, passed, told_phases
from ndjctl.loadtest.verdict import FAIL, PASS, Facts, Proof, judge, reasons_of, verdict_of

_COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5))


def _facts(lines: int, **bad: int) -> FileFacts:
    return FileFacts(0, 1000, lines, "sha256:0", {reason.replace("_", " "): count for reason, count in bad.items()})


MADE = {"s3://b/1": _facts(10, not_JSON=2), "s3://b/2": _facts(5)}
ROWS = {"s3://b/1": 8, "s3://b/2": 5, "s3://b/of-others": 99}
BAD = {("s3://b/1", "not JSON"): 2}


def test_a_proof_that_holds() -> None:
    proof = compared(MADE, ROWS, BAD)
    assert (proof.lines_in, proof.rows, proof.bad_lines, proof.lost, proof.duplicated) == (15, 13, 2, 0, 0)
    assert proof.files_not_balanced == 0


def test_one_files_surplus_does_not_hide_anothers_loss() -> None:
    proof = compared(MADE, {**ROWS, "s3://b/1": 9, "s3://b/2": 4}, BAD)
    assert (proof.lost, proof.duplicated, proof.files_not_balanced) == (1, 1, 2)
    assert "s3://b/1 has 8 records" in proof.examples[0]


def test_a_bad_line_that_became_a_row_is_found_though_the_sum_is_right() -> None:
    proof = compared(MADE, {**ROWS, "s3://b/1": 9}, {("s3://b/1", "not JSON"): 1})
    assert (proof.lost, proof.duplicated, proof.files_not_balanced) == (0, 0, 1)
    checks = judge(_good(proof), Thresholds())
    assert [check.name for check in checks if not check.ok] == ["bad_lines"]


def test_the_reason_of_a_bad_line_counts() -> None:
    assert compared(MADE, ROWS, {("s3://b/1", "not JSON"): 1, ("s3://b/1", "NUL byte"): 1}).wrong_reasons == 1


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5)),
)
def test_lost_less_duplicated_is_the_difference(lines: dict[str, int], rows: dict[str, int]) -> None:
    made = {source: _facts(count) for source, count in lines.items()}
    proof = compared(made, rows, {})
    assert proof.lost - proof.duplicated == sum(lines.values()) - sum(rows.get(source, 0) for source in made)
    assert min(proof.lost, proof.duplicated) >= 0


def _good(proof: Proof | None = None, **more: Any) -> Facts:
    found = {
        "files": 2,
        "counts": {"completed": 2},
        "proof": proof or compared(MADE, ROWS, BAD),
        "latencies": {"p50": 10.0, "p95": 20.0, "p99": 30.0, "max": 30.0},
        "seconds": 60.0,
        "mb_per_s": 5.0,
        "dpu_hours": 1.0,
        "usd": 0.44,
        "estimated_usd": 0.40,
        **more,
    }
    return Facts(**found)


STRICT = Thresholds(10.0, 20.0, 30.0, 5.0, 1.0, 1.5, 0.01, 0.44)


def test_what_is_within_all_thresholds_passes() -> None:
    checks = judge(_good(), STRICT)
    assert verdict_of(checks) == PASS and reasons_of(checks) == []
    assert {"p50", "p95", "p99", "throughput", "dpu_hours", "budget", "cost"} <= {check.name for check in checks}


PLANTED: Mapping[str, tuple[Facts, str, str]] = {
    "lost event": (_good(counts={"completed": 1, "unseen": 1}, first_unseen="k"), "events", "no event came of 1 file"),
    "duplicated part": (_good(compared(MADE, {**ROWS, "s3://b/2": 10}, BAD)), "duplicated", "5 lines more than once"),
    "lost part": (_good(compared(MADE, {}, BAD)), "lost", "13 lines lost"),
    "failing job": (_good(counts={"failed": 2}, first_error="boom"), "failed", "2 files failed, the first: boom"),
    "stopped": (_good(stopped="2 of 2 files failed"), "stopped", "stopped: 2 of 2"),
    "quarantined": (_good(counts={"completed": 1, "quarantined": 1}), "quarantined", "1 file quarantined"),
    "too slow": (_good(latencies={"p50": 10.0, "p95": 21.0, "p99": 30.0}), "p95", "p95 from upload to Parquet 21.0 s"),
    "no latency": (_good(latencies={}), "p95", "not known"),
    "too little": (_good(mb_per_s=4.9), "throughput", "4.9 MB/s"),
    "over budget": (_good(usd=0.45), "budget", "the budget is $0.44"),
    "over the estimate": (_good(usd=0.44, estimated_usd=0.2), "cost", "2.20 times the estimate"),
    "too many DPU hours": (_good(dpu_hours=1.1), "dpu_hours", "1.10 DPU hours"),
    "dead letter": (_good(new_dead_letters=1), "dead_letters", "1 new message"),
    "unreadable": (_good(replace(compared(MADE, ROWS, BAD), unreadable=("s3://o/p: no",))), "readable", "s3://o/p: no"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_failure_is_a_fail_with_its_reason(planted: str) -> None:
    facts, name, words = PLANTED[planted]
    checks = judge(facts, STRICT)
    assert verdict_of(checks) == FAIL
    assert name in {check.name for check in checks if not check.ok}
    assert any(words in reason for reason in reasons_of(checks)), reasons_of(checks)


# ------------------------------------------------------------------------------------------------ the gate


def _report(
    phase: int, verdict: str = PASS, files: int = 10, size: int = 1000, configuration: str = "c", **more: Any
) -> dict[str, Any]:
    return {
        "id": f"test-{phase}",
        "phase": phase,
        "verdict": verdict,
        "configuration": {"hash": configuration},
        "settings": {"files": files, "file_size_bytes": size, **more},
    }


def test_a_phase_wants_the_one_before_it() -> None:
    done = passed([_report(1)], "c")
    assert is_allowed(1, 1000, 1.0, "events", {})
    assert is_allowed(2, 1000, 1.0, "events", done)
    assert not is_allowed(3, 1000, 1.0, "events", done)
    assert not is_allowed(2, 1001, 1.0, "events", done), "with smaller files it says nothing of larger ones"
    assert not is_allowed(2, 1000, 1.0, "events", passed([_report(1, files=5)], "c")), "half of it is not it"
    assert is_allowed(2, 1000, 0.5, "events", passed([_report(1, files=5)], "c"))
    assert passed([_report(1, FAIL), _report(1, configuration="other")], "c") == {}
    smaller_since = passed([_report(1, files=2, size=10), _report(1)], "c")
    assert is_allowed(2, 1000, 1.0, "events", smaller_since), "what was passed before a smaller test stays passed"
    assert told_phases(smaller_since).startswith("passed: phase 1 (10 files of 1,000 bytes")


def test_a_phase_wants_the_one_before_it_with_records_of_the_same_shape() -> None:
    own, other = ({"shape": "schema", "schema": {"fields": [{"name": name, "type": "int64"}]}} for name in "ab")
    done = passed([_report(1, **own)], "c")
    assert is_allowed(2, 1000, 1.0, told_shape(own), done)
    assert not is_allowed(2, 1000, 1.0, told_shape(other), done)
    assert not is_allowed(2, 1000, 1.0, "events", done)
    assert f" of {told_shape(own)}, test-1)" in told_phases(done)
    assert told_shape({"shape": "flat", "schema": None}) == "flat"


def test_what_rounds_to_nothing_is_told_with_two_digits() -> None:
    facts = replace(_good(), usd=0.00042, estimated_usd=0.0003, mb_per_s=0.0123, dpu_hours=0.0001)
    limits = Thresholds(max_cost_usd=0.0004, min_mb_per_s=0.5, max_dpu_hours=0.001, max_cost_ratio=None)
    told = {check.name: check.sentence for check in judge(facts, limits)}
    assert told["budget"] == "cost $0.00042, the budget is $0.00040"
    assert told["throughput"] == "0.012 MB/s, at least 0.5 wanted"
    assert told["dpu_hours"] == "0.00010 DPU hours, allowed 0.0010"


def test_one_of_a_thing_is_one() -> None:
    proof = Proof(lines_in=1, rows=0, bad_lines=1, bad_lines_expected=1, parts=1)
    told = " ".join(
        check.sentence for check in judge(replace(_good(), files=1, counts={"completed": 1}, proof=proof), Thresholds())
    )
    assert "1 of 1 file is completed" in told and "1 line in, 0 rows and 1 quarantined line found" in told
    assert "1 of 1 planted bad line is quarantined" in told


def test_a_deployment_is_told_what_its_configuration_has_passed() -> None:
    assert told_phases({}) == "no phase was passed"
    told = told_phases(passed([_report(2, files=100), _report(1)], "c"))
    assert told == (
        "passed: phase 1 (10 files of 1,000 bytes, test-1), phase 2 (100 files of 1,000 bytes, test-2); not passed: "
        "phase 3, 4"
    )
