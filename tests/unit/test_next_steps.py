"""What a screen ends with is a step that leads somewhere, for what the screen is about."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ndjctl.contracts import COMPLETED, FAILED, MALFORMED, ORPHANED, QUARANTINED, TOO_LARGE, TOO_SMALL
from ndjctl.deploy.deployment import own_suffix
from ndjctl.deploy.model import Plan, Resource, Step
from ndjctl.output.base import StreamView
from ndjctl.output.quarantine import inventory_view
from ndjctl.output.views import run_view
from ndjctl.profiles import load_profile
from ndjctl.proof import Balance, Part
from ndjctl.quarantine.inventory import HELD, MOVED_ON, PURGED, RELEASED, InventoryRow
from ndjctl.run import FileOutcome, RunResult
from ndjctl.settings import Profile

DAY = "2026-11-23"


def typed(*words: str) -> str:
    return shlex.join(["ndjctl", *words, "--env", "dev"])


def steps(screen: Any) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=400, markup=False).print(screen)
    return [line.removeprefix("next: ") for line in out.getvalue().splitlines() if line.startswith("next: ")]


# ------------------------------------------------------------------------------------------------------------- a run


def outcome(name: str, status: str = COMPLETED, rows: int = 0, bad: int = 0, **more: Any) -> FileOutcome:
    return FileOutcome(name, f"s3://in/{name}", status, 10, rows + bad, rows, bad, **more)


def result(*outcomes: FileOutcome, lost: int = 0, purged: int = 0, **more: Any) -> RunResult:
    rows, bad = sum(each.rows for each in outcomes), sum(each.bad_lines for each in outcomes)
    return RunResult(
        env="dev",
        endpoint_url=None,
        outcomes=outcomes,
        already_done=0,
        skipped_empty=(),
        balance=Balance(rows + bad + purged + lost, rows, bad, lost, 0, purged),
        reasons={},
        rescued_rows=0,
        rescued_fields={},
        manifest_ids=("m",),
        parts=(Part("s3://out/part-0.parquet", rows, 100),),
        output_prefixes=(f"s3://out/parquet/{DAY}/",),
        seconds=1.0,
        **more,
    )


GOOD, JUNK = outcome("a.ndjson", rows=5), outcome("junk [1].ndjson", bad=3)
SMALL, BROKEN = outcome("s.ndjson", QUARANTINED), outcome("b.ndjson", FAILED, error="out of memory")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (result(GOOD), ("output", "head")),
        (result(GOOD, SMALL), ("output", "head")),
        (result(JUNK), ("quarantine", "show", "junk [1].ndjson")),
        (result(outcome("c.ndjson", rows=9, bad=1), GOOD, JUNK), ("quarantine", "show", "junk [1].ndjson")),
        (result(BROKEN), ("explain", "b.ndjson")),
        (result(GOOD, JUNK, BROKEN), ("explain", "b.ndjson")),
        (result(GOOD, *[BROKEN] * 2), ("errors",)),
        (result(SMALL), ("explain", "s.ndjson")),
        (result(GOOD, JUNK, lost=2), ("reconcile",)),
        (result(GOOD, SMALL, missing_from_quarantine=("s.ndjson",)), ("reconcile",)),
        (result(outcome("p.ndjson"), purged=4), ("quarantine", "history")),
        (result(outcome("-n.ndjson", bad=1)), ("quarantine", "show", "s3://in/-n.ndjson")),
        (result(outcome("-n.ndjson", FAILED)), ("explain", "s3://in/-n.ndjson")),
    ],
)
def test_after_a_run(found: RunResult, words: tuple[str, ...]) -> None:
    assert steps(run_view(found, typed, str).render()) == [typed(*words)]


def test_after_a_run_without_any_line_there_is_nothing_to_look_at() -> None:
    assert steps(run_view(result(outcome("blank.ndjson")), typed, str).render()) == []


def test_a_key_cannot_end_the_line() -> None:
    (step,) = steps(run_view(result(outcome("a\nb\x1b[2J.ndjson", FAILED)), typed, str).render())
    assert step == r"ndjctl explain $'a\nb\e[2J.ndjson' --env dev"


# ---------------------------------------------------------------------------------------------------- the quarantine


def row(kind: str, state: str = HELD, count: int = 1) -> InventoryRow:
    return InventoryRow(DAY, kind, "not JSON" if kind == MALFORMED else kind, state, count, 10)


def after(view: StreamView) -> tuple[Mapping[str, Any], list[str]]:
    list(view.rows)
    members, text = view.summary()
    return members, steps(text)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(MALFORMED)], ("quarantine", "show")),
        ([row(MALFORMED, RELEASED), row(TOO_SMALL)], ("quarantine", "show")),
        ([row(TOO_SMALL)], ("quarantine", "release", "--reason", TOO_SMALL)),
        (
            [row(MALFORMED, PURGED), row(TOO_LARGE), row(TOO_SMALL, count=2)],
            ("quarantine", "release", "--reason", TOO_SMALL),
        ),
        ([row(TOO_LARGE, count=2), row(TOO_SMALL, MOVED_ON, 9)], ("quarantine", "release", "--reason", TOO_LARGE)),
        ([row(MALFORMED, PURGED), row(TOO_SMALL, RELEASED)], ("quarantine", "history")),
    ],
)
def test_after_the_list_of_the_quarantine(rows: list[InventoryRow], words: tuple[str, ...]) -> None:
    _, found = after(inventory_view("dev", rows, typed))
    assert found == [typed(*words)]


def test_the_step_is_about_the_date_and_the_reason_that_were_asked_for() -> None:
    _, lines = after(inventory_view("dev", [row(MALFORMED)], typed, DAY, ("--date", DAY, "--reason", "JSON")))
    assert lines == [typed("quarantine", "show", "--date", DAY, "--reason", "JSON")]
    _, files = after(inventory_view("dev", [row(TOO_SMALL)], typed, DAY, ("--reason", "too-*")))
    assert files == [typed("quarantine", "release", "--date", DAY, "--reason", TOO_SMALL)]


@pytest.mark.parametrize("rows", [[], [row(TOO_SMALL, MOVED_ON)], [row(ORPHANED)]])
def test_where_nothing_is_to_be_done_there_is_no_step(rows: list[InventoryRow]) -> None:
    assert after(inventory_view("dev", rows, typed))[1] == []


# ------------------------------------------------------------------------------------------ a plan over another's names


@pytest.mark.parametrize(
    ("environment", "suffix", "owner", "expected"),
    [
        ("dev", "", "prod", "dev"),
        ("dev", "dev", "prod", "dev-2"),
        ("dev", "", "dev in us-east-1", "eu-west-1"),
        ("a-very-long-name-of-one", "", "prod", "a-very-long-nam"),
        ("a-very-long-na-one", "a-very-long-na", "prod", "a-very-long-n-2"),
    ],
)
def test_names_of_its_own_come_with_a_suffix_that_the_settings_take(
    environment: str, suffix: str, owner: str, expected: str
) -> None:
    profile = load_profile("dev", working_dir=Path("/nonexistent")).profile.model_copy(
        update={"environment": environment, "suffix": suffix, "region": "eu-west-1"}
    )
    step = Step(Resource("queue", "q", {}), None, "update", owner=owner)
    found = own_suffix(profile, Plan((step,)))
    assert found == expected
    checked = profile.model_copy(update={"suffix": found}).model_dump(mode="json")
    assert Profile.model_validate(checked | {"environment": "dev"}).suffix == found
