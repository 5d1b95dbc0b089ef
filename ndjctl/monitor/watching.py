"""Looks at an environment, again and again: each refresh is a snapshot, of a bounded number of calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ndjctl.aws import Cloud
from ndjctl.health import looking
from ndjctl.health.facts import Facts
from ndjctl.health.model import Checked
from ndjctl.monitor import closed as closed_manifests
from ndjctl.monitor import files as index
from ndjctl.monitor import runs as job_runs
from ndjctl.monitor.closed import ClosedSeen, read_closed
from ndjctl.monitor.counters import read_counted
from ndjctl.monitor.files import FilesSeen, read_files
from ndjctl.monitor.model import Counted, Snapshot
from ndjctl.monitor.panels import Seen, assemble, midnight
from ndjctl.monitor.runs import RunsSeen, SeenRun
from ndjctl.reading import Reading, attempt
from ndjctl.settings import Profile

OWN_CALLS = index.RECENT_CALLS + index.OLDER_CALLS + closed_manifests.CLOSED_CALLS + job_runs.RUN_CALLS + 1
"""Besides those of ndjctl.health.looking; one is for the day's counters."""

MOST_CALLS = OWN_CALLS + looking.MOST_CALLS + 1
"""At most, of one refresh, whatever the history: not counted are those that boto3 makes again after a throttle. One is
for the account's id, the first time."""

Look = Callable[[datetime], tuple[Facts, Sequence[Checked]]]
"""Reads the facts and checks them."""

SERVICES = ("cloudwatch", "dynamodb", "events", "glue", "lambda", "logs", "s3", "sqs", "sts")
"""That a refresh may call."""

THREADS = 24
"""At once, for the reads of ndjctl.health.looking; those of ours have fewer."""

_THREADS = 8


class CallCounter:
    """Counts the calls that a cloud's clients make: what a refresh says it cost is what it cost."""

    def __init__(self, cloud: Cloud) -> None:
        self._numbers = itertools.count()  # counts without a lock
        self._total = 0
        for service in SERVICES:
            cloud.client(service).meta.events.register("before-call", self._count)

    def _count(self, **_: Any) -> None:
        next(self._numbers)

    def taken(self) -> int:
        """Calls since this was last asked."""
        total = next(self._numbers)
        calls, self._total = total - self._total, total + 1
        return calls


class Monitor:
    """look: the facts of a moment, checked; it raises nothing of AWS's. clock: now, aware, UTC. timer: seconds of a
    steady clock."""

    def __init__(
        self,
        cloud: Cloud,
        env: str,
        profile: Profile,
        look: Look,
        clock: Callable[[], datetime],
        timer: Callable[[], float],
    ) -> None:
        self._cloud, self._env, self._profile = cloud, env, profile
        self._look, self._clock, self._timer = look, clock, timer
        self._names = cloud.names
        self._dynamodb = cloud.client("dynamodb")
        self._runs = RunsSeen(cloud.client("glue"), cloud.names.job)
        self._calls = CallCounter(cloud)
        self._last: Seen | None = None

    def refresh(self) -> Snapshot:
        """The environment as it is now. What AWS refuses is a Reading that says so; nothing of AWS's is raised."""
        began = self._timer()
        self._calls.taken()
        now = self._clock()
        # Two pools: what waits for pages of its own must not wait for its own place.
        with ThreadPoolExecutor(_THREADS) as pool, ThreadPoolExecutor(_THREADS) as pages:
            looking = pool.submit(self._look, now)
            counting = pool.submit(attempt, lambda: self._counted(now), self._env)
            seeing = pool.submit(attempt, lambda: self._files(now, pages), self._env)
            runs = attempt(lambda: self._runs.read(midnight(now)), self._env)
            dates = _dates(now, runs)
            closed = attempt(lambda: self._closed(dates, now, pages), self._env)
            facts, checked = looking.result()
            seen = Seen(now, facts, tuple(checked), seeing.result(), closed, runs, counting.result())
        snapshot = assemble(seen, self._last, self._env, self._profile)
        self._last = seen
        return replace(snapshot, calls=self._calls.taken(), took_s=self._timer() - began)

    def _files(self, now: datetime, pool: ThreadPoolExecutor) -> FilesSeen:
        return read_files(self._dynamodb, self._names.tracking_table, now, pool)

    def _closed(self, dates: Sequence[str], now: datetime, pool: ThreadPoolExecutor) -> ClosedSeen:
        return read_closed(self._dynamodb, self._names.tracking_table, dates, now, pool)

    def _counted(self, now: datetime) -> Counted:
        return read_counted(self._dynamodb, self._names.metrics_table, f"{now:%Y-%m-%d}")


def _dates(now: datetime, runs: Reading[tuple[list[SeenRun], bool]]) -> list[str]:
    """Today, yesterday, and the dates that runs of today are of besides, the newest runs' first."""
    near = [f"{now - timedelta(days=days):%Y-%m-%d}" for days in (0, 1)]
    others = [run.about.manifest_date for run in runs.value[0] if run.about.manifest_date] if runs.value else []
    return list(dict.fromkeys([*near, *others]))
