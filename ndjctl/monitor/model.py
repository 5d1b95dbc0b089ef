"""What one look at an environment came to: a snapshot of plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ndjctl.glue_runs import GlueRun
from ndjctl.health.facts import FileSeen
from ndjctl.health.model import Checked, Headline
from ndjctl.reading import Reading

MINUTES = 60
"""Of every series: the last hour, a value a minute, the oldest first. The last one is of the minute that ends now."""

Series = tuple[float, ...]


@dataclass(frozen=True)
class Arrivals:
    """Files that were uploaded in the last hour, by their upload time. by_status: what has become of them.
    is_complete: False when there are more than were read: then every number is a lower bound, and the newest are in
    it. size_bytes: of all of them; quarantined ones are counted in by_status and in the series like all others."""

    by_status: Mapping[str, int]
    size_bytes: int
    per_minute: Series
    is_complete: bool

    @property
    def files(self) -> int:
        return sum(self.by_status.values())


@dataclass(frozen=True)
class Completions:
    """Files of manifests that were closed as done, by the manifests' completed_at. per_minute: files. since: what
    `today` counts from, midnight UTC. total_s and run_s: (median, 95th percentile) of the seconds from a manifest's
    making to its end, and from its last run's start to its end, over the last hour's manifests, or today's where the
    hour has none; None where there is none. bytes_per_s: median pace of a run. is_complete: as of Arrivals."""

    files_hour: int
    bytes_hour: int
    manifests_hour: int
    files_today: int
    bytes_today: int
    manifests_today: int
    abandoned_today: int
    per_minute: Series
    total_s: tuple[float, float] | None
    run_s: tuple[float, float] | None
    bytes_per_s: float | None
    is_complete: bool


@dataclass(frozen=True)
class Backlog:
    """Files that are not at rest. pending_*: by the age of their upload, in minutes. oldest_at: upload time of the
    oldest of them all; None without any. is_complete: as of Arrivals; oldest_at is exact all the same, unless the last
    hour alone has more than was read."""

    pending_under_5_min: int
    pending_5_to_30_min: int
    pending_over_30_min: int
    manifested: int
    processing: int
    oldest_at: datetime | None
    is_complete: bool

    @property
    def pending(self) -> int:
        return self.pending_under_5_min + self.pending_5_to_30_min + self.pending_over_30_min

    @property
    def files(self) -> int:
        return self.pending + self.manifested + self.processing

    def lag_s(self, now: datetime) -> float:
        """Age of the oldest; 0 without any."""
        return 0.0 if self.oldest_at is None else max(0.0, (now - self.oldest_at).total_seconds())


@dataclass(frozen=True)
class QueueState:
    """Messages, as SQS counts them (roughly). dead: dead letters, None where they could not be read, for the reason
    dead_not_read. oldest_age_s: by CloudWatch; None where it has no figure."""

    visible: int
    in_flight: int
    delayed: int
    dead: int | None
    dead_not_read: str
    oldest_age_s: float | None


@dataclass(frozen=True)
class OpenManifests:
    """How many manifests are not finished, of those that a refresh reads. oldest_waiting_at: when the oldest of those
    was made that wait for a run; None without any. refused: of the waiting, those whose last start led to no run."""

    waiting: int
    running: int
    oldest_waiting_at: datetime | None
    refused: int
    is_complete: bool


@dataclass(frozen=True)
class RunProgress:
    """One run under way. files_at_rest: of the manifest's files; None where it is not known. A run settles its files
    when all are converted, so `share` is what its time and size promise until then. share: 0 to 1; None without any
    base. is_estimate: whether share is such a promise. dpus: of the run with all its workers; None where Glue does not
    tell."""

    run: GlueRun
    manifest_id: str
    date: str
    files: int
    size_bytes: int
    files_at_rest: int | None
    elapsed_s: float
    share: float | None
    is_estimate: bool
    dpus: float | None


@dataclass(frozen=True)
class FailedRun:
    run_id: str
    state: str
    ended_at: datetime | None
    error: str


@dataclass(frozen=True)
class Runs:
    """Runs of the job. under_way: oldest first. today: by state, of those that started since midnight UTC, retries of
    Glue's included. last_failed: newest first, a few. is_complete: as of Arrivals."""

    under_way: tuple[RunProgress, ...]
    today: Mapping[str, int]
    last_failed: tuple[FailedRun, ...]
    dpus_in_use: float
    is_complete: bool


@dataclass(frozen=True)
class Budget:
    """Of a day, in USD. share: of it that is spent; None where that is not known. holds_runs: whether runs are then
    held. held_since: None while they are not. limit_usd: what is allowed today by a lift; None where it is lifted
    wholly, or not at all (is_lifted)."""

    usd: float
    share: float | None
    holds_runs: bool
    held_since: datetime | None
    is_lifted: bool
    limit_usd: float | None


@dataclass(frozen=True)
class Cost:
    """What the runs that started today cost so far. budget: None where none is set. usd: None for a region whose price
    is not known here. price_usd: of a DPU hour. source: of that price, with its date. is_complete: as of Arrivals."""

    dpu_hours: float
    runs: int
    usd: float | None
    price_usd: float | None
    source: str
    is_complete: bool
    budget: Budget | None = None


@dataclass(frozen=True)
class Counted:
    """The counters of the metrics table for the files of today's date (UTC): roughly, for people."""

    files_received: int = 0
    files_quarantined: int = 0
    quarantined_bytes: int = 0
    files_failed: int = 0
    lines_quarantined: int = 0
    rows_written: int = 0


@dataclass(frozen=True)
class Trends:
    """CloudWatch's minutes of the last hour by the names of ndjctl.health.metrics; None for a minute without data."""

    series: Mapping[str, tuple[float | None, ...]]


ForecastKind = Literal["clear", "clears", "grows", "unknown"]


@dataclass(frozen=True)
class Forecast:
    """When the backlog is gone. clear: there is none. clears: in `seconds`. grows: by files_per_hour. unknown: says
    `why`."""

    kind: ForecastKind
    seconds: float | None = None
    files_per_hour: float | None = None
    why: str = ""


@dataclass(frozen=True)
class SinceLast:
    """What happened since the refresh before: files in and out in so many seconds."""

    seconds: float
    files_in: int
    files_out: int


@dataclass(frozen=True)
class Health:
    """word: the headline. reasons: the worst first. checks: all that are neither pass nor unknown, the worst first.
    not_read: sentences of what could not be looked at."""

    word: Headline
    reasons: tuple[str, ...]
    checks: tuple[Checked, ...] = ()
    not_read: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """calls, took_s: what the refresh cost. Every panel is a Reading: a refused one says why, and the rest lives.
    newest_failed, newest_quarantined: a few files that became so in the last day; none where they could not be read.
    max_concurrent_runs: of the job as it is, or of the profile where the job could not be read."""

    env: str
    region: str
    taken_at: datetime
    health: Health
    arrivals: Reading[Arrivals]
    completions: Reading[Completions]
    backlog: Reading[Backlog]
    queue: Reading[QueueState]
    manifests: Reading[OpenManifests]
    runs: Reading[Runs]
    cost: Reading[Cost]
    counted: Reading[Counted]
    trends: Reading[Trends]
    forecast: Forecast
    newest_failed: tuple[FileSeen, ...] = ()
    newest_quarantined: tuple[FileSeen, ...] = ()
    since_last: SinceLast | None = None
    calls: int = 0
    took_s: float = 0.0
    max_concurrent_runs: int = 0

    @property
    def panels(self) -> dict[str, Reading[Any]]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Reading)}

    @property
    def is_not_deployed(self) -> bool:
        """Whether neither ledger nor queue is there."""
        return self.backlog.why == "absent" and self.queue.why == "absent"
