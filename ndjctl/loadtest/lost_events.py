"""Enters objects of a test whose events were lost, as `ndjctl backfill --prefix` does."""

from __future__ import annotations

from collections.abc import Callable

from ndjctl.reconcile.check import Places
from ndjctl.reconcile.events import send_events
from ndjctl.reconcile.missed import find_missed
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.verdicts import Clock


def enter_lost(places: Places, prefix: str, region: str, at: Clock, clock: Callable[[], float]) -> int:
    """How many. prefix: of the keys of the test's objects. at: now, and how young an object is left to its own event.
    clock: seconds, monotonic. Raises what boto3 raises."""
    with Spool() as spool:
        find_missed(places, None, prefix, at, spool, _Silent())
        return send_events(
            places.client("sqs"),
            places.names.queue,
            region,
            (listed for listed, _ in spool.entries()),
            rate_per_s=None,
            clock=clock,
            sleep=places.sleep,
            report=lambda _count: None,
        )


class _Silent:
    """A reporter of a search that nobody watches."""

    def phase(self, name: str) -> None: ...
    def done(self, count: int) -> None: ...
