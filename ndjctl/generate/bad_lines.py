"""Good lines made bad, each for exactly one reason that the pipeline quarantines a line for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ndjctl.contracts import BadLineReason
from ndjctl.generate.values import constant


class Spoiled(NamedTuple):
    """line: without its end."""

    reason: str
    line: bytes


TOO_MANY_VALUES = 12_000_001
"""One more than a record may have."""

LIGHT_KINDS = 10
"""Of bad lines that are not huge, in turn; one of them is two records on a line."""

_LEVELS = 101
"""One more than a record may have."""


class Spoiler:
    """Makes lines of every kind in turn.

    spare: a name that no record has at its root. huge_lines: how many of a file's first bad lines are beyond the limits
    of size: `line too long` and `record too large` in turn, max_line_bytes and 24 MB each; only the former where the
    longest line is shorter than the latter would be.
    """

    def __init__(self, spare: str, huge_lines: int, max_line_bytes: int) -> None:
        name = constant(spare).replace(b"%%", b"%")
        self._huge_lines = huge_lines
        self._max_line_bytes = max_line_bytes
        self._spare = name

        def member(value: bytes) -> Callable[[bytes], bytes]:
            return lambda record: b"{%b:%b,%b" % (name, value, record[1:])

        twice = member(b"1,%b:2" % name)
        self._kinds: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
            (BadLineReason.NOT_JSON, _cut),
            (BadLineReason.NOT_AN_OBJECT, lambda record: b"[%b]" % record),
            (BadLineReason.MORE_THAN_ONE, lambda record: b"%b %b" % (record, record)),
            (BadLineReason.DUPLICATE_KEY, twice),
            (BadLineReason.INVALID_UTF8, member(b'"caf\xe9"')),
            (BadLineReason.LONE_SURROGATE, member(b'"\\ud83d"')),
            (BadLineReason.NOT_A_NUMBER, member(b"NaN")),
            (BadLineReason.OUT_OF_RANGE, member(b"1e400")),
            (BadLineReason.TOO_DEEP, member(b"[" * _LEVELS + b"]" * _LEVELS)),
            (BadLineReason.NUL_BYTE, member(b"1\0")),
        )

    def spoiled(self, number: int, line: bytes) -> Spoiled:
        """The bad line of that number in its file, from 0, in place of a good one; both without their end."""
        if number < self._huge_lines:
            return self._huge(number)
        reason, spoil = self._kinds[(number - self._huge_lines) % LIGHT_KINDS]
        return Spoiled(reason, spoil(line))

    def _huge(self, number: int) -> Spoiled:
        values = b"{%b:[%b]}" % (self._spare, b",".join([b"1"] * TOO_MANY_VALUES)) if number % 2 else b""
        if values and len(values) <= self._max_line_bytes:
            return Spoiled(BadLineReason.TOO_LARGE, values)
        return Spoiled(BadLineReason.TOO_LONG, b'{%b:"%b"}' % (self._spare, b"x" * self._max_line_bytes))

    def huge_bytes(self) -> int:
        """Of all huge lines of a file, at most."""
        return self._huge_lines * (self._max_line_bytes + len(self._spare) + 6)


def _cut(record: bytes) -> bytes:
    """As a writer leaves a line that dies in the middle of it, though not of a character."""
    end = max(1, len(record) * 2 // 3)
    while record[end] & 0xC0 == 0x80:
        end -= 1
    return record[:end]
