"""The pinned schemas of an environment's dataset, as an operator looks at them and sets them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from glue_job.pin import Pinned, SchemaStore, StoredVersion
from glue_job.schema import Struct
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.schemas import Difference, compare

DECLARED = ""
"""Manifest id of a version that no manifest asked for."""

_DATASET = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_THREADS = 8


@dataclass(frozen=True)
class PinResult:
    """version: the newest one afterwards, 0 if there is none. differences: to the one that was the newest."""

    version: int
    is_pinned: bool
    is_refused: bool
    differences: tuple[Difference, ...]


def is_dataset(name: str) -> bool:
    """Whether a profile could have a dataset of this name."""
    return _DATASET.fullmatch(name) is not None


def history(store: SchemaStore) -> list[StoredVersion]:
    """Every version, from the oldest on."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(store.about, store.versions()))


def read_version(store: SchemaStore, version: int | None) -> Pinned:
    """That version, or the newest for None, which is nothing if nothing is pinned. Raises UsageError for one that is
    not there."""
    if version is None:
        return store.latest()
    versions = store.versions()
    if version not in versions:
        there = f"there are {_ranges(versions)}" if versions else "nothing is pinned yet"
        raise UsageError(f"There is no version {version} of the schema of {store.dataset}: {there}.")
    return store.read(version)


def _ranges(versions: Sequence[int]) -> str:
    if versions == list(range(versions[0], versions[-1] + 1)) and len(versions) > 2:
        return f"{versions[0]} to {versions[-1]}"
    return ", ".join(map(str, versions[-10:]))


def pin_declared(store: SchemaStore, root: Struct, is_forced: bool) -> PinResult:
    """Pins `root` as the next version, unless it is the newest one or readers would stumble over the change. Raises
    WorkFailed if another version was pinned meanwhile."""
    latest = store.latest()
    differences = tuple(compare(latest.root, root)) if latest.version else ()
    if latest.version and not differences:
        return PinResult(latest.version, False, False, ())
    if any(found.breaks_readers for found in differences) and not is_forced:
        return PinResult(latest.version, False, True, differences)
    if not store.pin(Pinned(latest.version + 1, root), DECLARED):
        raise WorkFailed(
            f"Version {latest.version + 1} of the schema of {store.dataset} was pinned by somebody else meanwhile: "
            f"look at it, and run the command again."
        )
    return PinResult(latest.version + 1, True, False, differences)
