"""The JSON of a long line, as many values at a time as are in a piece of it, by the decoder of glue_job.records. Pure.

A piece ends anywhere. JSON is read from left to right without looking back, so what the decoder takes as whole values
before a comma are the line's own values; where it takes none, the next one is longer than a piece, or bad.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from glue_job.records import DECODER, MAX_NESTING, SURROGATE_ESCAPE, BadLine, depth_exceeds, has_lone_surrogate
from ndjctl.contracts import BadLineReason

MAX_VALUES = 12_000_000
"""Of one record. Each takes memory in its column, whatever its size in the line."""

_BLANK = re.compile(r"[ \t\r]*")
_BLANK_BYTES = re.compile(rb"[ \t\r]*")
_WORD = re.compile(rb"[-+.0-9A-Za-z]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")
_ESCAPE_BYTES = 12
"""Of the longest escape: a pair of surrogates."""

_scan: Callable[[str, int], tuple[Any, int]] = DECODER.scan_once  # type: ignore[attr-defined]
_scan_string: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]
_NOT_THERE = (StopIteration, ValueError, RecursionError)
"""What the decoder raises where a value is bad or not all there; which of both, a closer look shows."""


def has_many_values(line: bytes) -> bool:
    """Whether there may be more than MAX_VALUES: commas within strings count here."""
    return len(line) > 2 * MAX_VALUES and line.count(b",") > MAX_VALUES


class Pieces:
    """A line, read by positions in it. Methods raise BadLine for what glue_job.records.parse() does not take."""

    def __init__(self, line: bytes, piece_bytes: int) -> None:
        self.line = line
        self._piece_bytes = piece_bytes
        self._counts = has_many_values(line)
        self._values = 0

    def skip(self, at: int) -> int:
        """Behind blanks."""
        match = _BLANK_BYTES.match(self.line, at)
        return match.end() if match else at

    def byte(self, at: int) -> bytes:
        """None at the end."""
        return self.line[at : at + 1]

    def delimiter(self, at: int, closing: bytes) -> tuple[int, bool]:
        """(behind the comma or the closing bracket that is next, whether it is the bracket)."""
        at = self.skip(at)
        found = self.byte(at)
        if found not in (b",", closing):
            raise self.bad(at, "Expecting ',' delimiter")
        return at + 1, found == closing

    def elements(self, at: int, depth: int) -> tuple[list[Any], int, bool]:
        """(whole values of a list from here on, behind the comma or bracket that follows them, whether it is the
        bracket); no values if the first is not all in the piece. depth: levels that the list is within, itself
        included."""
        text = self._piece(at)
        cut = text.rfind(",")
        try:
            values, end = _scan(f"[{text[:cut]}]", 0) if cut > 0 else ([], 0)
        except _NOT_THERE:
            values, end = [], 0
        if values and end == cut + 2:
            return values, self._behind(text[: cut + 1], at, values, depth), False
        values = []
        end = used = 0
        is_last = False
        while not is_last:
            try:
                value, end = _scan(text, end)
            except _NOT_THERE:
                break
            if text[end : end + 1] not in ",]":
                end = _blank_end(text, end)
            following = text[end : end + 1]
            if following != "," and following != "]":
                break
            values.append(value)
            used = end + 1
            is_last = following == "]"
            end = used if text[used : used + 1] > " " else _blank_end(text, used)
        return values, self._behind(text[:used], at, values, depth), is_last

    def members(self, at: int, depth: int) -> tuple[dict[str, Any], int, bool]:
        """As elements(), of an object. The next piece may have a key again."""
        text = self._piece(at)
        cut = text.rfind(",")
        members: dict[str, Any] = {}
        try:
            members, end = _scan(f"{{{text[:cut]}}}", 0) if cut > 0 else ({}, 0)
        except _NOT_THERE:
            end = 0
        if members and end == cut + 2:
            return members, self._behind(text[: cut + 1], at, members, depth), False
        members = {}
        end = used = 0
        is_last = False
        while not is_last and text[end : end + 1] == '"':
            try:
                name, end = _scan_string(text, end + 1, True)
                end = _blank_end(text, end)
                if text[end : end + 1] != ":" or name in members:
                    break
                value, end = _scan(text, _blank_end(text, end + 1))
            except _NOT_THERE:
                break
            end = _blank_end(text, end)
            following = text[end : end + 1]
            if following != "," and following != "}":
                break
            members[name] = value
            used = end + 1
            is_last = following == "}"
            end = _blank_end(text, used)
        return members, self._behind(text[:used], at, members, depth), is_last

    def _piece(self, at: int) -> str:
        end = min(at + self._piece_bytes, len(self.line))
        while end < len(self.line) and self.line[end] & 0xC0 == 0x80 and end > at + self._piece_bytes - 4:
            end -= 1
        return self._decoded(at, end)

    def _decoded(self, start: int, end: int) -> str:
        try:
            return self.line[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            detail = f"invalid UTF-8 at byte {start + error.start + 1}: {error.reason}"
            raise BadLine(BadLineReason.INVALID_UTF8, detail) from None

    def _behind(self, text: str, at: int, values: Any, depth: int) -> int:
        """Behind `text`, which begins at `at` and has these values, after a look at them."""
        opened = text.count("{") + text.count("[")
        if opened > MAX_NESTING - depth and depth_exceeds(values, MAX_NESTING - depth + 1):
            raise self.too_deep(at)
        if SURROGATE_ESCAPE.search(text) and has_lone_surrogate(values):
            raise self._lone_surrogate(at)
        if self._counts:
            self._values += _STRING.sub("", text).count(",") + 1
            if self._values > MAX_VALUES:
                raise BadLine(BadLineReason.TOO_LARGE, f"more than {MAX_VALUES} values in one record")
        return at + (len(text) if text.isascii() else len(text.encode("utf-8")))

    def string(self, at: int, is_kept: bool = False) -> tuple[int, str]:
        """(behind a string of any length, its content if that is wanted)."""
        if self.byte(at) != b'"':
            raise self.bad(at, "Expecting property name enclosed in double quotes")
        kept: list[str] = []
        at += 1
        while True:
            cut = self._string_cut(at)
            text = self._decoded(at, cut)
            try:
                content, end = _scan_string(text + '"', 0, True)
            except json.JSONDecodeError as error:
                raise self.bad(at + len(text[: error.pos].encode("utf-8")), error.msg) from None
            if SURROGATE_ESCAPE.search(text) and has_lone_surrogate(content):
                raise self._lone_surrogate(at)
            if is_kept:
                kept.append(content)
            if end <= len(text):
                return at + len(text[:end].encode("utf-8")), "".join(kept)
            if cut == len(self.line):
                raise self.bad(cut, "Unterminated string")
            at = cut

    def _string_cut(self, at: int) -> int:
        """Where a piece of a string that begins at `at` may end: not within a character or an escape."""
        line = self.line
        cut = at + self._piece_bytes
        if cut >= len(line):
            return len(line)
        while line[cut] & 0xC0 == 0x80 and cut > at + self._piece_bytes - 4:
            cut -= 1
        last = line.rfind(b"\\", cut - _ESCAPE_BYTES, cut)
        if last < 0 or not self._begins_escape(last, at):
            return cut
        high = last - _ESCAPE_BYTES // 2
        if _HIGH_SURROGATE.fullmatch(line, high, last) and self._begins_escape(high, at):
            return high
        return last

    def _begins_escape(self, position: int, at: int) -> bool:
        """Whether this backslash does, and is not the second of two. at: where no escape is open."""
        before = position
        while before > at and self.line[before - 1] == ord("\\"):
            before -= 1
        return (position - before) % 2 == 0

    def word(self, at: int) -> tuple[int, Any]:
        """(behind a number or a constant, its value)."""
        match = _WORD.match(self.line, at)
        word = match.group().decode("ascii") if match else ""
        try:
            value, end = _scan(word, 0)
        except BadLine as bad:
            raise BadLine(bad.reason, f"{bad}, at byte {at + 1}") from None
        except (StopIteration, ValueError):
            raise self.bad(at, "Expecting value") from None
        return at + end, value

    def bad(self, at: int, what: str) -> BadLine:
        if at >= len(self.line):
            detail = f"not valid JSON: the line ends at byte {len(self.line)} in the middle of a value"
            return BadLine(BadLineReason.NOT_JSON, detail)
        if self.line[at] == 0:
            return BadLine(BadLineReason.NUL_BYTE, f"not valid JSON: NUL byte at byte {at + 1}")
        return BadLine(BadLineReason.NOT_JSON, f"not valid JSON at byte {at + 1}: {what}")

    def too_deep(self, at: int) -> BadLine:
        detail = f"nested deeper than {MAX_NESTING} levels at or behind byte {at + 1}"
        return BadLine(BadLineReason.TOO_DEEP, detail)

    def _lone_surrogate(self, at: int) -> BadLine:
        return BadLine(BadLineReason.LONE_SURROGATE, f"lone surrogate in a string at or behind byte {at + 1}")


def _blank_end(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
