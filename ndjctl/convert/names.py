"""What a conversion calls its files in the output folder. Pure."""

from __future__ import annotations

import re

BAD_LINES_FOLDER = "_malformed"
SCHEMA_FILE = "_schema.json"
NEXT_SCHEMA_FILE = "_schema.next.json"
REPORT_FILE = "_report.json"
LOCK_FILE = ".ndjctl.lock"
JOURNAL_FILE = ".ndjctl.commit.json"

_DOCUMENTS = (SCHEMA_FILE, NEXT_SCHEMA_FILE, REPORT_FILE)
_PART = re.compile(r"part-[0-9]{5,}\.parquet")
_BAD_LINES = re.compile(rf"{BAD_LINES_FOLDER}/part-[0-9]{{5,}}\.ndjson")
_UNFINISHED = re.compile(r"((?:.*/)?)\.(.+)\.[0-9a-f]{16}\.unfinished", re.DOTALL)
"""As ndjctl.folder_store names them."""


def part_file(number: int) -> str:
    return f"part-{number:05d}.parquet"


def bad_lines_file(number: int) -> str:
    """In BAD_LINES_FOLDER."""
    return f"part-{number:05d}.ndjson"


def is_ours(name: str) -> bool:
    """Whether a conversion could have written a file of this name, relative to its output folder."""
    return name in _DOCUMENTS or bool(_PART.fullmatch(name) or _BAD_LINES.fullmatch(name))


def is_unfinished(name: str) -> bool:
    """Whether it is what a file of ours is called before it is published."""
    found = _UNFINISHED.fullmatch(name)
    if found is None:
        return False
    return is_ours(found.group(1) + found.group(2)) or found.group(2) == JOURNAL_FILE
