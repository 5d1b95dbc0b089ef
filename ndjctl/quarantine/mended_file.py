"""A file of mended lines on this machine: read, checked to be records, and held against where its lines come from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glue_job.lines import Line, LineReader
from glue_job.records import BadLine, parse
from ndjctl.contracts import MIB, BadLineReason
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.paths import shown
from ndjctl.quarantine.saved import Origin, origin_path, read_origins

MOST_BYTES = 5 * 1024 * MIB
"""What S3 takes in one request (Amazon S3 user guide, "Uploading objects")."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class MendedFile:
    """The lines that are to be released. lines: records. digest: SHA-256 in hex; md5: as S3 checks an upload. marked:
    lines of the quarantine that they stand for, None where nobody knows. staying: of those that the file was saved
    with, how many are blank now, so that they stay in the quarantine."""

    path: Path
    lines: int
    size_bytes: int
    digest: str
    md5: str
    marked: int | None
    staying: int = 0


@dataclass
class _Reading:
    problems: list[tuple[int, str]] = field(default_factory=list)
    problem_count: int = 0

    def add(self, line: Line, bad: BadLine) -> None:
        self.problem_count += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append((line.number or 0, str(bad)))


def look(path: Path, max_line_bytes: int, quarantine_bucket: str) -> MendedFile:
    """Reads all of it. Raises UsageError for a file that cannot be used, WorkFailed with the numbers of lines that are
    still no records."""
    reading, lines, total = _Reading(), 0, 0
    sha, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def blocks(file: Any) -> Iterator[bytes]:
        nonlocal total
        while block := file.read(MIB):
            total += len(block)
            sha.update(block)
            md5.update(block)
            yield block

    with opened(path) as file:
        for line in LineReader(blocks(file), 0, MOST_BYTES + 1, max_line_bytes):
            lines += 1
            try:
                if not line.is_whole:
                    raise BadLine(BadLineReason.TOO_LONG, f"{line.size_bytes} bytes, the limit is {max_line_bytes}")
                parse(line.data)
            except BadLine as bad:
                reading.add(line, bad)
    if reading.problem_count:
        raise WorkFailed(_told(path, reading))
    if not lines:
        raise UsageError(f"{shown(path)} has no line: there is nothing to release.")
    if total > MOST_BYTES:
        raise UsageError(f"{shown(path)} has {total:,} bytes, S3 takes {MOST_BYTES:,} at once: split it.")
    found = pairs(path, quarantine_bucket)
    marked = None if found is None else sum(is_mended for _, is_mended in found)
    staying = 0 if found is None else sum(not is_mended for _, is_mended in pairs(path, quarantine_bucket) or ())
    digest = base64.b64encode(md5.digest()).decode()
    return MendedFile(path, lines, total, sha.hexdigest(), digest, marked, staying)


def _told(path: Path, reading: _Reading) -> str:
    count = reading.problem_count
    head = f"{shown(path)}: {count:,} line{'' if count == 1 else 's'} still no record{'' if count == 1 else 's'}"
    lines = [f"line {number}: {why}" for number, why in reading.problems]
    more = [f"and {count - len(lines):,} more"] if count > len(lines) else []
    return "\n".join([f"{head}; nothing was uploaded:", *lines, *more])


def opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{shown(path)} is not a usable file name.") from error


def pairs(path: Path, quarantine_bucket: str) -> Iterator[tuple[Origin, bool]] | None:
    """Every line that was saved in the file, and whether it is mended in it; None where the file was not saved by us.
    Raises UsageError where it has another number of lines."""
    origins = read_origins(path, quarantine_bucket)
    return None if origins is None else _paired(path, origins)


def _paired(path: Path, origins: Iterator[Origin]) -> Iterator[tuple[Origin, bool]]:
    beside = shown(origin_path(path))
    refused = UsageError(
        f"{shown(path)} has not as many lines as were saved in it, so that it is not known which of them were mended: "
        f"keep each in its place (an empty line stays in the quarantine), or remove {beside} to mark none."
    )
    with opened(path) as file:
        for origin in origins:
            line = file.readline()
            if not line:
                raise refused
            yield origin, bool(line.strip())
        if any(line.strip() for line in file):
            raise refused
