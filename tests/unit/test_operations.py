"""Rules of the operators' commands: what is said of a manifest, durations, leases, and lists as one document."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.contracts import ManifestFile, iso_utc
from ndjctl.errors import CloudError
from ndjctl.glue_runs import GlueRun
from ndjctl.ledger import FileRecord
from ndjctl.locks import Lock, aws_time_of, judge_lease, lock_of
from ndjctl.manifest_advice import advise
from ndjctl.manifest_details import ManifestDetails, ManifestEntry
from ndjctl.manifests import ManifestSummary
from ndjctl.output.base import ConsoleOutput, JsonOutput, StreamView
from ndjctl.output.sweep import Said, sweep_view
from ndjctl.output.times import lasting
from ndjctl.sweeping import invoke_sweep

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
TTL_S = 300.0


def manifest(state: str, *files: FileRecord | None, error: str = "", runs: tuple[GlueRun, ...] = ()) -> ManifestDetails:
    """One that was made at noon."""
    is_open = state in ("claiming", "ready", "started", "running")
    summary = ManifestSummary(
        "m1", "2026-01-31", state, is_open, len(files), 1, NOON, NOON, None, None, 1, "jr" if runs else "", error, None
    )
    entries = tuple(ManifestEntry(ManifestFile("b", f"{n}", 1, "e"), record) for n, record in enumerate(files))
    return ManifestDetails(summary, "s3://b/m", entries, runs, None)


def file(status: str, manifest_id: str = "m1", superseded_by: str = "") -> FileRecord:
    return FileRecord("2026-01-31", "k", status, manifest_id=manifest_id, superseded_by=superseded_by)


def run(state: str, ended_s: float | None = None) -> GlueRun:
    completed_at = None if ended_s is None else NOON - timedelta(seconds=ended_s)
    return GlueRun("jr", state, NOON, completed_at, 1, None, "")


@pytest.mark.parametrize(
    ("details", "after_s", "commands"),
    [
        (manifest("claiming"), 30, []),
        (manifest("claiming"), 61, ["sweep"]),
        (manifest("ready"), 0, ["sweep"]),
        (manifest("running", file("processing"), runs=(run("RUNNING"),)), 9_999, []),
        (manifest("running", file("processing"), runs=(run("FAILED", 10),)), 0, []),
        (manifest("running", file("processing"), runs=(run("FAILED", 10),)), 21, ["sweep"]),
        (manifest("running", file("processing"), runs=(run("STOPPED", 0),)), 0, ["sweep"]),
        (manifest("started", file("manifested"), runs=()), 0, ["sweep"]),
        (manifest("done", file("completed")), 0, []),
        (manifest("done", file("completed"), file("failed")), 0, ["redrive failed --date 2026-01-31"]),
        (manifest("done", file("processing")), 0, ["redrive stuck --date 2026-01-31"]),
        (manifest("done", file("manifested"), file("failed")), 0, ["redrive stuck", "redrive failed"]),
        (manifest("done", file("manifested", "m2"), file("failed", "m2"), None), 0, []),
        (manifest("done", file("completed", superseded_by="x")), 0, ["reprocess --superseded --date 2026-01-31"]),
        (manifest("", file("failed")), 0, ["redrive failed"]),
    ],
)
def test_what_is_advised(details: ManifestDetails, after_s: float, commands: list[str]) -> None:
    advice = advise(details, NOON + timedelta(seconds=after_s))
    assert len(advice) == len(commands)
    for each, command in zip(advice, commands, strict=True):
        assert " ".join(each.words).startswith(command)
        assert each.why.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (18_720, "5 h 12 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert lasting(seconds) == text


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_lease_is_never_over_before_its_end_and_a_minute_and_stays_over(ends_s: float, later_s: float) -> None:
    lock = Lock("batching", "2026-01-31", "2026-01-31#", "r", None, NOON + timedelta(seconds=ends_s), 1)
    is_over = judge_lease(lock, NOON, TTL_S).is_dead and ends_s < 0
    assert is_over == (NOON + timedelta(seconds=ends_s) + timedelta(seconds=60) < NOON)
    assert judge_lease(lock, NOON + timedelta(seconds=later_s), TTL_S).is_dead >= is_over
    assert not judge_lease(lock, None, TTL_S).is_dead


@given(st.floats(0, 1e9))
def test_a_lease_that_ends_later_than_any_of_ours_can_is_dead_of_a_batching_lock_alone(ends_s: float) -> None:
    ends_at = NOON + timedelta(seconds=ends_s)
    verdict = judge_lease(Lock("batching", "2026-01-31", "2026-01-31#", "r", None, ends_at, 1), NOON, TTL_S)
    assert verdict.is_dead == (ends_at - NOON > timedelta(seconds=TTL_S + 120))
    if verdict.is_dead:
        assert verdict.why == f"its lease ends at {iso_utc(ends_at)}, later than any of ours can"
    assert not judge_lease(Lock("unknown", "x", "x#", "r", None, ends_at, 1), NOON, TTL_S).is_dead


@pytest.mark.parametrize(
    ("expires_at", "is_dead"), [(Decimal(1_769_860_800_000), True), (Decimal("1e40"), True), ("soon", False)]
)
def test_a_lease_that_ends_at_no_time_at_all_is_judged_all_the_same(expires_at: object, is_dead: bool) -> None:
    item = {"date_prefix": "#locks", "file_key": "2026-01-31#", "holder": "r", "expires_at": expires_at, "fence": 1}
    assert judge_lease(lock_of(item), NOON, TTL_S).is_dead is is_dead


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"date": "Sat, 31 Jan 2026 12:00:00 GMT"}, NOON),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
def test_the_time_of_an_answer(headers: dict[str, str], expected: datetime | None) -> None:
    assert aws_time_of({"HTTPHeaders": headers}) == expected
    assert aws_time_of({}) is None


# ---------------------------------------------------------------------------------------------- lists


def listed(count: int, fails_at: int | None = None) -> StreamView:
    from rich.text import Text

    def rows() -> Iterator[Any]:
        for number in range(count):
            if number == fails_at:
                raise CloudError("no more")
            yield {"n": number, "text": 'ö"[b]'}, lambda number=number: Text(f"row {number}")

    return StreamView({"env": "dev"}, "rows", rows(), lambda: Text("head"), lambda: ({"count": count}, Text("tail")))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_list_is_one_document(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    JsonOutput().stream(listed(count))
    document = json.loads(capsys.readouterr().out)
    assert document == {"env": "dev", "rows": [{"n": n, "text": 'ö"[b]'} for n in range(count)], "count": count}


@pytest.mark.parametrize("fails_at", [0, 1, 4])
def test_a_list_that_breaks_off_is_one_document_that_says_so(fails_at: int, capsys: pytest.CaptureFixture[str]) -> None:
    output = JsonOutput()
    with pytest.raises(CloudError) as caught:
        output.stream(listed(5, fails_at))
    output.error(caught.value)
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["message"] == "no more"
    assert "count" not in document
    assert len(document.get("rows", [])) == fails_at


def test_a_list_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleOutput().stream(listed(2))
    ConsoleOutput().stream(listed(0))
    assert capsys.readouterr().out == "head\nrow 0\nrow 1\ntail\ntail\n"


def test_a_list_is_printed_as_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    view = listed(3)

    def rows() -> Iterator[Any]:
        for row in view.rows:
            seen.append(capsys.readouterr().out)
            yield row

    ConsoleOutput().stream(StreamView({}, "rows", rows(), view.heading, view.summary))
    assert seen == ["", "head\nrow 0\n", "row 1\n"]


# ---------------------------------------------------------------------------------------------- sweep


class FakeLambda:
    def __init__(self, payload: bytes, **answer: str) -> None:
        self.payload, self.answer, self.sent = payload, answer, b""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.sent = Payload
        return {**self.answer, "Payload": io.BytesIO(self.payload)}


def test_a_sweep_asks_for_what_was_meant() -> None:
    lambda_ = FakeLambda(b'{"open": 1}')
    assert invoke_sweep(lambda_, "f") == {"open": 1}
    assert json.loads(lambda_.sent) == {"action": "sweep"}
    invoke_sweep(lambda_, "f", flush=True, date="2026-01-31")
    assert json.loads(lambda_.sent) == {"action": "flush", "date": "2026-01-31"}


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"\xff"])
def test_an_answer_that_is_no_report_is_told(payload: bytes) -> None:
    with pytest.raises(CloudError, match="The function f answered no"):
        invoke_sweep(FakeLambda(payload), "f")


def test_a_sweeps_report_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    report = {
        "manifests_created": ["m1"],
        "runs_started": [{"manifest_id": "m1", "run_id": "jr_1"}],
        "repaired": [],
        "failed": [{"manifest_id": "m2", "error": "[red]out\nof", "given_up": True}],
        "waiting": 3,
        "open": 4,
        "pending": 5,
        "cut_short": False,
        "done": False,
    }
    said = Said(
        "ndjctl sweep", "ndjctl sweep --flush", "ndjctl locks break", 900, "ndjctl manifests", "ndjctl cost lift", 0.44
    )
    view = sweep_view("dev", report, 1.5, said)
    assert view.document == {"env": "dev", **report, "locked": [], "seconds": 1.5}
    ConsoleOutput().show(view)
    out = capsys.readouterr().out
    assert "jr_1 for m1" in out
    assert r"given up: m2: [red]out\nof" in out
    assert "next: ndjctl manifests" in out
    assert "5 files wait for a full batch: the sweep takes one that is 15 min old, 'ndjctl sweep --flush' takes" in out
    ConsoleOutput().show(sweep_view("dev", {**report, "cut_short": True}, 1.5, said))
    assert "did not suffice for all of it; next: ndjctl sweep" in capsys.readouterr().out
    held = {**report, "pending": 0, "held": 1, "budget": {"spent_dpu_s": 9000.0, "limit_dpu_s": 7200.0}}
    ConsoleOutput().show(sweep_view("dev", held, 1.5, said))
    out = capsys.readouterr().out
    assert "1 manifest is held by the budget: $1.10 of $0.88 is spent today" in out
    assert out.count("next: ") == 1 and "next: ndjctl cost lift" in out
    ConsoleOutput().show(sweep_view("dev", {**held, "budget": None}, 1.5, said))
    assert "1 manifest is not started: what today's runs came to could not be read" in capsys.readouterr().out
    assert "written again" not in out
    rewritten = {**report, "manifests_rewritten": [{"manifest_id": "m3", "why": "its object is [b]gone"}]}
    ConsoleOutput().show(sweep_view("dev", rewritten, 1.5, said))
    told = " ".join(capsys.readouterr().out.split())
    assert "written again 1 manifest m3: its object is [b]gone" in told
    done = {"done": True, "waiting": 0, "open": 0, "pending": 0}
    ConsoleOutput().show(sweep_view("dev", done, 1.5, said))
    assert "Nothing is pending and nothing is open." in capsys.readouterr().out
