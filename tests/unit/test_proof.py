"""The balance: what is lost or duplicated, file by file."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ndjctl.proof import Evidence, balance


def evidence(rows: dict[str, int], bad: dict[str, int]) -> Evidence:
    return Evidence(rows=Counter(rows), bad_lines=Counter(bad))


def test_everything_accounted_for() -> None:
    result = balance({"a": 1000}, evidence({"a": 997}, {"a": 3}))
    assert (result.lines_in, result.rows_out, result.lines_quarantined) == (1000, 997, 3)
    assert result.holds


def test_a_surplus_in_one_file_never_hides_a_loss_in_another() -> None:
    result = balance({"a": 10, "b": 10}, evidence({"a": 12, "b": 8}, {}))
    assert (result.lost, result.duplicated, result.holds) == (2, 2, False)


def test_rows_of_other_files_are_nobodys_business() -> None:
    assert balance({"a": 1}, evidence({"a": 1, "theirs": 9}, {"theirs": 2})).holds


def test_what_was_purged_stands_for_what_is_missing() -> None:
    lines = {"a": 10, "b": 10, "c": 10}
    result = balance(lines, evidence({"a": 8, "b": 7, "c": 10}, {"a": 1, "b": 1}), {"a": 1, "b": 1, "c": 5, "d": 9})
    assert (result.purged, result.lost, result.duplicated, result.holds) == (2, 1, 0, False)


counts = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9))


@given(counts, counts, counts, counts)
def test_the_sums_always_agree(
    lines: dict[str, int], rows: dict[str, int], bad: dict[str, int], purged: dict[str, int]
) -> None:
    result = balance(lines, evidence(rows, bad), purged)
    found = result.rows_out + result.lines_quarantined + result.purged
    assert result.lines_in + result.duplicated == found + result.lost
    assert result.duplicated == balance(lines, evidence(rows, bad)).duplicated
    assert result.lost >= 0
    assert result.duplicated >= 0
