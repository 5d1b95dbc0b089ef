"""What an invocation did to manifests and runs, as it is returned to whoever invoked the sweep."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ndjctl.contracts import ABANDONED, DONE, READY, STARTED

_CLOSED = (DONE, ABANDONED)


class Report:
    """Gathers results; `pending` counts the files that the index still showed as pending, as far as it was read."""

    def __init__(self) -> None:
        self.pending = 0
        self.settled: set[tuple[str, str]] = set()
        """(date, key) of files that the index showed as pending and that are not, or no longer."""
        self.cut_short = False
        self.held = 0
        """Manifests that wait because the budget of the day is spent."""
        self._budget: dict[str, Any] | None = None
        self._states: dict[str, str] = {}
        self._created: list[str] = []
        self._started: list[dict[str, str]] = []
        self._repaired: list[str] = []
        self._rewritten: list[dict[str, str]] = []
        self._failed: list[dict[str, Any]] = []

    def seen(self, manifest_id: str, state: str) -> None:
        self._states[manifest_id] = state

    @property
    def created_count(self) -> int:
        return len(self._created)

    def created(self, manifest_id: str, places: Collection[tuple[str, str]]) -> None:
        """places: (date, key) of its files."""
        self._created.append(manifest_id)
        self._states[manifest_id] = READY
        self.pending = max(0, self.pending - len(places))
        self.settled.update(places)

    def started(self, manifest_id: str, run_id: str) -> None:
        self._started.append({"manifest_id": manifest_id, "run_id": run_id})
        self._states[manifest_id] = STARTED

    def repaired(self, manifest_id: str, state: str) -> None:
        """The manifest was stuck or its run had ended, and it is now in `state`."""
        self._repaired.append(manifest_id)
        self._states[manifest_id] = state

    def rewritten(self, manifest_id: str, why: str) -> None:
        """Its object was written again from the ledger. why: what was wrong with it."""
        self._rewritten.append({"manifest_id": manifest_id, "why": why})

    def measured(self, budget: dict[str, Any] | None, held: int) -> None:
        """budget: Budget.as_dict() of the last pass over what waits."""
        self._budget, self.held = budget, held

    def failed(self, manifest_id: str, error: str, given_up: bool) -> None:
        """given_up: no attempt is left; else the sweep will try again."""
        self._failed.append({"manifest_id": manifest_id, "error": error, "given_up": given_up})

    def as_dict(self) -> dict[str, Any]:
        """waiting: manifests ready for a run. held: those of them that the day's budget keeps. budget: what that came
        to, None where it was not looked at. open: manifests not closed, those included. done: nothing is pending
        or open, and nothing was left out: cut_short says that time or the limit of one sweep did not allow for all."""
        states = list(self._states.values())
        open_manifests = sum(state not in _CLOSED for state in states)
        return {
            "manifests_created": self._created,
            "runs_started": self._started,
            "repaired": self._repaired,
            "manifests_rewritten": self._rewritten,
            "failed": self._failed,
            "waiting": states.count(READY),
            "held": self.held,
            "budget": self._budget,
            "open": open_manifests,
            "pending": self.pending,
            "cut_short": self.cut_short,
            "done": not (open_manifests or self.pending or self.cut_short),
        }
