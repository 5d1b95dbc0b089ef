"""The protocol that turns a batch into a manifest, claim first, and the moves of a manifest's item.

    put the list of candidates -> put the item (CLAIMING) -> claim each file -> seal: the list is of the files that were
    claimed -> put the manifest object, made from item and list alone -> READY

From the item to the seal every write is in a transaction with a check of the date's lock, so that of two builders who
both believe they work on the batch only the later one can write. From the seal on the files are fixed: whoever puts the
object puts the same bytes. A death anywhere leaves an item that `finish` completes, or a list without an item, which
means nothing and is dropped for its age.
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
    CLAIMING,
    MANIFESTED,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    READY,
    Attr,
    Manifest,
    ManifestFile,
    closed_manifests_partition,
    manifest_files_item_key,
    manifest_item_key,
    manifest_key,
    new_manifest_id,
    s3_uri,
)

SEALED_AT = Attr.SEALED_AT
START_REQUESTED_AT = Attr.START_REQUESTED_AT
GIVEN_UP_AT = Attr.GIVEN_UP_AT

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
    Attr.START_REQUESTED_AT,
    Attr.REFUSALS,
    Attr.REFUSED_AT,
    Attr.GIVEN_UP_AT,
)
_LEFT_AT_CLOSE = (Attr.GIVEN_UP_AT, Attr.START_REQUESTED_AT, Attr.REFUSALS, Attr.REFUSED_AT)
"""What a manifest that `ndjctl reprocess` opens again must not have."""
_LIST_TTL_DAYS = 30
"""Longer than any manifest stays open; then the manifest object alone has its files."""
_CLAIMS_PER_TRANSACTION = 50
_CLAIM_ROUNDS = 6


def manifest_id_of(item: Item) -> str:
    return str(item[Attr.FILE_KEY]).removesuffix("#")


def open_key(manifest_id: str) -> Item:
    return file_key(OPEN_MANIFESTS_PARTITION, manifest_item_key(manifest_id))


def open_manifests(inv: Invocation) -> Iterator[Item]:
    """The open manifests, oldest first, read page by page."""
    for page in query_pages(inv, Attr.DATE_PREFIX, OPEN_MANIFESTS_PARTITION, _SUMMARY):
        yield from page


def read_open(inv: Invocation, manifest_id: str) -> Item | None:
    """The item as it is now; None when it is closed."""
    return get_item(inv, open_key(manifest_id))


def update_open(inv: Invocation, manifest_id: str, change: Item, when: Item, remove: Sequence[str] = ()) -> bool:
    """False when the manifest has moved on from `when`."""
    change = {**change, Attr.UPDATED_AT: inv.now_iso()}
    request = update_request(inv.settings.tracking_table, open_key(manifest_id), change, when, remove)
    return try_write(inv, inv.services.dynamodb.update_item, request)


def build(inv: Invocation, lock: Lock, files: Sequence[ManifestFile]) -> str | None:
    """Makes a manifest of `files`, all of the lock's date. Returns its id, or None when not one could be claimed.
    Raises LockLost, Contended, or what boto3 raises; what was begun then stays for the sweep."""
    manifest_id = new_manifest_id(inv.now(), inv.services.entropy(8))
    candidates = [_to_candidate(file) for file in files]
    item: Item = {
        **open_key(manifest_id),
        Attr.STATE: CLAIMING,
        Attr.DATE: lock.date,
        Attr.CREATED_AT: inv.now_iso(),
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.MANIFEST_PATH: s3_uri(inv.settings.manifest_bucket, manifest_key(lock.date, manifest_id)),
        Attr.FILE_COUNT: len(files),
        Attr.SIZE_BYTES: sum(file.size_bytes for file in files),
        Attr.FENCE: lock.fence,
        Attr.ATTEMPT: 0,
    }
    table = inv.settings.tracking_table
    listed = {**manifest_files_item_key(manifest_id), Attr.FILES: candidates, Attr.TTL: inv.ttl(_LIST_TTL_DAYS)}
    # A second time it meets its own first one, whose answer was lost: the id is nobody else's.
    try_write(inv, inv.services.dynamodb.put_item, put_request(table, listed, {Attr.DATE_PREFIX: ABSENT}))
    _write_fenced(inv, lock, [{"Put": put_request(table, item, {Attr.DATE_PREFIX: ABSENT})}])
    return _finish(inv, lock, item, candidates)


def finish(inv: Invocation, lock: Lock, item: Item) -> str | None:
    """Carries a CLAIMING manifest on from wherever it stands. As `build` otherwise."""
    listed = _listed(inv, item)
    if listed is None:
        raise LookupError(f"the ledger has no list of the files of manifest {manifest_id_of(item)}")
    return _finish(inv, lock, item, listed)


def listed_files(inv: Invocation, item: Item) -> tuple[ManifestFile, ...] | None:
    """The files of a manifest that is sealed, as its object has them; None when the ledger has dropped the list."""
    listed = _listed(inv, item)
    return None if listed is None else tuple(_from_candidate(each) for each in listed)


def own_items(inv: Invocation, item: Item, keys: Sequence[str], fields: Sequence[str] = ()) -> dict[str, Item]:
    """By its key each of these files that is the manifest's by the ledger, with these attributes."""
    wanted = [file_key(item[Attr.DATE], key) for key in keys]
    found = get_items(inv, wanted, (Attr.FILE_KEY, Attr.BATCH_ID, *fields))
    return {each[Attr.FILE_KEY]: each for each in found if each.get(Attr.BATCH_ID) == manifest_id_of(item)}


def _finish(inv: Invocation, lock: Lock, item: Item, listed: list[Item]) -> str | None:
    manifest_id = manifest_id_of(item)
    if Attr.SEALED_AT not in item:
        claimed = _claim(inv, lock, item, listed)
        if not claimed:
            if not close(inv, item, ABANDONED, lock, error="none of its files could be claimed"):
                raise LockLost(lock.date)
            inv.log.warning("manifest_empty", manifest_id=manifest_id, date=lock.date)
            return None
        _seal(inv, lock, item, listed, claimed)
        listed = claimed
    files = tuple(_from_candidate(each) for each in listed)
    manifest = Manifest(manifest_id, item[Attr.DATE], item[Attr.CREATED_AT], files)
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


def _seal(inv: Invocation, lock: Lock, item: Item, listed: list[Item], claimed: list[Item]) -> None:
    table, manifest_id = inv.settings.tracking_table, manifest_id_of(item)
    change: Item = {Attr.SEALED_AT: inv.now_iso(), Attr.FENCE: lock.fence}
    actions = []
    if len(claimed) < len(listed):
        change |= {
            Attr.FILE_COUNT: len(claimed),
            Attr.SIZE_BYTES: sum(each[Attr.SIZE_BYTES] for each in claimed),
        }
        relisted = {**manifest_files_item_key(manifest_id), Attr.FILES: claimed, Attr.TTL: inv.ttl(_LIST_TTL_DAYS)}
        actions = [{"Put": put_request(table, relisted)}]
    when = {Attr.STATE: CLAIMING, Attr.SEALED_AT: ABSENT}
    _write_fenced(inv, lock, [{"Update": update_request(table, open_key(manifest_id), change, when)}, *actions])


def _listed(inv: Invocation, item: Item) -> list[Item] | None:
    """The files of a manifest's list: its candidates until it is sealed, then those that it has. None without one."""
    if Attr.FILES in item:  # an item of before the lists were items of their own
        return list(item[Attr.FILES])
    found = get_item(inv, manifest_files_item_key(manifest_id_of(item)))
    return None if found is None else list(found[Attr.FILES])


def _to_candidate(file: ManifestFile) -> Item:
    return {
        Attr.BUCKET: file.bucket,
        "key": file.key,
        Attr.SIZE_BYTES: file.size_bytes,
        Attr.ETAG: file.etag,
        **({Attr.REPLACES: file.replaces} if file.replaces else {}),
    }


def _from_candidate(each: Item) -> ManifestFile:
    replaces = str(each.get(Attr.REPLACES, ""))
    return ManifestFile(each[Attr.BUCKET], each["key"], each[Attr.SIZE_BYTES], each[Attr.ETAG], replaces)


def _write_fenced(inv: Invocation, lock: Lock, actions: Sequence[Request]) -> None:
    """Raises LockLost when the lock is no longer ours, or the item not as its only builder left it."""
    if transact(inv, [lock.check(inv), *actions]):
        raise LockLost(lock.date)


def _claim(inv: Invocation, lock: Lock, item: Item, candidates: list[Item]) -> list[Item]:
    """The candidates that are now this manifest's, by this builder or by the one before it."""
    claimed: set[str] = set()
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
    # Given up, too: who read the item before that must not close it as done when its files have failed since.
    names = (Attr.STATE, Attr.RUN_ID, Attr.ATTEMPT, Attr.SEALED_AT, Attr.GIVEN_UP_AT)
    as_read = {name: item.get(name, ABSENT) for name in names}
    closed = {
        **{name: value for name, value in item.items() if name not in _LEFT_AT_CLOSE},
        Attr.DATE_PREFIX: closed_manifests_partition(item[Attr.DATE]),
        Attr.STATE: state,
        Attr.COMPLETED_AT: inv.now_iso(),
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
        **({Attr.ERROR: error} if error else {}),
    }
    actions = [
        {"Delete": key_request(inv.settings.tracking_table, open_key(manifest_id_of(item)), as_read)},
        # Over one of its own from before it was opened again: there is one item of a manifest that is not open.
        {"Put": put_request(inv.settings.tracking_table, closed)},
    ]
    return not transact(inv, [lock.check(inv), *actions] if lock else actions)
