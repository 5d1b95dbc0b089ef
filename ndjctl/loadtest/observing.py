"""What the pipeline has made of a test's files so far: from the ledger, in a page or two, and from Glue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ndjctl.contracts import AT_REST, COMPLETED, PROCESSING, Attr, Names
from ndjctl.items import Item, query_pages
from ndjctl.manifests import moment
from ndjctl.monitor.runs import RunsSeen, SeenRun, usd_of

_FIELDS = (
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.SIZE_BYTES,
    Attr.UPLOAD_TIME,
    Attr.COMPLETED_AT,
    Attr.BATCH_ID,
    Attr.ERROR,
    Attr.REASON,
    Attr.QUARANTINE_KEY,
)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file of the test as the ledger has it. Times are aware, None where it has none; texts are empty there."""

    key: str
    status: str
    size_bytes: int
    uploaded_at: datetime | None
    completed_at: datetime | None
    manifest_id: str
    error: str
    quarantine_key: str

    @property
    def is_at_rest(self) -> bool:
        return self.status in AT_REST

    @property
    def latency_s(self) -> float | None:
        """From its upload to its Parquet; None while it is not completed."""
        if self.status != COMPLETED or self.uploaded_at is None or self.completed_at is None:
            return None
        return max(0.0, (self.completed_at - self.uploaded_at).total_seconds())


def read_files(dynamodb: Any, table: str, date: str, prefix: str) -> list[SeenFile]:
    """Every file of the ledger whose key begins so, read consistently: a page of DynamoDB holds some 2,000."""
    pages = query_pages(dynamodb, table, date, prefix=prefix, fields=_FIELDS)
    return [_seen(item) for items, _ in pages for item in items]


def _seen(item: Item) -> SeenFile:
    return SeenFile(
        key=str(item[Attr.FILE_KEY]),
        status=str(item.get(Attr.STATUS, "")),
        size_bytes=int(item.get(Attr.SIZE_BYTES) or 0),
        uploaded_at=moment(item, Attr.UPLOAD_TIME),
        completed_at=moment(item, Attr.COMPLETED_AT),
        manifest_id=str(item.get(Attr.BATCH_ID) or ""),
        error=str(item.get(Attr.ERROR) or item.get(Attr.REASON) or ""),
        quarantine_key=str(item.get(Attr.QUARANTINE_KEY) or ""),
    )


def counted(files: Sequence[SeenFile], fed: int) -> Counter[str]:
    """Files by status; `unseen` for those of the `fed` ones that the ledger does not know."""
    counts = Counter(file.status for file in files)
    counts["unseen"] = max(0, fed - len(files))
    return +counts


def manifests_in_work(files: Iterable[SeenFile]) -> int:
    """Manifests that a run is converting."""
    return len({file.manifest_id for file in files if file.status == PROCESSING})


@dataclass(frozen=True)
class RunFacts:
    """Runs of the job for the test's manifests. usd: None where the region's price is not known."""

    runs: tuple[SeenRun, ...]
    dpu_hours: float
    usd: float | None
    failed: int
    is_complete: bool


def read_runs(
    glue: Any, names: Names, since: datetime, manifests: set[str], region: str, stated: Mapping[str, Decimal]
) -> RunFacts:
    """Of the runs that began since then, those for the manifests. stated: prices of the profile's own."""
    found, is_complete = RunsSeen(glue, names.job).read(since)
    own = tuple(run for run in reversed(found) if run.about.manifest_id in manifests)
    return RunFacts(
        runs=own,
        dpu_hours=sum(run.dpu_s for run in own) / 3600,
        usd=usd_of(own, region, stated),
        failed=sum(run.run.has_failed for run in own),
        is_complete=is_complete,
    )


def messages(sqs: Any, queue: str) -> int:
    """In a queue and on their way from it, as SQS has it: about."""
    wanted = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    return sum(int(answer.get(name, 0)) for name in wanted)
