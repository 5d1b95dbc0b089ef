"""A run as a bill sees it: when, how long, on what, for which manifest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ndjctl.glue_runs import GlueRun
from ndjctl.health.reading_services import run_seen
from ndjctl.prices.glue import dpu_key
from ndjctl.settings import DPUS_PER_WORKER
from ndjctl.spent.billed import ZERO, Billed, billed


@dataclass(frozen=True, slots=True)
class SpentRun:
    """run: as Glue has it. billed: None where there is nothing to go by. dpus: its capacity. manifest_id, date: empty
    for a run of no manifest. key: of its price. slot_dpus: DPUs of one task slot of its workers, None where the type of
    worker is not known."""

    run: GlueRun
    billed: Billed | None
    dpus: float | None
    manifest_id: str
    date: str
    attempt: int
    worker_type: str
    workers: int
    key: str
    slot_dpus: Decimal | None

    @property
    def dpu_s(self) -> Decimal:
        return ZERO if self.billed is None else self.billed.dpu_s

    @property
    def started_at(self) -> datetime | None:
        return self.run.started_at

    @property
    def first_id(self) -> str:
        """Of the first attempt: Glue calls its own retries <id>_attempt_1, _2, ..."""
        return self.run.run_id.partition("_attempt_")[0]


def spent_run(document: Mapping[str, Any]) -> SpentRun:
    """document: a JobRun, as GetJobRuns gives it."""
    seen = run_seen(document)
    worker_dpus = DPUS_PER_WORKER.get(seen.worker_type)
    dpus = seen.dpus
    if dpus is None and worker_dpus is not None and seen.workers:
        dpus = worker_dpus * seen.workers
    return SpentRun(
        run=seen.run,
        billed=billed(seen.run.dpu_s, seen.run.execution_s, dpus, has_ended=seen.run.has_ended),
        dpus=dpus,
        manifest_id=seen.manifest_id,
        date=seen.manifest_date,
        attempt=seen.attempt,
        worker_type=seen.worker_type,
        workers=seen.workers,
        key=dpu_key(str(document.get("GlueVersion") or ""), str(document.get("ExecutionClass") or "")),
        slot_dpus=None if worker_dpus is None else _slot_dpus(worker_dpus),
    )


def _slot_dpus(worker_dpus: float) -> Decimal:
    """One task a vCPU, two at least: as settings.Job.task_slots has it."""
    return Decimal(str(worker_dpus)) / max(2, round(4 * worker_dpus))
