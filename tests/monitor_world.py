"""Snapshots made by hand: of a busy night with something wrong, of a quiet one, of one that nobody may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from math import sin
from typing import Any

from ndjctl.glue_runs import GlueRun
from ndjctl.health import metrics
from ndjctl.health.facts import FileSeen
from ndjctl.health.model import Checked, Remedy
from ndjctl.monitor.model import (
    Arrivals,
    Backlog,
    Completions,
    Cost,
    Counted,
    FailedRun,
    Forecast,
    Health,
    OpenManifests,
    QueueState,
    RunProgress,
    Runs,
    Snapshot,
    Trends,
)
from ndjctl.monitor.panels import health_of
from ndjctl.reading import Reading

NOW = datetime(2026, 11, 23, 3, 12, 45, tzinfo=timezone.utc)
ODD_KEY = "in/[bold red]a[/] \U0001f9e8\n<script>alert(1)</script><img src=x onerror=alert(2)>" + "k" * 900 + ".ndjson"
"""A key that would be markup, code, a line end or too wide, if anything took it for that."""

DEAD_LETTERS = Checked(
    code="dead-letters",
    title="dead letters",
    verdict="fail",
    sentence="3 events are in the dead-letter queue: their files are not in the ledger.",
    evidence=("in/a.ndjson",),
    remedies=(Remedy(("redrive", "dlq")),),
)
LATE = Checked(
    code="lag",
    title="lag",
    verdict="warn",
    sentence="The oldest file waits for 42 minutes, and 30 are promised.",
    remedies=(Remedy(hint="see what the runs do"),),
)


def wave(height: float, shift: float = 0.0) -> tuple[float, ...]:
    return tuple(float(round(height * (1 + 0.5 * sin((minute + shift) / 7)))) for minute in range(60))


def file_seen(key: str, status: str, why: str) -> FileSeen:
    return FileSeen("2026-11-23", key, status, 3_600_000_000, NOW - timedelta(hours=1), NOW, "", why, "")


def run(number: int, share: float | None, state: str = "RUNNING") -> RunProgress:
    manifest_id = f"20261123T0300{number:02d}123Z-7f3a9c{number:02d}"
    started = NOW - timedelta(seconds=40 * number + 20)
    return RunProgress(
        run=GlueRun(f"jr_{number:064d}", state, started, None, 40 * number, None, ""),
        manifest_id=manifest_id,
        date="2026-11-23",
        files=100,
        size_bytes=380_000_000_000,
        files_at_rest=None,
        elapsed_s=(NOW - started).total_seconds(),
        share=share,
        is_estimate=True,
        dpus=40.0,
    )


def busy(checks: Sequence[Checked] = (DEAD_LETTERS, LATE), **changed: Any) -> Snapshot:
    arrivals, done = wave(118), wave(92, 10)
    trends = {
        metrics.MESSAGES_SENT: wave(118),
        metrics.QUEUE_AGE: wave(20),
        metrics.PENDING_AGE: wave(1_400),
        metrics.WAITING: wave(8),
        metrics.RUNNING: wave(25),
        metrics.FUNCTION_ERRORS: (0.0,) * 55 + (3.0,) * 5,
        metrics.FUNCTION_THROTTLES: (0.0,) * 60,
        metrics.FUNCTION_DURATION: (None,) * 30 + wave(700)[30:],
        metrics.RUN_FAILURES: (0.0,) * 58 + (1.0, 0.0),
    }
    snapshot = Snapshot(
        env="prod",
        region="us-east-1",
        taken_at=NOW,
        health=health_of(tuple(checks)),
        arrivals=Reading(
            Arrivals(
                {
                    "pending": 4_120,
                    "manifested": 900,
                    "processing": 1_200,
                    "completed": 790,
                    "failed": 4,
                    "quarantined": 7,
                },
                26_000_000_000_000,
                arrivals,
                True,
            )
        ),
        completions=Reading(
            Completions(
                5_900,
                21_900 * 10**9,
                59,
                18_300,
                67 * 10**12,
                183,
                1,
                done,
                (402.0, 1_260.0),
                (355.0, 540.0),
                9e8,
                True,
            )
        ),
        backlog=Reading(Backlog(590, 3_011, 519, 900, 1_200, NOW - timedelta(minutes=42, seconds=10), True)),
        queue=Reading(QueueState(12, 4, 0, 3, "", 35.0)),
        manifests=Reading(OpenManifests(9, 12, NOW - timedelta(minutes=12), 1, True)),
        runs=Reading(
            Runs(
                tuple(run(number, number / 14) for number in range(12, 0, -1)),
                {"SUCCEEDED": 183, "RUNNING": 12, "FAILED": 2, "TIMEOUT": 1},
                (
                    FailedRun(
                        "jr_1", "FAILED", NOW - timedelta(minutes=20), "java.lang.OutOfMemoryError: Java heap space [x]"
                    ),
                    FailedRun("jr_2", "TIMEOUT", NOW - timedelta(minutes=90), "the run took longer than its timeout"),
                ),
                480.0,
                True,
            )
        ),
        cost=Reading(Cost(2_805.81, 198, 1_234.56, 0.44, "us-east-1, AWS Glue pricing page, 2026-05", True)),
        counted=Reading(Counted(25_000, 31, 1_300_000_000, 12, 120, 18_000_000)),
        trends=Reading(Trends(trends)),
        forecast=Forecast("grows", files_per_hour=1_560.0),
        newest_failed=(file_seen(ODD_KEY, "failed", "object was overwritten\nwhile it was read"),),
        newest_quarantined=(file_seen("in/small.ndjson", "quarantined", "too-small: 12 bytes"),),
        calls=27,
        took_s=0.81,
        max_concurrent_runs=30,
    )
    return replace(snapshot, **changed)


def quiet() -> Snapshot:
    nothing = (0.0,) * 60
    return busy(
        (),
        health=Health("HEALTHY", ()),
        arrivals=Reading(Arrivals({}, 0, nothing, True)),
        completions=Reading(Completions(0, 0, 0, 0, 0, 0, 0, nothing, None, None, None, True)),
        backlog=Reading(Backlog(0, 0, 0, 0, 0, None, True)),
        queue=Reading(QueueState(0, 0, 0, 0, "", None)),
        manifests=Reading(OpenManifests(0, 0, None, 0, True)),
        runs=Reading(Runs((), {}, (), 0.0, True)),
        cost=Reading(Cost(0.0, 0, 0.0, 0.44, "us-east-1, AWS Glue pricing page, 2026-05", True)),
        counted=Reading(Counted()),
        trends=Reading(Trends({})),
        forecast=Forecast("clear"),
        newest_failed=(),
        newest_quarantined=(),
    )


PANELS = ("arrivals", "completions", "backlog", "queue", "manifests", "runs", "cost", "counted", "trends")


def refused(*panels: str) -> Snapshot:
    """A busy one of which these panels could not be read."""
    reading: Reading[Any] = Reading(
        why="denied", sentence="AWS refused Query (AccessDenied: no); ask for that permission."
    )
    return busy(**dict.fromkeys(panels, reading))
