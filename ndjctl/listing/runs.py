"""The runs of the Glue job, newest first, each with its manifest. Page by page: what is before the time asked for is
not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    Attr,
    JobArg,
    closed_manifests_partition,
    manifest_item_key,
    manifest_key,
    split_s3_uri,
)
from ndjctl.glue_runs import GlueRun, run_of
from ndjctl.health.cause import Cause
from ndjctl.health.causes import cause_of_run
from ndjctl.items import plain
from ndjctl.ledger import Ledger
from ndjctl.spent.billed import HOUR_S, billed

PAGE_RUNS = 200  # of the service
_FIELDS = (Attr.FILE_KEY, Attr.FILE_COUNT, Attr.SIZE_BYTES)


@dataclass(frozen=True)
class ListedRun:
    """run: as Glue has it. manifest_id, date: of the manifest that it was started for, empty where its arguments name
    none. files, size_bytes: of that manifest, None where the ledger has forgotten it. dpu_hours: as they are
    billed, by what Glue counts; where it does not tell, of its capacity and its time, and `is_estimated`."""

    run: GlueRun
    attempt: int
    manifest_id: str
    date: str
    files: int | None
    size_bytes: int | None
    dpu_hours: float | None
    is_estimated: bool

    @property
    def cause(self) -> Cause | None:
        """Of a run that failed; the one that is called unknown where it is none of the known ones."""
        return cause_of_run(self.run.state, self.run.error) if self.run.has_failed else None


@dataclass(frozen=True)
class RunFilter:
    """state: as Glue spells it. since: runs started from then on. manifest: the id, or its beginning."""

    state: str | None = None
    since: datetime | None = None
    date: str | None = None
    manifest: str = ""

    def takes(self, run: ListedRun) -> bool:
        started = run.run.started_at
        return (
            self.state in (None, run.run.state)
            and self.date in (None, run.date)
            and run.manifest_id.startswith(self.manifest)
            and (self.since is None or (started is not None and started >= self.since))
        )


def list_runs(glue: Any, job: str, ledger: Ledger, wanted: RunFilter) -> Iterator[ListedRun]:
    """Those that `wanted` takes, as Glue gives them: the newest first. Raises what boto3 raises."""
    request: dict[str, Any] = {"JobName": job, "MaxResults": PAGE_RUNS}
    while True:
        answer = glue.get_job_runs(**request)
        page = answer.get("JobRuns", [])
        yield from filter(wanted.takes, _with_manifests(page, ledger))
        started = [run_of(each).started_at for each in page]
        is_past = wanted.since is not None and all(at is not None and at < wanted.since for at in started)
        if not answer.get("NextToken") or (page and is_past):
            return
        request["NextToken"] = answer["NextToken"]


def manifest_of(arguments: dict[str, str]) -> tuple[str, str]:
    """(date, id) of the manifest that a run's arguments name; empty where they name none."""
    try:
        _, key = split_s3_uri(str(arguments.get(f"--{JobArg.MANIFEST_PATH}", "")))
    except ValueError:
        return "", ""
    folder, found, name = key.partition("/manifest-")
    date, manifest_id = folder.removeprefix("manifests/"), name.removesuffix(".json")
    return (date, manifest_id) if found and key == manifest_key(date, manifest_id) else ("", "")


def _with_manifests(page: Sequence[dict[str, Any]], ledger: Ledger) -> Iterator[ListedRun]:
    places = [manifest_of(run.get("Arguments", {})) for run in page]
    keys = [
        (partition, manifest_item_key(manifest_id))
        for date, manifest_id in dict.fromkeys(places)
        if manifest_id
        for partition in (OPEN_MANIFESTS_PARTITION, closed_manifests_partition(date))
    ]
    items = [plain(item) for item in ledger.items(keys, _FIELDS)] if keys else []
    known = {str(item[Attr.FILE_KEY]): item for item in items}
    for document, (date, manifest_id) in zip(page, places, strict=True):
        item = known.get(manifest_item_key(manifest_id), {})
        run = run_of(document)
        hours, is_estimated = _dpu_hours(run, document)
        yield ListedRun(
            run=run,
            attempt=int(document.get("Attempt") or 0),
            manifest_id=manifest_id,
            date=date,
            files=_number(item.get(Attr.FILE_COUNT)),
            size_bytes=_number(item.get(Attr.SIZE_BYTES)),
            dpu_hours=hours,
            is_estimated=is_estimated,
        )


def _dpu_hours(run: GlueRun, document: dict[str, Any]) -> tuple[float | None, bool]:
    """(as it is billed, whether that is of its capacity and time and not Glue's own figure)."""
    capacity = document.get("MaxCapacity")
    dpus = None if capacity is None else float(capacity)
    found = billed(run.dpu_s, run.execution_s, dpus, has_ended=run.has_ended)
    return (None, False) if found is None else (float(found.dpu_s / HOUR_S), not found.is_told)


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
