"""What the names of objects in the folders of outputs say: of which manifest they are, and which part. Pure.

A folder is parquet/<date>/ or <date>/malformed/. What lies deeper has no such name, whatever its last part looks like.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(?:part|bad)-([^/]+)-(\d{5,})\.(?:parquet|ndjson)")
_GROUP = re.compile(r"(?:part|bad)-(\w+-\w+-)")
_FOLDERS = 2
"""In front of a name."""


def name_in_folder(key: str) -> str:
    """The key without the folder of its date, with a slash in it where it lies deeper; empty for the folder itself."""
    return "".join(key.split("/", _FOLDERS)[_FOLDERS:])


def manifest_id_in(key: str) -> str:
    """Of the manifest that gives this name; empty where none does."""
    match = _NAME.fullmatch(name_in_folder(key))
    return match[1] if match else ""


def part_number(key: str) -> int:
    """0 where the name has none."""
    match = _NAME.fullmatch(name_in_folder(key))
    return int(match[2]) if match else 0


def group_of(key: str) -> str:
    """Under what the object comes beside its manifest: group_of_manifest() of its id, or of the id that its name begins
    with, else the name. The groups of sorted keys are sorted, whatever lies between the objects of a manifest."""
    name = name_in_folder(key)
    match = _GROUP.match(name)
    if match:
        return f"part-{match[1]}"
    manifest_id = manifest_id_in(key)
    return group_of_manifest(manifest_id) if manifest_id else name


def group_of_manifest(manifest_id: str) -> str:
    return f"part-{manifest_id}-"


def is_passed_over(name: str, size_bytes: int) -> bool:
    """Whether readers of the folder take no rows of it: names with an underscore or a dot in front, and what stands for
    a folder where there are none."""
    is_marker = size_bytes == 0 and (not name or name.endswith(("/", "_$folder$")))
    return name.startswith(("_", ".")) or is_marker
