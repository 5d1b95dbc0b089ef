"""A line to its record: strict JSON, one object, nothing that would be changed by being read.

The fast way is Python's own decoder with hooks that notice what it lets pass. Only a line that fails is looked at a
second time, slowly, to say what is wrong with it and where.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from ndjctl.contracts import BadLineReason

MAX_NESTING = 100
"""Objects and lists within each other that a record may have, itself included."""

_MAX_INTEGER_DIGITS = 309
"""The largest double has 309 digits before the point. Also keeps int() away from its own limit."""

_TOO_DEEP = f"nested deeper than {MAX_NESTING} levels"
_EXPLAINED_CHARACTERS = 8 * 1024 * 1024
"""Longer lines are not looked at twice: it would take seconds and memory, for a position."""

SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SHOWN_CHARACTERS = 60


class BadLine(ValueError):
    """The line is no record. reason: one of BadLineReason. str() is the one-line detail, with the position in it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_OUT_OF_RANGE = "a number is beyond the range of a double"


class _Suspect(BadLine):
    """Raised by a hook of the decoder, which knows what is wrong but not where."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Suspect(BadLineReason.DUPLICATE_KEY, "a key is twice in an object")
    return result


def _integer(text: str) -> int:
    if len(text) >= _MAX_INTEGER_DIGITS and not _is_held(text):
        raise _Suspect(BadLineReason.OUT_OF_RANGE, _OUT_OF_RANGE)
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Suspect(BadLineReason.OUT_OF_RANGE, _OUT_OF_RANGE)
    return value


def _constant(text: str) -> NoReturn:
    raise _Suspect(BadLineReason.NOT_A_NUMBER, f"{text} is no JSON number")


def _is_held(number: str) -> bool:
    """Whether a JSON number is within the range of a double."""
    return not math.isinf(float(number))


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=True
)


def parse(line: bytes) -> dict[str, Any]:
    """The record of a line (without its end): dict, list, str, int, float, bool and None, integers exact.

    Raises BadLine for anything but one JSON object in valid UTF-8; for NaN, Infinity and numbers beyond the range of a
    double; for a key twice in an object; for lone surrogates; for nesting beyond MAX_NESTING.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLine(BadLineReason.INVALID_UTF8, f"invalid UTF-8 at byte {error.start + 1}: {error.reason}") from None
    try:
        record = DECODER.decode(text)
    except RecursionError:
        raise _explain(text) or BadLine(BadLineReason.TOO_DEEP, _TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise _explain(text, error.pos) or _of_decoder(text, error) from None
    except _Suspect as suspect:
        raise _explain(text) or suspect from None
    if type(record) is not dict:
        found = f"expected a JSON object, found {_name(record)} at character {_first_character(text)}"
        raise BadLine(BadLineReason.NOT_AN_OBJECT, found)
    if text.count("{") + text.count("[") > MAX_NESTING and depth_exceeds(record, MAX_NESTING):
        raise _explain(text) or BadLine(BadLineReason.TOO_DEEP, _TOO_DEEP)
    if SURROGATE_ESCAPE.search(text) and has_lone_surrogate(record):
        raise _explain(text) or BadLine(BadLineReason.LONE_SURROGATE, "lone surrogate in a string")
    return record


def _name(value: Any) -> str:
    names = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean"}
    return names.get(type(value), "null")


def _first_character(text: str) -> int:
    return len(text) - len(text.lstrip(" \t\r\n")) + 1


def _of_decoder(text: str, error: json.JSONDecodeError) -> BadLine:
    at = f"at character {error.pos + 1}"
    if error.msg == "Extra data":
        detail = f"more than one JSON value on the line: the first ends before the one {at}"
        return BadLine(BadLineReason.MORE_THAN_ONE, detail)
    if error.pos >= len(text):
        detail = f"not valid JSON: the line ends at character {len(text)} in the middle of a value"
        return BadLine(BadLineReason.NOT_JSON, detail)
    if text[error.pos] == "\0":
        return BadLine(BadLineReason.NUL_BYTE, f"not valid JSON: NUL byte {at}")
    return BadLine(BadLineReason.NOT_JSON, f"not valid JSON {at}: {error.msg}")


def depth_exceeds(value: Any, limit: int) -> bool:
    """Whether there are more than `limit` (at least 1) objects and lists within each other, a value that is one
    included."""
    level = [value]
    for _ in range(limit):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return False
    return True


def has_lone_surrogate(value: Any) -> bool:
    """Of a value as parse() makes them."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


# --------------------------------------------------------------------------------------------------------------
# The second, slow look at a bad line

_TOKEN = re.compile(
    r'[ \t\r\n]+|(?P<string>"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)'
    r"|(?P<constant>NaN|-?Infinity)|(?P<open>[{\[])|(?P<close>[}\]])|(?P<other>.)",
    re.DOTALL | re.ASCII,
)


def _explain(text: str, before: int | None = None) -> BadLine | None:
    """The first thing in `text` that the decoder itself would not name well, or None if there is none: the decoder's
    own message is then the better one. before: place from 0 at which the decoder gave up; what is behind it is no
    reason. Stops at the first place that is not even a token."""
    if len(text) > _EXPLAINED_CHARACTERS:
        return None
    before = len(text) if before is None else before
    keys: list[set[str] | None] = []  # one entry for every open container, None for a list
    expects_key = False
    for token in _TOKEN.finditer(text):
        if token.start() > before:
            return None
        kind, word, at = token.lastgroup, token.group(), f"at character {token.start() + 1}"
        if kind == "constant":
            return BadLine(BadLineReason.NOT_A_NUMBER, f"{word} {at} is no JSON number")
        if kind == "number" and not _is_held(word):
            return BadLine(
                BadLineReason.OUT_OF_RANGE, f"the number {_shown(word)} {at} is beyond the range of a double"
            )
        if kind == "string":
            try:
                content = json.loads(word)
            except ValueError:
                return None
            if has_lone_surrogate(content):
                return BadLine(BadLineReason.LONE_SURROGATE, f"lone surrogate in the string {at}")
            if expects_key and keys and keys[-1] is not None:
                if content in keys[-1]:
                    return BadLine(BadLineReason.DUPLICATE_KEY, f"duplicate key {_shown(json.dumps(content))} {at}")
                keys[-1].add(content)
            expects_key = False
        elif kind == "open":
            keys.append(set() if word == "{" else None)
            expects_key = word == "{"
            if len(keys) > MAX_NESTING:
                return BadLine(BadLineReason.TOO_DEEP, f"{_TOO_DEEP} {at}")
        elif kind == "close":
            if not keys or (keys.pop() is None) != (word == "]"):
                return None
        elif kind == "other":
            if word == ",":
                expects_key = bool(keys) and keys[-1] is not None
            elif word not in ":truefalsn":
                return None
    return None


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"
