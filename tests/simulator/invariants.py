"""I1 to I7 of DESIGN.md, judged from the models' objects: what is in the tables, what is in the buckets, what Glue ran.
`watch` judges what must never happen on the way; `check_at_rest` what must hold at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lambda_handler.dynamo import from_item
from ndjctl.contracts import (
    ABANDONED,
    AT_REST,
    CLAIMING,
    COMPLETED,
    DONE,
    FAILED,
    MANIFESTED,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    PROCESSING,
    QUARANTINED,
    READY,
    Attr,
    JobArg,
    Manifest,
    ManifestFile,
    lock_item_key,
    report_key,
    s3_uri,
    split_s3_uri,
)
from tests.simulator import outputs
from tests.simulator.actors import Broken
from tests.simulator.data import differences
from tests.simulator.world import INPUT, MANIFESTS, OUTPUT, QUARANTINE, TABLE, World

Item = dict[str, Any]
_ABOUT_THE_OBJECT = ("no longer there", "overwritten", "its manifest says", "changed")


class Violation(Broken):
    """An invariant does not hold: its name, and what was found."""


def watch(world: World) -> None:
    """From now on judges every write as it is made. Raises Violation out of the call that makes it."""

    def on_write(table: str, key: tuple[str, str], before: Item | None, after: Item | None) -> None:
        if table != TABLE or after is None:
            return
        old, new = from_item(before or {}), from_item(after)
        if Attr.STATUS in new and new[Attr.STATUS] != old.get(Attr.STATUS):
            _judge_file(world, old, new)
        elif key[0] == OPEN_MANIFESTS_PARTITION:
            _judge_manifest(world, old, new)

    world.dynamodb.on_write = on_write
    world.glue.before_start = lambda arguments: _judge_start(world, arguments)


def _judge_file(world: World, old: Item, new: Item) -> None:
    key, status = new[Attr.FILE_KEY], new[Attr.STATUS]
    if status == PENDING:
        world.pending_since_s[new[Attr.DATE_PREFIX], key] = world.scheduler.now_s
    was, same = old.get(Attr.STATUS), old.get(Attr.ETAG) == new[Attr.ETAG]
    if status == PENDING and same and was in (MANIFESTED, PROCESSING, COMPLETED):
        raise Violation(f"I4: {key} is {was}, and pending again with the same ETag")
    if status == MANIFESTED:
        if was not in (PENDING, MANIFESTED):
            raise Violation(f"I3: {key} was claimed while it was {was}")
        _judge_holder(world, new[Attr.DATE_PREFIX], f"claimed {key}")
    if status == COMPLETED:
        manifest = manifest_of(world, new[Attr.MANIFEST_PATH])
        file = next((file for file in manifest.files if file.key == key), None) if manifest else None
        if file is None:
            raise Violation(f"I2: {key} was completed by a manifest that does not name it")
        found = _rows(world, file.uri, manifest.manifest_id if manifest else "")
        wanted = _wanted(world, file.key, file.etag)
        for what, ours, theirs in zip(("rows", "bad lines"), wanted, found, strict=True):
            told = differences(ours, theirs)
            if told:
                raise Violation(f"I2: {key} was called completed with its {what} not all visible: {told}")


def _judge_manifest(world: World, old: Item, new: Item) -> None:
    state = new.get(Attr.STATE)
    if state == CLAIMING and (not old or old.get(Attr.SEALED_AT) != new.get(Attr.SEALED_AT)):
        _judge_holder(world, new[Attr.DATE], f"wrote manifest {new[Attr.FILE_KEY]}")
    if state == READY and old.get(Attr.STATE) == CLAIMING and manifest_of(world, new[Attr.MANIFEST_PATH]) is None:
        raise Violation(f"I3: manifest {new[Attr.FILE_KEY]} is ready before its object is written")


def _judge_holder(world: World, date: str, what: str) -> None:
    """Whoever decides on batches holds the lock at that very moment."""
    process = world.scheduler.current
    keys = lock_item_key(date)
    lock = world.item(keys[Attr.DATE_PREFIX], keys[Attr.FILE_KEY]) or {}
    if process is not None and lock.get(Attr.HOLDER) != process.name:
        raise Violation(f"I3: {process.name} {what} while the lock of {date} was {lock.get(Attr.HOLDER) or 'nobody'}'s")


def _judge_start(world: World, arguments: dict[str, str]) -> None:
    path = arguments[f"--{JobArg.MANIFEST_PATH}"]
    if manifest_of(world, path) is None:
        raise Violation(f"I3: a run was started for {path}, which is not written")


def judge_sweep(world: World, began_s: float, answer: Item) -> None:
    """I6, of a sweep without faults: of what was pending before it, no full batch waits any longer."""
    if answer["cut_short"] or world.dynamodb.tables[TABLE].late or world.scheduler.living:
        return
    if answer["waiting"] + len(answer["manifests_created"]) >= world.settings.max_waiting_manifests:
        return  # they wait as files, so that the queue of manifests is bounded
    if any(Attr.HOLDER in item for item in world.items()):
        return  # a lock of the dead, which keeps its date waiting, and others if there is little room
    waiting = Counter(
        item[Attr.DATE_PREFIX]
        for item in world.file_items()
        if item[Attr.STATUS] == PENDING and world.pending_since_s[item[Attr.DATE_PREFIX], item[Attr.FILE_KEY]] < began_s
    )
    for date, count in waiting.items():
        if count >= world.settings.max_files_per_manifest:
            raise Violation(f"I6: {count} files of {date} wait, though they are a full batch")


def manifest_of(world: World, path: str) -> Manifest | None:
    """As it was written, also when somebody has deleted or overwritten its object since."""
    bucket, key = split_s3_uri(path)
    found = world.s3.objects.get(bucket, {}).get(key)
    body = world.lost_manifests.get(key) or (found.body if found else None)
    return Manifest.from_json(body, path) if body is not None else None


def _files_of(world: World, manifest: Item) -> tuple[ManifestFile, ...]:
    found = manifest_of(world, manifest[Attr.MANIFEST_PATH])
    if found is None:
        raise Violation(f"I3: manifest {_id(manifest)} is {manifest[Attr.STATE]}, and its object is not written")
    return found.files


# --- at rest


def check_at_rest(world: World) -> None:
    """Raises Violation for the first invariant that does not hold."""
    unrest = world.unrest()
    if unrest:
        raise Violation(f"I1, I6, I7: never at rest: {', '.join(unrest[:6])}")
    items = world.items()
    files = [item for item in items if Attr.STATUS in item]
    closed = {_id(item): item for item in items if Attr.STATE in item}
    _check_objects(world, files)
    for item in files:
        _check_file(world, item, closed)
    _check_manifests(world, closed)
    _check_parts(world, closed)


def _check_objects(world: World, files: list[Item]) -> None:
    """I1, I5: every object is in the ledger, once, in the version that it has."""
    by_key: dict[str, list[Item]] = {}
    for item in files:
        by_key.setdefault(item[Attr.FILE_KEY], []).append(item)
    for key, found in by_key.items():
        if len(found) > 1:
            raise Violation(
                f"I4: {key} is in the ledger under {' and '.join(item[Attr.DATE_PREFIX] for item in found)}"
            )
    for key, held in world.s3.objects.get(INPUT, {}).items():
        if key not in by_key:
            raise Violation(f"I1: {key} is in the bucket and not in the ledger")
        (item,) = by_key[key]
        if item[Attr.STATUS] not in AT_REST:
            raise Violation(f"I1: {key} is {item[Attr.STATUS]}")
        known = item[Attr.ETAG] == held.etag
        recorded = item.get(Attr.SUPERSEDED_BY) == held.etag and item[Attr.STATUS] == COMPLETED
        if not known and not recorded:
            raise Violation(f"I1: {key} ({item[Attr.STATUS]}) has a newer version that the ledger does not know of")


def _check_file(world: World, item: Item, closed: dict[str, Item]) -> None:
    key, status = item[Attr.FILE_KEY], item[Attr.STATUS]
    uri = s3_uri(INPUT, key)
    rows, bad = _rows(world, uri)
    if status == QUARANTINED:
        copy = world.s3.objects.get(QUARANTINE, {}).get(item.get(Attr.QUARANTINE_KEY, ""))
        if not item.get(Attr.REASON) or copy is None or copy.body != _content(world, key, item[Attr.ETAG]).body:
            raise Violation(f"I1: {key} is quarantined without its reason or its copy")
    if status == FAILED:
        _check_failure(world, item, closed)
    wanted = _wanted(world, key, item[Attr.ETAG]) if status == COMPLETED else (Counter(), Counter())
    for what, ours, theirs in zip(("rows", "bad lines"), wanted, (rows, bad), strict=True):
        told = differences(ours, theirs)
        if told:
            raise Violation(f"I2, I4: {key} is {status}; of its {what} {told}")


def _check_failure(world: World, item: Item, closed: dict[str, Item]) -> None:
    """A failure has a true reason: its object, or as many runs as there may be."""
    key, error = item[Attr.FILE_KEY], item.get(Attr.ERROR, "")
    manifest = closed.get(item.get(Attr.BATCH_ID, ""))
    if not error:
        raise Violation(f"I1: {key} failed without a reason")
    if manifest is not None and manifest[Attr.STATE] == ABANDONED:
        # A second copy of a run is none of the attempts, but no attempt is without a run.
        runs = sum(path == manifest[Attr.MANIFEST_PATH] for path, _ in world.runs.starts)
        if manifest[Attr.ATTEMPT] < world.settings.max_attempts or runs < world.settings.max_attempts:
            raise Violation(f"I7: {key} was given up after attempt {manifest[Attr.ATTEMPT]} and {runs} runs: {error}")
    elif world.histories[key].is_steady or not any(text in error for text in _ABOUT_THE_OBJECT):
        raise Violation(f"I1: {key} failed, and nothing was wrong with it: {error}")


def _check_manifests(world: World, closed: dict[str, Item]) -> None:
    """I3: no version of a file has been in two manifests that were done."""
    holders: dict[tuple[str, str], str] = {}
    for manifest_id, manifest in closed.items():
        if manifest[Attr.STATE] not in (DONE, ABANDONED):
            raise Violation(f"I7: manifest {manifest_id} is {manifest[Attr.STATE]}")
        if manifest[Attr.STATE] == DONE:
            key = report_key(manifest[Attr.DATE], manifest_id)
            if key not in world.s3.objects[MANIFESTS]:
                # Once the ledger has forgotten a date, its reports alone tell what is converted.
                raise Violation(f"I5: manifest {manifest_id} is done and has no report")
            for file in _files_of(world, manifest):
                other = holders.setdefault((file.key, file.etag), manifest_id)
                if other != manifest_id:
                    raise Violation(f"I3: {file.key} is in manifests {other} and {manifest_id}")


def _check_parts(world: World, closed: dict[str, Item]) -> None:
    """I4: what is visible is of manifests that are done, all of one attempt each, under names of theirs."""
    writers: dict[str, str] = {}
    for part in outputs.parts(world.s3, OUTPUT):
        manifest = closed.get(part.manifest_id)
        if manifest is None or manifest[Attr.STATE] != DONE:
            raise Violation(f"I4: {part.key} is visible; its manifest is {manifest and manifest[Attr.STATE]}")
        if part.number >= manifest[Attr.PARTS]:
            raise Violation(f"I3: {part.key} is beyond the {manifest[Attr.PARTS]} parts of its manifest")
        if writers.setdefault(part.manifest_id, part.run_id) != part.run_id:
            raise Violation(f"I4: the parts of {part.manifest_id} are of {writers[part.manifest_id]} and {part.run_id}")
    # A copy to quarantine that died is dropped by the next one of that key; of a file overwritten since there is none.
    places = ((OUTPUT, ""), (QUARANTINE, "/malformed/"))
    uploads = world.s3.uploads.values()
    left = [each.key for each in uploads if any(each.bucket == place and text in each.key for place, text in places)]
    if left:
        raise Violation(f"I4: uploads are left unfinished: {left[:3]}")
    for found in outputs.bad_lines(world.s3, QUARANTINE):
        if closed.get(found.manifest_id, {}).get(Attr.STATE) != DONE:
            raise Violation(f"I4: {found.key} is visible, and its manifest not done")


def _id(manifest: Item) -> str:
    return str(manifest[Attr.FILE_KEY]).removesuffix("#")


def _content(world: World, key: str, etag: str) -> Any:
    return world.histories[key].contents[etag]


def _wanted(world: World, key: str, etag: str) -> tuple[Counter[str], Counter[str]]:
    content = _content(world, key, etag)
    return Counter(content.ids), Counter(raw.decode() for raw in content.bad)


def _rows(world: World, uri: str, manifest_id: str = "") -> tuple[Counter[str], Counter[str]]:
    """Visible rows and bad lines of one source, of one manifest or of all."""
    rows: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for part in outputs.parts(world.s3, OUTPUT):
        if manifest_id in ("", part.manifest_id):
            rows += part.rows.get(uri, Counter())
    for found in outputs.bad_lines(world.s3, QUARANTINE):
        if manifest_id in ("", found.manifest_id):
            bad += found.lines.get(uri, Counter())
    return rows, bad


def open_versions(world: World) -> dict[tuple[str, str], str]:
    """(key, ETag) of the files of open manifests with the manifest's id. Raises Violation for one that is in two."""
    found: dict[tuple[str, str], str] = {}
    for manifest in world.open_manifests():
        if manifest[Attr.STATE] == CLAIMING:
            continue  # its files are candidates
        for file in _files_of(world, manifest):
            version = file.key, file.etag
            if found.setdefault(version, _id(manifest)) != _id(manifest):
                raise Violation(f"I3: {file.key} is in two live manifests, {found[version]} and {_id(manifest)}")
    return found
