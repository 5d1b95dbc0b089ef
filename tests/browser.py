"""A real browser without a window, in a profile of its own that is gone afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def browser_path() -> str | None:
    """None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Browser:
    """folder: for its profiles and logs."""

    path: str
    folder: Path
    looks: int = 0

    def dom(self, url: str, *, budget_ms: int = 4_000, names: str = "") -> tuple[str, list[dict[str, Any]]]:
        """(the page as it is after so much of the page's time, every request that was made on its behalf: `url` and
        `initiator`). names: what names of hosts mean, as --host-resolver-rules takes it."""
        log = self.folder / f"net-{self.looks}.json"
        out = self._run(url, f"--virtual-time-budget={budget_ms}", f"--log-net-log={log}", "--dump-dom", names=names)
        return out, requests_of(json.loads(log.read_text()))

    def picture(self, url: str, path: Path, width: int, height: int, budget_ms: int = 4_000) -> None:
        """A PNG of the page."""
        size = f"--window-size={width},{height}"
        self._run(url, f"--virtual-time-budget={budget_ms}", size, f"--screenshot={path}")

    def _run(self, url: str, *options: str, names: str = "") -> str:
        self.looks += 1
        profile = self.folder / f"profile-{self.looks}"
        rules = [f"--host-resolver-rules={names}"] if names else []
        command = [self.path, *QUIET, f"--user-data-dir={profile}", *rules, *options, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2_000:]
        return done.stdout


def requests_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of a net log that begin a job: what was really asked of somebody."""
    wanted = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    return [event["params"] for event in log["events"] if event["type"] == wanted and "url" in event.get("params", {})]
