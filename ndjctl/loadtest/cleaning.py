"""Takes a test out of its environment again: exactly what is its own, so that a reconciliation finds nothing.

Its own are the input objects with its prefix; of each manifest that has none but its files: the parts, the bad lines,
the run report, the manifest's object and items; the items of its files; copies in the quarantine; messages about them
in the dead-letter queue; and schema versions that one of its manifests pinned, unless other files were converted
meanwhile. A manifest that others' files got into stays whole, with the items of its files: a part is one object.
Counters, logs and Glue's list of runs stay: they tell what happened.

The order is such that what is found by is deleted last, and everything may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    Attr,
    FormatError,
    Manifest,
    Names,
    bad_lines_prefix,
    closed_manifests_partition,
    manifest_files_item_key,
    manifest_item_key,
    manifest_key,
    new_manifest_id,
    part_prefix,
    report_key,
    rewrite_lock_key,
)
from ndjctl.errors import CloudError, WorkFailed
from ndjctl.items import query_pages, read_item
from ndjctl.loadtest.dead_letters import delete_own
from ndjctl.loadtest.observing import SeenFile, messages, read_files
from ndjctl.reconcile.streams import list_bucket

_PER_DELETE = 1000  # of S3
_PER_WRITE = 25  # of DynamoDB
_SLACK = timedelta(minutes=2)
_PAUSE_S = 2.0


@dataclass(frozen=True)
class Place:
    """The environment, and which test of it. since: when the test began. delete_inputs(): deletes its input objects and
    says how many. may_come: whether events of the test may still be in the queue: then it has to be empty first.
    settle_s: how long its last manifests may take to close."""

    client: Callable[[str], Any]
    names: Names
    date: str
    prefix: str
    dataset: str
    since: datetime
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    delete_inputs: Callable[[], int]
    may_come: bool = True
    settle_s: float = 600.0


@dataclass
class Cleaned:
    """What was deleted. kept: what had to stay, a sentence each. is_least: an earlier try was cut short, and what it
    deleted is counted of the inputs alone."""

    inputs: int = 0
    parts: int = 0
    bad_lines: int = 0
    quarantined: int = 0
    manifests: int = 0
    items: int = 0
    schema_versions: int = 0
    dead_letters: int = 0
    is_least: bool = False
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
    """own: ids of manifests of the test alone. mixed: with files of others, too. others: without any of the test."""

    own: tuple[str, ...]
    mixed: tuple[str, ...]
    others: int


def clean(place: Place, flush: Callable[[], None], tell: Callable[[str], None] = lambda _what: None) -> Cleaned:
    """Raises WorkFailed while manifests of the test are still open after settle_s: it can be called again later."""
    cleaned = Cleaned()
    s3, names = place.client("s3"), place.names
    tell("deleting its input objects")
    cleaned.inputs = place.delete_inputs()
    tell("waiting until nothing of it is under way")
    _settle(place, flush, cleaned)
    if messages(place.client("sqs"), names.dead_letter_queue):
        cleaned.dead_letters = delete_own(place.client("sqs"), names, place.prefix)
    tell("deleting its Parquet and its items")
    seen = _manifests(place)
    for manifest_id in seen.own:
        parts = _keys(s3, names.output_bucket, part_prefix(place.date, manifest_id))
        cleaned.parts += _delete(s3, names.output_bucket, parts)
        lines = _keys(s3, names.quarantine_bucket, bad_lines_prefix(place.date, manifest_id))
        cleaned.bad_lines += _delete(s3, names.quarantine_bucket, lines)
    files = _files(place)
    copies = [file.quarantine_key for file in files if file.quarantine_key]
    cleaned.quarantined = _delete(s3, names.quarantine_bucket, copies)
    gone = [(place.date, file.key) for file in files if file.manifest_id not in seen.mixed]
    cleaned.items = _delete_items(place, gone)
    cleaned.schema_versions = _unpin(place, seen, cleaned)
    for manifest_id in seen.own:
        _forget(place, manifest_id)
        cleaned.manifests += 1
    if seen.mixed:
        cleaned.kept.append(
            f"{len(seen.mixed)} manifests with files of others, and {len(files) - len(gone)} of the test's files in "
            f"them: their rows stay in the Parquet ({', '.join(seen.mixed[:3])})"
        )
    return cleaned


def _files(place: Place) -> list[SeenFile]:
    return read_files(place.client("dynamodb"), place.names.tracking_table, place.date, place.prefix)


def _settle(place: Place, flush: Callable[[], None], cleaned: Cleaned) -> None:
    """Until no event of the test can come any more, none of its files waits, and its manifests are closed. Files that
    no manifest has taken are dropped: a claim of them finds nothing then."""
    begun = place.now()
    while True:
        files = _files(place)
        waiting = [file for file in files if file.status == PENDING]
        cleaned.items += _drop_pending(place, waiting)
        is_quiet = not place.may_come or messages(place.client("sqs"), place.names.queue) == 0
        moving = [file for file in files if not file.is_at_rest and file.status != PENDING]
        open_ = _open_manifests(place, {file.manifest_id for file in files})
        if is_quiet and not (waiting or moving or open_):
            return
        if (place.now() - begun).total_seconds() > place.settle_s:
            raise WorkFailed(
                f"{len(moving):,} files of the test are still under way, in {len(open_):,} manifests: its inputs are "
                f"deleted, the rest can be when these have ended."
            )
        try:
            flush()
        except CloudError:
            pass  # its schedule does the same
        place.sleep(_PAUSE_S)


def _drop_pending(place: Place, files: Iterable[SeenFile]) -> int:
    from botocore.exceptions import ClientError

    from ndjctl.aws import error_code

    dropped = 0
    for file in files:
        try:
            place.client("dynamodb").delete_item(
                TableName=place.names.tracking_table,
                Key={Attr.DATE_PREFIX: {"S": place.date}, Attr.FILE_KEY: {"S": file.key}},
                ConditionExpression="#status = :pending",
                ExpressionAttributeNames={"#status": Attr.STATUS},
                ExpressionAttributeValues={":pending": {"S": PENDING}},
            )
            dropped += 1
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
    return dropped


def _open_manifests(place: Place, ids: set[str]) -> list[str]:
    """Of the test: those that its files name, and those that are about to claim some of them."""
    dynamodb, table = place.client("dynamodb"), place.names.tracking_table
    first = new_manifest_id(place.since - _SLACK, "")
    found = []
    for items, _ in query_pages(dynamodb, table, OPEN_MANIFESTS_PARTITION, fields=(Attr.FILE_KEY,)):
        found += [str(item[Attr.FILE_KEY]).removesuffix("#") for item in items]
    return [
        manifest_id
        for manifest_id in found
        if manifest_id in ids
        or (manifest_id >= first and any(key.startswith(place.prefix) for key in _keys_of(place, manifest_id)))
    ]


def _manifests(place: Place) -> _Seen:
    """Of those that were made for the test's date since it began."""
    s3, names, dynamodb = place.client("s3"), place.names, place.client("dynamodb")
    first = new_manifest_id(place.since - _SLACK, "")
    folder = manifest_key(place.date, "")[: -len(".json")]
    ids = {
        key[len(folder) : -len(".json")]
        for key in _keys(s3, names.manifest_bucket, folder)
        if key[len(folder) :] >= first
    }
    closed = closed_manifests_partition(place.date)
    for items, _ in query_pages(dynamodb, names.tracking_table, closed, fields=(Attr.FILE_KEY,)):
        found = (str(item[Attr.FILE_KEY]).removesuffix("#") for item in items)
        ids |= {manifest_id for manifest_id in found if manifest_id >= first}
    own, mixed, others = [], [], 0
    for manifest_id in sorted(ids):
        keys = _keys_of(place, manifest_id)
        ours = sum(key.startswith(place.prefix) for key in keys)
        if ours and ours == len(keys):
            own.append(manifest_id)
        elif ours:
            mixed.append(manifest_id)
        else:
            others += 1
    return _Seen(tuple(own), tuple(mixed), others)


def _keys_of(place: Place, manifest_id: str) -> list[str]:
    """Of the files of a manifest: from its object, else from the item of its candidates."""
    from botocore.exceptions import ClientError

    from ndjctl.aws import is_not_found

    key = manifest_key(place.date, manifest_id)
    try:
        body = place.client("s3").get_object(Bucket=place.names.manifest_bucket, Key=key)["Body"].read()
        return [file.key for file in Manifest.from_json(body, key).files]
    except ClientError as error:
        if not is_not_found(error):
            raise
    except FormatError:
        return []
    where = manifest_files_item_key(manifest_id)
    item, _ = read_item(
        place.client("dynamodb"), place.names.tracking_table, where[Attr.DATE_PREFIX], where[Attr.FILE_KEY]
    )
    return [str(file["key"]) for file in (item or {}).get(Attr.FILES) or []]


def _forget(place: Place, manifest_id: str) -> None:
    keys = [
        {Attr.DATE_PREFIX: closed_manifests_partition(place.date), Attr.FILE_KEY: manifest_item_key(manifest_id)},
        manifest_files_item_key(manifest_id),
        rewrite_lock_key(manifest_id),
    ]
    s3, bucket = place.client("s3"), place.names.manifest_bucket
    # The object is what the manifest is found by: if this ends in between, it is found again.
    _delete(s3, bucket, [report_key(place.date, manifest_id)])
    _delete_items(place, [(key[Attr.DATE_PREFIX], key[Attr.FILE_KEY]) for key in keys])
    _delete(s3, bucket, [manifest_key(place.date, manifest_id)])


def _unpin(place: Place, seen: _Seen, cleaned: Cleaned) -> int:
    """Schema versions that manifests of the test pinned, the newest first."""
    from glue_job.pin import SchemaStore
    from ndjctl.contracts import schema_key

    s3, bucket = place.client("s3"), place.names.manifest_bucket
    store = SchemaStore(s3, bucket, place.dataset, place.now)
    own = []
    for version in reversed(store.versions()):
        if store.about(version).manifest_id not in (*seen.own, *seen.mixed):
            break
        own.append(version)
    if not own:
        return 0
    if seen.others or seen.mixed:
        cleaned.kept.append(
            f"{len(own)} versions of the schema of {place.dataset} that the test's files brought: other files were "
            f"converted meanwhile"
        )
        return 0
    return _delete(s3, bucket, [schema_key(place.dataset, version) for version in own])


# ------------------------------------------------------------------------------------------------ deleting


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    return (listed.key for listed in list_bucket(s3, bucket, prefix))


def _delete(s3: Any, bucket: str, keys: Iterable[str]) -> int:
    """How many there were to delete. Raises CloudError where S3 refuses one."""
    remaining, count = iter(keys), 0
    while batch := list(islice(remaining, _PER_DELETE)):
        objects = [{"Key": key} for key in batch]
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", [])
        if refused:
            first = refused[0]
            raise CloudError(
                f"S3 refused to delete {len(refused)} objects of {bucket}, the first "
                f"{first.get('Key')!r}: {first.get('Code')} {first.get('Message', '')}."
            )
        count += len(batch)
    return count


def _delete_items(place: Place, keys: Sequence[tuple[str, str]]) -> int:
    table, dynamodb = place.names.tracking_table, place.client("dynamodb")
    for start in range(0, len(keys), _PER_WRITE):
        left: list[Any] = [
            {"DeleteRequest": {"Key": {Attr.DATE_PREFIX: {"S": partition}, Attr.FILE_KEY: {"S": sort}}}}
            for partition, sort in keys[start : start + _PER_WRITE]
        ]
        pause_s = 0.1
        while left:
            answer = dynamodb.batch_write_item(RequestItems={table: left})
            left = (answer.get("UnprocessedItems") or {}).get(table, [])
            if left:
                if pause_s > 10:
                    raise CloudError(f"The table {table} throttles writes; try again in a minute.")
                place.sleep(pause_s)
                pause_s *= 2
    return len(keys)
