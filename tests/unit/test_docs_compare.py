"""The comparisons of README and docs/cost.md are what the command prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ndjctl.cli import boundary
from ndjctl.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "cost compare --env prod --file-size 3.5GB --markdown"


def _printed(arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> tuple[int, str, str]:
    """(exit code, stdout, stderr), without profiles or prices of anybody's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NDJ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("sys.argv", ["ndjctl", *arguments.split()])
    code = boundary.run(app)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(("page", "how"), [("README.md", "summary"), ("docs/cost.md", "full")])
def test_the_pages_have_what_the_command_prints(
    page: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _printed(f"{COMMAND} {how}", tmp_path, monkeypatch, capsys)
    assert code == 0
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(r"<!-- compare -->\n(.*?)<!-- /compare -->\n", text, re.DOTALL)
    assert found is not None
    assert found[1] == out, f"put what 'ndjctl {COMMAND} {how}' prints between the marks <!-- compare --> of {page}"
    assert f"`ndjctl {COMMAND} {how}`" in text


def test_the_command_that_it_ends_with_deploys_that_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = _printed("cost compare --env prod --json", tmp_path, monkeypatch, capsys)
    document = json.loads(out)
    row = next(row for row in document["rows"] if row["code"] == document["cheapest_deployable"])
    assert document["next"] == row["command"]
    taken = row["command"].partition(" deploy ")[2]
    _, out, _ = _printed(f"cost compare --json {taken}", tmp_path, monkeypatch, capsys)
    again = next(row for row in json.loads(out)["rows"] if row["code"] == "today-ours")
    assert again["usd_per_day"] == row["usd_per_day"]
    assert again["promise"] == "yes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--files-per-day 0", "--files-per-day"),
        ("--file-size much", "--file-size: 'much' is no size"),
        ("--file-size 60TB", "up to 50 TB"),
        ("--region mars", "no name of a region"),
        ("--set load.files_per_day=0", "There is nothing to compare"),
        ("--prices missing.json", "missing.json cannot be read"),
        ("--markdown full --json", "exclude each other"),
        ("--markdown short", "takes full or summary"),
    ],
)
def test_odd_input_gets_one_sentence(
    arguments: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = _printed(f"cost compare {arguments}", tmp_path, monkeypatch, capsys)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
