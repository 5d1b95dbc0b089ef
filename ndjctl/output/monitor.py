"""A snapshot of `ndjctl monitor` as one JSON document; the screen of a terminal and the page in a browser show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeVar

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.health.facts import FileSeen
from ndjctl.monitor.model import (
    Backlog,
    Budget,
    Completions,
    Cost,
    Forecast,
    Health,
    OpenManifests,
    RunProgress,
    Runs,
    Snapshot,
)
from ndjctl.monitor.rates import rate_per_min
from ndjctl.output.doctor import checked_document
from ndjctl.output.remedies import Typed
from ndjctl.output.times import told
from ndjctl.reading import Reading

T = TypeVar("T")


def monitor_document(snapshot: Snapshot, typed: Typed) -> dict[str, Any]:
    """Every panel says in `read` whether it could be read, and
    otherwise in `why` and `sentence` why not."""
    now = snapshot.taken_at
    return {
        "env": snapshot.env,
        "region": snapshot.region,
        "taken_at": told(now),
        "health": _health(snapshot.health, typed),
        "arrivals": _panel(
            snapshot.arrivals,
            lambda panel: {
                "files_hour": panel.files,
                "bytes_hour": panel.size_bytes,
                "files_per_min_now": rate_per_min(panel.per_minute),
                "by_status": dict(panel.by_status),
                "files_per_minute": [round(count) for count in panel.per_minute],
                "is_complete": panel.is_complete,
            },
        ),
        "completions": _panel(snapshot.completions, _completions),
        "since_last": None if snapshot.since_last is None else asdict(snapshot.since_last),
        "backlog": _panel(snapshot.backlog, lambda panel: _backlog(panel, snapshot)),
        "forecast": _forecast(snapshot.forecast, snapshot),
        "queue": _panel(
            snapshot.queue,
            lambda panel: {
                "visible": panel.visible,
                "in_flight": panel.in_flight,
                "delayed": panel.delayed,
                "oldest_age_s": panel.oldest_age_s,
                "dead_letters": panel.dead,
                "dead_letters_not_read": panel.dead_not_read or None,
            },
        ),
        "manifests": _panel(snapshot.manifests, lambda panel: _manifests(panel, snapshot)),
        "runs": _panel(snapshot.runs, lambda panel: _runs(panel, snapshot)),
        "cost": _panel(snapshot.cost, _cost),
        "counted_today": _panel(snapshot.counted, asdict),
        "trends": _panel(snapshot.trends, lambda panel: {k: list(v) for k, v in panel.series.items()}),
        "newest_failed": [_file(each) for each in snapshot.newest_failed],
        "newest_quarantined": [_file(each) for each in snapshot.newest_quarantined],
        "refresh": {"calls": snapshot.calls, "seconds": round(snapshot.took_s, 3)},
    }


def _panel(reading: Reading[T], members: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    if reading.value is None:
        return {"read": False, "why": reading.why, "sentence": reading.sentence}
    return {"read": True, **members(reading.value)}


def _health(health: Health, typed: Typed) -> dict[str, Any]:
    return {
        "headline": health.word,
        "reasons": list(health.reasons),
        "checks": [checked_document(each, typed) for each in health.checks],
        "not_read": list(health.not_read),
    }


def _completions(panel: Completions) -> dict[str, Any]:
    def pair(found: tuple[float, float] | None) -> dict[str, float] | None:
        return None if found is None else {"median": found[0], "p95": found[1]}

    return {
        "files_hour": panel.files_hour,
        "bytes_hour": panel.bytes_hour,
        "manifests_hour": panel.manifests_hour,
        "files_today": panel.files_today,
        "bytes_today": panel.bytes_today,
        "manifests_today": panel.manifests_today,
        "manifests_abandoned_today": panel.abandoned_today,
        "files_per_min_now": rate_per_min(panel.per_minute),
        "files_per_minute": [round(count) for count in panel.per_minute],
        "manifest_total_s": pair(panel.total_s),
        "manifest_run_s": pair(panel.run_s),
        "bytes_per_s_of_a_run": panel.bytes_per_s,
        "is_complete": panel.is_complete,
    }


def _backlog(panel: Backlog, snapshot: Snapshot) -> dict[str, Any]:
    lag_s = panel.lag_s(snapshot.taken_at)
    return {
        "files": panel.files,
        "pending": panel.pending,
        "pending_under_5_min": panel.pending_under_5_min,
        "pending_5_to_30_min": panel.pending_5_to_30_min,
        "pending_over_30_min": panel.pending_over_30_min,
        "manifested": panel.manifested,
        "processing": panel.processing,
        "oldest_at": told(panel.oldest_at),
        "lag_s": round(lag_s, 1),
        "promise_s": LATENCY_S,
        "is_late": lag_s > LATENCY_S,
        "is_complete": panel.is_complete,
    }


def _forecast(found: Forecast, snapshot: Snapshot) -> dict[str, Any]:
    gone = None if found.seconds is None else told(gone_at(found, snapshot))
    return {
        "kind": found.kind,
        "seconds": None if found.seconds is None else round(found.seconds),
        "gone_at": gone,
        "files_per_hour": found.files_per_hour,
        "why": found.why or None,
    }


def gone_at(found: Forecast, snapshot: Snapshot) -> Any:
    """The moment at which the backlog is gone; None for one that is further than a year."""
    seconds = found.seconds or 0.0
    return snapshot.taken_at + timedelta(seconds=seconds) if seconds < 366 * 86_400 else None


def _manifests(panel: OpenManifests, snapshot: Snapshot) -> dict[str, Any]:
    oldest = panel.oldest_waiting_at
    return {
        "waiting": panel.waiting,
        "running": panel.running,
        "max_concurrent_runs": snapshot.max_concurrent_runs,
        "oldest_waiting_at": told(oldest),
        "oldest_waiting_age_s": None if oldest is None else round((snapshot.taken_at - oldest).total_seconds(), 1),
        "refused": panel.refused,
        "is_complete": panel.is_complete,
    }


def _runs(panel: Runs, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "under_way": [_run(each) for each in panel.under_way],
        "today": dict(panel.today),
        "dpus_in_use": panel.dpus_in_use,
        "max_concurrent_runs": snapshot.max_concurrent_runs,
        "last_failed": [
            {"run_id": run.run_id, "state": run.state, "ended_at": told(run.ended_at), "error": run.error or None}
            for run in panel.last_failed
        ],
        "is_complete": panel.is_complete,
    }


def _run(each: RunProgress) -> dict[str, Any]:
    return {
        "run_id": each.run.run_id,
        "state": each.run.state,
        "manifest_id": each.manifest_id or None,
        "date": each.date or None,
        "started_at": told(each.run.started_at),
        "elapsed_s": round(each.elapsed_s, 1),
        "files": each.files,
        "bytes": each.size_bytes,
        "files_at_rest": each.files_at_rest,
        "progress": None if each.share is None else round(each.share, 4),
        "progress_is_estimate": each.is_estimate,
        "dpus": each.dpus,
    }


def _file(each: FileSeen) -> dict[str, Any]:
    return {
        "key": each.key,
        "date": each.date,
        "bytes": each.size_bytes,
        "uploaded_at": told(each.uploaded_at),
        "updated_at": told(each.updated_at),
        "why": each.why or None,
    }


def _cost(panel: Cost) -> dict[str, Any]:
    return {
        "dpu_hours_today": round(panel.dpu_hours, 4),
        "runs_today": panel.runs,
        "usd_today": None if panel.usd is None else round(panel.usd, 4),
        "usd_per_dpu_hour": panel.price_usd,
        "source": panel.source,
        "budget": None if panel.budget is None else _budget(panel.budget),
        "is_complete": panel.is_complete,
    }


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "usd_per_day": budget.usd,
        "share": None if budget.share is None else round(budget.share, 4),
        "holds_runs": budget.holds_runs,
        "held_since": told(budget.held_since),
        "is_lifted": budget.is_lifted,
        "lifted_to_usd": budget.limit_usd,
    }
