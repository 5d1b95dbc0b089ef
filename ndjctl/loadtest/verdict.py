"""PASS or FAIL, and why: what was measured against the thresholds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ndjctl.loadtest.model import Thresholds
from ndjctl.plain import counted, dollars, rounded

PASS, FAIL = "PASS", "FAIL"


@dataclass(frozen=True)
class Check:
    """One thing that has to hold. name: stays the same. sentence: what was found, and the limit."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True)
class Proof:
    """What the outputs themselves say against the generator's record. lines_in: by the record. rows_expected and
    bad_lines_expected: the same, apart. lost and duplicated: summed file by file. wrong_reasons: quarantined lines
    with another reason than the record's. drifted: records off the schema by the record, of which surely_rescued have a
    value of another type, which is rescued whatever the schema; a new field may have become a column. rescued_rows:
    with something in `_rescued`. unreadable: parts that could not be read, a sentence each."""

    lines_in: int = 0
    rows: int = 0
    bad_lines: int = 0
    rows_expected: int = 0
    bad_lines_expected: int = 0
    lost: int = 0
    duplicated: int = 0
    files_not_balanced: int = 0
    wrong_reasons: int = 0
    drifted: int = 0
    surely_rescued: int = 0
    rescued_rows: int = 0
    parts: int = 0
    parquet_bytes: int = 0
    examples: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a test came to. files: that it has. counts: by status, `unseen` for those the ledger does not know.
    first_error: of a failed file. latencies: seconds by p50, p95, p99 and max. usd, estimated_usd: None where the
    region's price is not known. new_dead_letters: since the test began. own_dead_letters: in the queue, about the
    test's files alone; None where they were not looked at. stopped: why it was ended early, empty where it was not.
    not_converted: files that were fed and are not at rest: nothing is proven of them. runs_failed: of the job, also
    those whose manifest came through in another."""

    files: int
    counts: Mapping[str, int]
    proof: Proof
    latencies: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    mb_per_s: float = 0.0
    dpu_hours: float = 0.0
    usd: float | None = None
    estimated_usd: float | None = None
    new_dead_letters: int = 0
    own_dead_letters: int | None = None
    runs_failed: int = 0
    first_error: str = ""
    first_unseen: str = ""
    stopped: str = ""
    not_converted: int = 0


def judge(facts: Facts, thresholds: Thresholds) -> list[Check]:
    """Every check that applies, in the order of their weight."""
    return [*_files(facts), *_proof(facts.proof), *_limits(facts, thresholds)]


def verdict_of(checks: Sequence[Check]) -> str:
    return PASS if all(check.ok for check in checks) else FAIL


def reasons_of(checks: Sequence[Check]) -> list[str]:
    return [check.sentence for check in checks if not check.ok]


def _files(facts: Facts) -> Iterator[Check]:
    if facts.stopped:
        yield Check("stopped", False, f"the test was stopped: {facts.stopped}")
    counts = facts.counts
    completed, failed, unseen = counts.get("completed", 0), counts.get("failed", 0), counts.get("unseen", 0)
    told = f"{completed:,} of {counted(facts.files, 'file')} {'is' if facts.files == 1 else 'are'} completed"
    yield Check("completed", completed == facts.files, told)
    if failed:
        yield Check(
            "failed", False, f"{counted(failed, 'file')} failed, the first: {facts.first_error or 'no reason given'}"
        )
    if counts.get("quarantined"):
        yield Check("quarantined", False, f"{counted(counts['quarantined'], 'file')} quarantined for the size")
    if facts.not_converted:
        one = facts.not_converted == 1
        told = f"{counted(facts.not_converted, 'file')} {'is' if one else 'are'} not converted yet"
        yield Check("not_converted", False, told)
    if unseen and not facts.stopped:
        yield Check(
            "events",
            False,
            f"no event came of {counted(unseen, 'file')}, the first {facts.first_unseen}: the notification was lost",
        )
    letters = facts.new_dead_letters
    told = f"{counted(max(letters, 0), 'new message')} in the dead-letter queue"
    own = facts.own_dead_letters
    if letters > 0 and own is not None:
        told += f", {own:,} about the test's own files"
    yield Check("dead_letters", letters <= 0, told)


def _proof(proof: Proof) -> Iterator[Check]:
    for problem in proof.unreadable:
        yield Check("readable", False, problem)
    if not (proof.lines_in or proof.rows or proof.bad_lines):
        return  # of no file: there is nothing to prove
    shown = f": {proof.examples[0]}" if proof.examples else ""
    is_balanced = not (proof.lost or proof.duplicated)
    found = (
        f"{counted(proof.lines_in, 'line')} in, {counted(proof.rows, 'row')} and "
        f"{counted(proof.bad_lines, 'quarantined line')} found"
    )
    if is_balanced:
        yield Check("lines", True, found)
    if proof.lost:
        yield Check("lost", False, f"{counted(proof.lost, 'line')} lost ({found}){shown}")
    if proof.duplicated:
        yield Check("duplicated", False, f"{counted(proof.duplicated, 'line')} more than once ({found}){shown}")
    if is_balanced:
        is_right = proof.rows == proof.rows_expected and proof.bad_lines == proof.bad_lines_expected
        is_right = is_right and not (proof.wrong_reasons or proof.files_not_balanced)
        told = (
            f"{proof.bad_lines:,} of {counted(proof.bad_lines_expected, 'planted bad line')} "
            f"{'is' if proof.bad_lines_expected == 1 else 'are'} quarantined"
        )
        wrong = f", {proof.wrong_reasons:,} with another reason than was planted" if proof.wrong_reasons else ""
        yield Check("bad_lines", is_right, told + wrong + ("" if is_right else shown))
    if proof.drifted:
        is_right = proof.surely_rescued <= proof.rescued_rows <= proof.drifted
        told = (
            f"{counted(proof.rescued_rows, 'row')} with rescued values, of "
            f"{counted(proof.drifted, 'drifted record')} of which {proof.surely_rescued:,} must be rescued"
        )
        yield Check("rescued", is_right, told)


def _limits(facts: Facts, limits: Thresholds) -> Iterator[Check]:
    for name, limit in (("p50", limits.max_p50_s), ("p95", limits.max_p95_s), ("p99", limits.max_p99_s)):
        if limit is None:
            continue
        found = facts.latencies.get(name)
        told = f"{name} from upload to Parquet {_seconds(found)}, allowed {_seconds(limit)}"
        yield Check(name, found is not None and found <= limit, told)
    if limits.min_mb_per_s is not None:
        told = f"{rounded(facts.mb_per_s, 1)} MB/s, at least {rounded(limits.min_mb_per_s, 1)} wanted"
        yield Check("throughput", facts.mb_per_s >= limits.min_mb_per_s, told)
    if limits.max_dpu_hours is not None:
        told = f"{rounded(facts.dpu_hours, 2)} DPU hours, allowed {rounded(limits.max_dpu_hours, 2)}"
        yield Check("dpu_hours", facts.dpu_hours <= limits.max_dpu_hours, told)
    if facts.usd is not None and limits.max_cost_usd is not None:
        told = f"cost {dollars(facts.usd)}, the budget is {dollars(limits.max_cost_usd)}"
        yield Check("budget", facts.usd <= limits.max_cost_usd, told)
    if facts.usd is not None and facts.estimated_usd and limits.max_cost_ratio is not None:
        ratio = facts.usd / facts.estimated_usd
        told = (
            f"cost {dollars(facts.usd, 4)}, {rounded(ratio, 2)} times the estimate of "
            f"{dollars(facts.estimated_usd, 4)}, allowed {limits.max_cost_ratio:g} times"
        )
        yield Check("cost", ratio <= limits.max_cost_ratio, told)


def _seconds(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{rounded(value, 1)} s" if value < 120 else f"{value / 60:.1f} min"
