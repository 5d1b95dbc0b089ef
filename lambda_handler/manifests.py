"""The protocol that turns a batch into a manifest, claim first, and the moves of a manifest's item.

    put the item with its candidates (CLAIMING) -> claim each file -> seal: the item names the files that were claimed
    -> put the manifest object, made from the item alone -> READY

Up to the seal every write is in a transaction with a check of the date's lock, so that of two builders who both believe
they work on the batch only the later one can write. From the seal on the files are fixed: whoever puts the object puts
the same bytes. A death anywhere leaves an item that `finish` completes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lambda_handler import metrics
from lambda_handler.dynamo import (
    ABSENT,
    CONDITION_FAILED,
    Contended,
    Item,
    Request,
    back_off,
    file_key,
    get_item,
    get_items,
    key_request,
    put_request,
    query_pages,
    transact,
    try_write,
    update_request,
)
from lambda_handler.lock import Lock, LockLost
from lambda_handler.services import Invocation
from ndjctl.contracts import (
    ABANDONED,
    AT_REST,
    CLAIMING,
    FAILED,
    MANIFESTED,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    PROCESSING,
    READY,
    Attr,
    Manifest,
    ManifestFile,
    closed_manifests_partition,
    manifest_item_key,
    manifest_key,
    new_manifest_id,
    s3_uri,
)

SEALED_AT = "sealed_at"
START_REQUESTED_AT = "start_requested_at"
GIVEN_UP_AT = "given_up_at"

_SUMMARY = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.DATE,
    Attr.STATE,
    Attr.ATTEMPT,
    Attr.RUN_ID,
    Attr.STARTED_AT,
    Attr.CREATED_AT,
    Attr.MANIFEST_PATH,
    START_REQUESTED_AT,
)
_CLAIMS_PER_TRANSACTION = 50
_CLAIM_ROUNDS = 6


def manifest_id_of(item: Item) -> str:
    return str(item[Attr.FILE_KEY]).removesuffix("#")


def open_key(manifest_id: str) -> Item:
    return file_key(OPEN_MANIFESTS_PARTITION, manifest_item_key(manifest_id))


def open_manifests(inv: Invocation) -> Iterator[Item]:
    """The open manifests without their files, oldest first, read page by page."""
    for page in query_pages(inv, Attr.DATE_PREFIX, OPEN_MANIFESTS_PARTITION, _SUMMARY):
        yield from page


def read_open(inv: Invocation, manifest_id: str) -> Item | None:
    """The whole item, as it is now; None when it is closed."""
    return get_item(inv, open_key(manifest_id))


def update_open(inv: Invocation, manifest_id: str, change: Item, when: Item, remove: Sequence[str] = ()) -> bool:
    """False when the manifest has moved on from `when`."""
    change = {**change, Attr.UPDATED_AT: inv.now_iso()}
    request = update_request(inv.settings.tracking_table, open_key(manifest_id), change, when, remove)
    return try_write(inv.services.dynamodb.update_item, request)


def build(inv: Invocation, lock: Lock, files: Sequence[ManifestFile]) -> str | None:
    """Makes a manifest of `files`, all of the lock's date. Returns its id, or None when not one could be claimed.
    Raises LockLost, Contended, or what boto3 raises; what was begun then stays for the sweep."""
    manifest_id = new_manifest_id(inv.now(), inv.services.entropy(8))
    item: Item = {
        **open_key(manifest_id),
        Attr.STATE: CLAIMING,
        Attr.DATE: lock.date,
        Attr.CREATED_AT: inv.now_iso(),
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.MANIFEST_PATH: s3_uri(inv.settings.manifest_bucket, manifest_key(lock.date, manifest_id)),
        Attr.FILES: [_to_candidate(file) for file in files],
        Attr.FENCE: lock.fence,
        Attr.ATTEMPT: 0,
    }
    put = {"Put": put_request(inv.settings.tracking_table, item, {Attr.DATE_PREFIX: ABSENT})}
    _write_fenced(inv, lock, [put])
    return finish(inv, lock, item)


def finish(inv: Invocation, lock: Lock, item: Item) -> str | None:
    """Carries a CLAIMING manifest on from wherever it stands. As `build` otherwise."""
    manifest_id = manifest_id_of(item)
    if SEALED_AT not in item:
        claimed = _claim(inv, lock, item)
        if not claimed:
            if not close(inv, item, ABANDONED, lock, error="none of its files could be claimed"):
                raise LockLost(lock.date)
            inv.log.warning("manifest_empty", manifest_id=manifest_id, date=lock.date)
            return None
        item = {**item, Attr.FILES: claimed}
        seal = update_request(
            inv.settings.tracking_table,
            open_key(manifest_id),
            {Attr.FILES: claimed, SEALED_AT: inv.now_iso(), Attr.FENCE: lock.fence},
            {Attr.STATE: CLAIMING, SEALED_AT: ABSENT},
        )
        _write_fenced(inv, lock, [{"Update": seal}])
    manifest = Manifest(manifest_id, item[Attr.DATE], item[Attr.CREATED_AT], files_of(item))
    inv.services.s3.put_object(
        Bucket=inv.settings.manifest_bucket,
        Key=manifest_key(manifest.date, manifest_id),
        Body=manifest.to_json(),
        ContentType="application/json",
    )
    if update_open(inv, manifest_id, {Attr.STATE: READY}, {Attr.STATE: CLAIMING}):
        inv.counters.add(manifest.date, metrics.MANIFESTS_CREATED, size_bytes=manifest.size_bytes)
        inv.log.info(
            "manifest_ready",
            manifest_id=manifest_id,
            date=manifest.date,
            files=len(manifest.files),
            size_bytes=manifest.size_bytes,
        )
    return manifest_id


def files_of(item: Item) -> tuple[ManifestFile, ...]:
    return tuple(
        ManifestFile(each[Attr.BUCKET], each["key"], each[Attr.SIZE_BYTES], each[Attr.ETAG])
        for each in item[Attr.FILES]
    )


def _to_candidate(file: ManifestFile) -> Item:
    return {
        Attr.BUCKET: file.bucket,
        "key": file.key,
        Attr.SIZE_BYTES: file.size_bytes,
        Attr.ETAG: file.etag,
    }


def _write_fenced(inv: Invocation, lock: Lock, actions: Sequence[Request]) -> None:
    """Raises LockLost when the lock is no longer ours, or the item not as its only builder left it."""
    if transact(inv, [lock.check(inv), *actions]):
        raise LockLost(lock.date)


def _claim(inv: Invocation, lock: Lock, item: Item) -> list[Item]:
    """The candidates that are now this manifest's, by this builder or by the one before it."""
    claimed: set[str] = set()
    candidates = item[Attr.FILES]
    for start in range(0, len(candidates), _CLAIMS_PER_TRANSACTION):
        chunk = candidates[start : start + _CLAIMS_PER_TRANSACTION]
        for number in range(_CLAIM_ROUNDS):
            reasons = transact(inv, [lock.check(inv), *(_claim_action(inv, item, each) for each in chunk)])
            if not reasons:
                claimed.update(each["key"] for each in chunk)
                break
            if reasons[0] == CONDITION_FAILED:
                raise LockLost(lock.date)
            chunk = _sift(inv, item, chunk, claimed)
            if not chunk:
                break
            back_off(inv, number)
        else:
            raise Contended(f"claims of {manifest_id_of(item)} met other writers {_CLAIM_ROUNDS} times in a row")
    return [each for each in candidates if each["key"] in claimed]


def _claim_action(inv: Invocation, item: Item, candidate: Item) -> Request:
    change = {
        Attr.STATUS: MANIFESTED,
        Attr.BATCH_ID: manifest_id_of(item),
        Attr.MANIFEST_PATH: item[Attr.MANIFEST_PATH],
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
    }
    key = file_key(item[Attr.DATE], candidate["key"])
    when = {Attr.STATUS: PENDING, Attr.ETAG: candidate[Attr.ETAG]}
    return {"Update": update_request(inv.settings.tracking_table, key, change, when)}


def _sift(inv: Invocation, item: Item, chunk: Sequence[Item], claimed: set[str]) -> list[Item]:
    """After a refused transaction: adds what is ours already to `claimed`, returns what can still be claimed."""
    fields = (Attr.FILE_KEY, Attr.STATUS, Attr.ETAG, Attr.BATCH_ID)
    keys = [file_key(item[Attr.DATE], each["key"]) for each in chunk]
    now = {each[Attr.FILE_KEY]: each for each in get_items(inv, keys, fields)}
    left = []
    for candidate in chunk:
        file = now.get(candidate["key"], {})
        if file.get(Attr.STATUS) == MANIFESTED and file.get(Attr.BATCH_ID) == manifest_id_of(item):
            claimed.add(candidate["key"])
        elif file.get(Attr.STATUS) == PENDING and file.get(Attr.ETAG) == candidate[Attr.ETAG]:
            left.append(candidate)
        else:
            inv.log.info("file_not_claimed", file_key=candidate["key"], manifest_id=manifest_id_of(item))
    return left


def close(inv: Invocation, item: Item, state: str, lock: Lock | None = None, error: str = "") -> bool:
    """Moves the manifest to the partition of the closed ones. `item`: as read just before, whole. False when it has
    moved on since, or the lock, if one is given, is lost."""
    as_read = {name: item.get(name, ABSENT) for name in (Attr.STATE, Attr.RUN_ID, Attr.ATTEMPT, SEALED_AT)}
    closed = {
        **item,
        Attr.DATE_PREFIX: closed_manifests_partition(item[Attr.DATE]),
        Attr.STATE: state,
        Attr.COMPLETED_AT: inv.now_iso(),
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
        **({Attr.ERROR: error} if error else {}),
    }
    actions = [
        {"Delete": key_request(inv.settings.tracking_table, open_key(manifest_id_of(item)), as_read)},
        {"Put": put_request(inv.settings.tracking_table, closed, {Attr.DATE_PREFIX: ABSENT})},
    ]
    return not transact(inv, [lock.check(inv), *actions] if lock else actions)


def unfinished_files(inv: Invocation, item: Item) -> list[ManifestFile]:
    """The files that are this manifest's by the ledger and not at rest. `item`: whole."""
    fields = (Attr.FILE_KEY, Attr.STATUS, Attr.BATCH_ID)
    files = {file.key: file for file in files_of(item)}
    found = get_items(inv, [file_key(item[Attr.DATE], key) for key in files], fields)
    return [
        files[each[Attr.FILE_KEY]]
        for each in found
        if each.get(Attr.BATCH_ID) == manifest_id_of(item) and each[Attr.STATUS] not in AT_REST
    ]


def fail_file(inv: Invocation, item: Item, file: ManifestFile, error: str) -> None:
    """Marks a file of the manifest as failed, unless it came to rest or went elsewhere meanwhile."""
    change = {
        Attr.STATUS: FAILED,
        Attr.ERROR: error,
        Attr.ATTEMPT: item[Attr.ATTEMPT],
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
    }
    when = {Attr.BATCH_ID: manifest_id_of(item), Attr.STATUS: (MANIFESTED, PROCESSING)}
    request = update_request(inv.settings.tracking_table, file_key(item[Attr.DATE], file.key), change, when)
    if try_write(inv.services.dynamodb.update_item, request):
        inv.counters.add(item[Attr.DATE], metrics.FILES_FAILED, size_bytes=file.size_bytes)
        inv.log.error("file_failed", error, file_key=file.key, manifest_id=manifest_id_of(item))
