"""The facts that three programs agree on."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl import contracts as c
from tests.reference import names_of

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def test_names_are_the_references() -> None:
    names = c.Names("123456789012")
    expected = names_of("123456789012")
    assert {attribute: getattr(names, attribute) for attribute in expected} == expected
    assert list(names.buckets) == [name for attribute, name in expected.items() if attribute.endswith("_bucket")]


def test_a_suffix_keeps_every_name_apart() -> None:
    plain, other = c.Names("1" * 12), c.Names("1" * 12, "blue")
    attributes = [name for name, value in vars(c.Names).items() if isinstance(value, property) and name != "buckets"]
    assert len(attributes) >= 14
    for attribute in attributes:
        assert getattr(plain, attribute) != getattr(other, attribute), attribute


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("2026-01-30-events.ndjson", "2026-01-30"),
        ("in/2026-01-30-events.ndjson", "2026-01-30"),
        ("2026-01-30/events.ndjson", "2026-01-31"),  # the folder is not the name
        ("2026-13-30-events.ndjson", "2026-01-31"),
        ("2026-02-30-events.ndjson", "2026-01-31"),
        ("2026-01-301.ndjson", "2026-01-31"),
        ("events-2026-01-30.ndjson", "2026-01-31"),
    ],
)
def test_the_date_leads_the_name_or_is_the_events(key: str, expected: str) -> None:
    assert c.date_prefix(key, NOON) == expected


def test_the_events_date_is_utc() -> None:
    evening_in_new_york = datetime(2026, 1, 30, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert c.date_prefix("x.ndjson", evening_in_new_york) == "2026-01-31"


def test_iso_times_are_utc_and_round_trip() -> None:
    local = datetime(2026, 1, 30, 22, 0, 0, 123000, tzinfo=timezone(timedelta(hours=-5)))
    assert c.iso_utc(local) == "2026-01-31T03:00:00.123Z"
    assert c.parse_iso_utc(c.iso_utc(local)) == local
    with pytest.raises(ValueError, match="naive"):
        c.iso_utc(datetime(2026, 1, 1))


def test_the_rule_alone_is_expected_plus_minus_tolerance() -> None:
    window = c.SizeWindow(10, 50)
    assert (window.min_bytes, window.max_bytes) == (5 * c.MIB, 15 * c.MIB)
    assert window.verdict(5 * c.MIB) is None
    assert window.verdict(5 * c.MIB - 1) == c.TOO_SMALL
    assert window.verdict(15 * c.MIB) is None
    assert window.verdict(15 * c.MIB + 1) == c.TOO_LARGE


def test_explicit_limits_win_and_zero_bytes_never_pass() -> None:
    window = c.SizeWindow(10, 50, min_mb=0, max_mb=20)
    assert window.verdict(1) is None
    assert window.verdict(20 * c.MIB) is None
    assert window.verdict(0) == c.TOO_SMALL


def test_a_manifest_round_trips() -> None:
    manifest = c.Manifest("m-1", "2026-01-31", c.iso_utc(NOON), (c.ManifestFile("b", "k é.ndjson", 7, "e"),))
    assert c.Manifest.from_json(manifest.to_json(), "there") == manifest
    assert set(json.loads(manifest.to_json())["files"][0]) == {"bucket", "key", "size_bytes", "etag"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "is not JSON"),
        (b"[]", "not a document of format"),
        (b'{"format":"other","version":1}', "not a document of format"),
        (b'{"format":"ndjctl.manifest","version":99}', "upgrade"),
        (b'{"format":"ndjctl.manifest","version":1}', "is no manifest"),
    ],
)
def test_a_strange_manifest_is_refused_by_name(body: bytes, why: str) -> None:
    with pytest.raises(c.FormatError, match=why) as caught:
        c.Manifest.from_json(body, "s3://b/k")
    assert "s3://b/k" in str(caught.value)


def test_manifest_ids_sort_by_age() -> None:
    ids = [c.new_manifest_id(NOON + timedelta(milliseconds=n), "ff") for n in range(5)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5


@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from([5, 8, 10_000]))
def test_a_bad_line_comes_back_byte_for_byte(raw: bytes, piece_bytes: int) -> None:
    facts = c.bad_line_facts("s", 3, None, c.BadLineReason.NOT_JSON, "why")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ndjctl.contracts.formats._PIECE_BYTES", piece_bytes)
        stored = b"".join(c.bad_line_json(facts, raw))
    assert stored.count(b"\n") == 1
    assert stored.endswith(b"\n")
    record = json.loads(stored)
    assert c.bad_line_bytes(record) == raw
    assert ("raw" in record) is (raw.decode("utf-8", "ignore").encode() == raw)
    assert {name: record[name] for name in facts} == facts


def _plainly(data: bytes) -> int:
    return sum(1 for line in data.removeprefix(c.BYTE_ORDER_MARK).split(b"\n") if line.strip(b" \t\r"))


@given(
    st.lists(st.sampled_from([b"{}", b"\n", b"\r\n", b" ", b"\t", b"x", c.BYTE_ORDER_MARK, b"\x00"])),
    st.lists(st.integers(0, 12)),
)
def test_lines_are_counted_alike_however_they_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    chunks, position = [], 0
    for cut in cuts:
        chunks.append(data[position : position + cut])
        position += cut
    chunks.append(data[position:])
    assert c.count_lines(chunks) == _plainly(data)


def test_a_very_long_line_is_one_line() -> None:
    assert c.count_lines([b"a" * c.MIB] * 5 + [b"\n", b" " * 3 * c.MIB, b"\nb"]) == 2


@pytest.mark.parametrize("uri", ["s3://b/k", "s3a://b/k/l"])
def test_uris_split(uri: str) -> None:
    assert c.split_s3_uri(uri)[0] == "b"


@pytest.mark.parametrize("uri", ["s3://b", "s3://b/", "/b/k", "https://b/k"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is not s3"):
        c.split_s3_uri(uri)
