"""A line is one strict JSON object or a bad line that says why and where."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from glue_job.records import MAX_NESTING, BadLine, parse
from ndjctl.contracts import BadLineReason
from tests.kernel_strategies import RECORDS, same

LARGEST = "1797693134862315" + "0" * 293  # of 309 digits, a little below the largest double


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":NaN}', "NaN at character 6 is no JSON number"),
        (b'{"a":[1,-Infinity]}', "-Infinity at character 9 is no JSON number"),
        (b'{"a":1e400}', "the number 1e400 at character 6 is beyond the range of a double"),
        (b'{"a":-1' + b"0" * 309 + b"}", "at character 6 is beyond the range of a double"),
        (b'{"a":1' + b"0" * 9_000 + b"}", "(9001 characters) at character 6 is beyond the range of a double"),
        (b'{"a":1,"b":{"a":2,"a":3}}', 'duplicate key "a" at character 19'),
        (b'{"a":[{"b":1},{"c":1,"\\u0063":2}]}', 'duplicate key "c" at character 22'),
        (b'{"a":1}{"b":2}', "more than one JSON value on the line: the first ends before the one at character 8"),
        (b'{"a"{"x":1e400}}', "not valid JSON at character 5: Expecting ':' delimiter"),
        (b'{"a":1,"a":2,}', 'duplicate key "a" at character 8'),
        (b'{"a":1}{"b":NaN}', "more than one JSON value on the line: the first ends before the one at character 8"),
        (b'{"a":1} ,', "more than one JSON value on the line: the first ends before the one at character 9"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 7: invalid start byte"),
        (b'{"a":"\xed\xa0\x80"}', "invalid UTF-8 at byte 7: invalid continuation byte"),
        (b'{"a":"\\ud800"}', "lone surrogate in the string at character 6"),
        (b'{"\\udfff":1}', "lone surrogate in the string at character 2"),
        (b'{"a":' * 100 + b"{}" + b"}" * 100, "nested deeper than 100 levels at character 501"),
        (b'{"a":' + b"[" * 200_000, "nested deeper than 100 levels at character 105"),
        (b'{"a":"\x00"}', "NUL byte at character 7"),
        (b'{"a"\x00:1}', "NUL byte at character 5"),
        (b"[1]", "expected a JSON object, found a list at character 1"),
        (b'  "x"', "expected a JSON object, found a string at character 3"),
        (b"null", "expected a JSON object, found null at character 1"),
        (b"true", "expected a JSON object, found a boolean at character 1"),
        (b"-1", "expected a JSON object, found a number at character 1"),
        (b'{"a":', "the line ends at character 5 in the middle of a value"),
        (b'{"a', "not valid JSON at character 2"),
        (b"{a:1}", "not valid JSON at character 2"),
        (b"{'a':1}", "not valid JSON at character 2"),
        (b'{"a":01}', "not valid JSON at character 7"),
        (b'{"a":.5}', "not valid JSON at character 6"),
        (b'{"a":1.}', "not valid JSON at character 7"),
        (b'{"a":"\t"}', "not valid JSON at character 7"),
        (b'{"a":"\\x"}', "not valid JSON at character 7"),
        (b'{"a":\xc2\xa01}', "not valid JSON at character 6"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON at character 1"),
        (b"}", "not valid JSON at character 1"),
        ('{"a":\u0661}'.encode(), "not valid JSON at character 6"),
    ],
)
def test_a_bad_line_says_what_and_where(line: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as raised:
        parse(line)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", BadLineReason.NOT_JSON),
        (b"[]", BadLineReason.NOT_AN_OBJECT),
        (b"{}{}", BadLineReason.MORE_THAN_ONE),
        (b'{"a":1,"a":1}', BadLineReason.DUPLICATE_KEY),
        (b'{"a":"\xff"}', BadLineReason.INVALID_UTF8),
        (b'{"a":"\\ud800"}', BadLineReason.LONE_SURROGATE),
        (b'{"a":-Infinity}', BadLineReason.NOT_A_NUMBER),
        (b'{"a":-1e999}', BadLineReason.OUT_OF_RANGE),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", BadLineReason.TOO_DEEP),
        (b'{"a":"\0"}', BadLineReason.NUL_BYTE),
    ],
)
def test_a_bad_line_has_a_reason_that_can_be_counted(line: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as raised:
        parse(line)
    assert raised.value.reason == reason


def test_the_first_thing_wrong_is_the_one_that_is_named() -> None:
    with pytest.raises(BadLine, match="lone surrogate in the string at character 6"):
        parse(b'{"a":"\\ud800","b":1,"b":NaN}')


def test_a_key_in_a_reason_is_quoted_and_short() -> None:
    key = json.dumps("k\n" * 1_000).encode()
    with pytest.raises(BadLine) as raised:
        parse(b"{" + key + b":1," + key + b":1}")
    assert "\\n" in str(raised.value)
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b" {} \r", {}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":"\\u0000","b":"\\\\ud800"}', {"a": "\0", "b": "\\ud800"}),
        (b'{"a":' + LARGEST.encode() + b"}", {"a": int(LARGEST)}),
        (b'{"a":1.7976931348623157e308,"b":1e-400}', {"a": 1.7976931348623157e308, "b": 0.0}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}),
        (b'{"a":"[[[[{{{{"}', {"a": "[[[[{{{{"}),
    ],
)
def test_a_record_is_read_as_it_is(line: bytes, record: dict[str, object]) -> None:
    assert same(parse(line), record)


def test_nesting_up_to_the_limit_and_many_shallow_brackets_are_fine() -> None:
    deep = b'{"a":' * (MAX_NESTING - 1) + b"{}" + b"}" * (MAX_NESTING - 1)
    assert json.loads(deep) == parse(deep)
    wide = json.dumps({"a": [[{}]] * 500}).encode()
    assert json.loads(wide) == parse(wide)


@given(RECORDS)
def test_every_record_is_read_back(record: dict[str, object]) -> None:
    for ensure_ascii in (True, False):
        assert same(parse(json.dumps(record, ensure_ascii=ensure_ascii).encode()), record)
