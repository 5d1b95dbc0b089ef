"""Quarantined lines as they are stored: read from an object in constant memory, but for the longest line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from ndjctl.contracts import LINE_END, bad_line_bytes
from ndjctl.objects import BLOCK_BYTES

_HEAD_BYTES = 16 * 1024
"""Of a quarantined line: what is said about it comes before the line itself, which may have megabytes."""
_RAW = (b', "raw": "', b', "raw_base64": "')


@dataclass(frozen=True)
class StoredLine:
    """A quarantined line without the line itself. line_number: None where nobody knew it. stored_bytes: that it takes
    in its object. is_cut: only its beginning was kept, because it is longer than lines may be."""

    source: str
    byte_offset: int
    line_number: int | None
    reason: str
    detail: str
    stored_bytes: int
    is_cut: bool = False


def stored_lines(body: Any) -> Iterator[StoredLine]:
    """What is said about every line of an object. body: its stream. Raises ValueError for what is no such object."""
    for number, line in enumerate(line_heads(body), 1):
        with _at(number):
            found = stored_line(_facts_of_ended(line), line.size_bytes)
        yield found


def line_facts(body: Any) -> Iterator[dict[str, Any]]:
    """The same as it is stored; `source` is there, and a string. Raises ValueError."""
    for number, line in enumerate(line_heads(body), 1):
        with _at(number):
            facts = _facts_of_ended(line)
        yield facts


def whole_lines(body: Any) -> Iterator[tuple[StoredLine, bytes]]:
    """Every line with its raw bytes. Raises ValueError."""
    for number, line in enumerate(_whole(body), 1):
        with _at(number):
            record = _record(line)
            if not record.keys() & {"raw", "raw_base64"}:
                raise ValueError("without the line itself")
            found = stored_line(record, len(line) + len(LINE_END)), bad_line_bytes(record)
        yield found


def kept_lines(body: Any) -> Iterator[tuple[StoredLine, bytes]]:
    """Every line with its bytes as they are stored, line end included. Raises ValueError."""
    for number, line in enumerate(_whole(body), 1):
        stored = line + LINE_END
        with _at(number):
            found = stored_line(facts_of(line), len(stored))
        yield found, stored


def stored_line(facts: dict[str, Any], stored_bytes: int) -> StoredLine:
    number = facts.get("line_number")
    return StoredLine(
        source=str(facts["source"]),
        byte_offset=int(facts.get("byte_offset") or 0),
        line_number=None if number is None else int(number),
        reason=str(facts.get("reason") or ""),
        detail=str(facts.get("detail") or ""),
        stored_bytes=stored_bytes,
        is_cut=bool(facts.get("truncated")),
    )


class LineHead(NamedTuple):
    """head: the beginning. size_bytes: of the line with its end. is_ended: whether it has one; each has, as it is
    written."""

    head: bytes
    size_bytes: int
    is_ended: bool = True


def line_heads(body: Any) -> Iterator[LineHead]:
    """Of the lines that are not empty."""
    head, size_bytes = b"", 0
    while block := body.read(BLOCK_BYTES):
        lines = block.split(LINE_END)
        for line in lines[:-1]:
            head += line[: _HEAD_BYTES - len(head)]
            size_bytes += len(line) + len(LINE_END)
            if head:
                yield LineHead(head, size_bytes)
            head, size_bytes = b"", 0
        head += lines[-1][: _HEAD_BYTES - len(head)]
        size_bytes += len(lines[-1])
    if head:
        yield LineHead(head, size_bytes, is_ended=False)


def facts_of(head: bytes) -> dict[str, Any]:
    """What a stored line, or the beginning of one, says about the line. Raises ValueError."""
    for raw in _RAW:
        facts, found, _ = head.partition(raw)
        if found:
            return _record(facts + b"}")
    return _record(head)


def _facts_of_ended(line: LineHead) -> dict[str, Any]:
    facts = facts_of(line.head)
    if not line.is_ended:
        # What is said of a line is there before the line itself, and does not show that this is cut off.
        raise ValueError("it is cut off")
    return facts


def _record(line: bytes) -> dict[str, Any]:
    # Of bytes, json guesses the encoding; these are UTF-8 or damaged.
    document = json.loads(line.decode("utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("source"), str):
        raise ValueError("without a source")
    return document


@contextmanager
def _at(number: int) -> Iterator[None]:
    """Says which line it was, from 1. Every error in here is one of the line: it is what it is read from alone."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number:,}: no JSON at character {error.pos + 1:,}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"line {number:,}: not UTF-8 at byte {error.start + 1:,}") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"line {number:,}: {error}") from error


def _whole(body: Any) -> Iterator[bytes]:
    pieces: list[bytes] = []
    while block := body.read(BLOCK_BYTES):
        first, *others = block.split(LINE_END)
        pieces.append(first)
        for following in others:
            if line := b"".join(pieces):
                yield line
            pieces = [following]
    if line := b"".join(pieces):
        yield line
