"""What a test has cost so far, against its budget; and a test that was stopped there, with a larger one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ndjctl.contracts import Names
from ndjctl.errors import UsageError
from ndjctl.loadtest.journal import FOLLOWED, Journal
from ndjctl.loadtest.observing import SeenFile
from ndjctl.loadtest.reporting import spent_usd, total_usd
from ndjctl.monitor.runs import RunsSeen, usd_of
from ndjctl.plain import dollars

EVERY = timedelta(seconds=15)
"""Glue throttles those who ask for its runs every second."""


class Spending:
    """Of the test's own runs, as its report counts them, and of the requests that feed it, as they were planned. What
    Glue does not tell of a run under way is counted when it does. since: when the test began."""

    def __init__(
        self,
        glue: Any,
        names: Names,
        region: str,
        since: datetime,
        requests_usd: float,
        budget_usd: float,
        now: Callable[[], datetime],
        stated: Mapping[str, Decimal] | None = None,
    ) -> None:
        self._runs = RunsSeen(glue, names.job)
        self._region, self._stated = region, stated
        self._since = since
        self._requests_usd = requests_usd
        self._budget_usd = budget_usd
        self._now = now
        self._looked_at: datetime | None = None
        self.spent_usd: float | None = None
        """At the last look; None before it, and where the region's price is not known."""

    def why_stop(self, files: Iterable[SeenFile]) -> str:
        """One clause when the budget is passed, empty while it is not. Looks every 15 s at most. Raises what boto3
        raises."""
        now = self._now()
        if self._looked_at is not None and now - self._looked_at < EVERY:
            return ""
        self._looked_at = now
        manifests = {file.manifest_id for file in files if file.manifest_id}
        found, _ = self._runs.read(self._since)
        own = [run for run in found if run.about.manifest_id in manifests]
        self.spent_usd = total_usd(usd_of(own, self._region, self._stated), self._requests_usd)
        if self.spent_usd is None or self.spent_usd <= self._budget_usd:
            return ""
        # No figure of what was spent: what is under way goes on, and the report counts that too.
        return f"its cost passed the budget of {dollars(self._budget_usd)}"


def is_over_budget(journal: Journal) -> bool:
    """Whether the test was stopped at its budget."""
    return journal.has(FOLLOWED) and bool(journal.of(FOLLOWED).get("over_budget"))


def spend_more(journal: Journal, budget_usd: float) -> None:
    """The test may cost that much: one that was stopped at its budget feeds and follows again. Raises UsageError where
    that changes nothing."""
    if journal.has(FOLLOWED) and (journal.is_over or not is_over_budget(journal)):
        raise UsageError(f"The load test {journal.test_id} was not stopped at its budget: leave --max-cost out.")
    cost_usd = spent_usd(journal)
    if cost_usd is not None and budget_usd <= cost_usd:
        raise UsageError(
            f"The load test {journal.test_id} has cost {dollars(cost_usd, 4)}: it goes on with a --max-cost above that."
        )
    settings = journal.settings
    journal.again(replace(settings, thresholds=replace(settings.thresholds, max_cost_usd=budget_usd)))
