"""An empty path on the command line, which is what an unset variable of a shell is."""

from __future__ import annotations

import sys

import pytest

from ndjctl.cli import boundary
from ndjctl.cli.main import app

COMMANDS = [
    (*("run", ""), "PATH"),
    (*("run", "a.ndjson", ""), "PATH"),
    (*("plan", "--out", ""), "--out"),
    (*("deploy", "--plan", ""), "--plan"),
    (*("deploy", "--profile-dir", ""), "--profile-dir"),
    (*("--profile-dir", "", "deploy"), "--profile-dir"),
    (*("convert", "a.ndjson", "--dry-run", "--schema", ""), "--schema"),
    (*("output", "head", ""), "path"),
    (*("schema", "pin", ""), "FILE"),
    (*("cost", "--prices", ""), "--prices"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_never_stands_for_this_folder(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *typed, named = words
    monkeypatch.setattr(sys, "argv", ["ndjctl", *typed])
    assert boundary.run(app) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith(f"error: Invalid value for '{named}': '' is no path: name a file or a folder, or '.'")
