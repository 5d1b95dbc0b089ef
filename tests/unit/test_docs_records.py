"""The tables of docs/records.md, run."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from glue_job import schema
from glue_job.conform import rebuild
from glue_job.infer import Observer
from glue_job.kernel import Bad, Kernel, Row
from glue_job.lines import ChunkReader
from glue_job.schema import Field, ListOf, Scalar, Struct
from tests.kernel_strategies import same

PAGE = (Path(__file__).resolve().parents[2] / "docs/records.md").read_text(encoding="utf-8")

SCHEMA = Struct(
    (
        Field("n", Scalar(schema.INT64)),
        Field("d", Scalar(schema.DOUBLE)),
        Field("s", Scalar(schema.STRING)),
        Field("b", Scalar(schema.BOOL)),
        Field("o", Struct((Field("x", Scalar(schema.STRING)),))),
        Field("l", ListOf(Scalar(schema.INT64))),
        Field("u", Scalar(schema.UNKNOWN)),
    )
)


def table(first_cell: str) -> list[list[str]]:
    """The rows below the heading row that begins with `first_cell`."""
    lines = PAGE.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@pytest.mark.parametrize(("what", "values", "expected"), table("In the sample"))
def test_types(what: str, values: str, expected: str) -> None:
    observer = Observer()
    for value in code(values):
        observer.add({"field": json.loads(value)})
    (field,) = observer.schema().fields
    assert schema.to_json(field.type) == json.loads(code(expected)[0])


def read(line: bytes) -> Row | Bad | Any:
    kernel = Kernel(SCHEMA, 1_000_000)
    (found,) = [found for chunk in ChunkReader([line], 0, len(line)) for found in kernel.read(chunk)]
    return found


@pytest.mark.parametrize(("what", "line", "row", "rescued"), table("Value"))
def test_values(what: str, line: str, row: str, rescued: str) -> None:
    text = code(line)[0]
    found = read(text.encode())
    assert isinstance(found, Row)
    expected = json.loads(code(row)[0])
    assert found.row == expected
    assert [type(found.row[name]) for name in expected] == [type(value) for value in expected.values()]
    assert all(math.copysign(1, found.row[n]) == math.copysign(1, v) for n, v in expected.items() if v == 0)
    assert found.rescued == (code(rescued)[0] if rescued else None)
    assert same(rebuild(found.row, found.rescued), json.loads(text))


@pytest.mark.parametrize(("line", "reason"), table("Line"))
def test_lines(line: str, reason: str) -> None:
    data = b""
    for word, text in re.findall(r"(`([^`]*)`|byte [0-9A-F]{2}|\d+ times `.` and `.`)", line):
        if word.startswith("byte"):
            data += bytes.fromhex(word[5:])
        elif "times" in word:
            count, (left, right) = int(word.split()[0]), code(word)
            data += (left * count + right * count).encode()
        else:
            data += text.encode()
    found = read(data)
    assert isinstance(found, Bad)
    assert found.reason.reason == reason
    assert found.line.data == data


def test_every_reason_is_on_the_page() -> None:
    from ndjctl.contracts import BadLineReason

    reasons = {value for name, value in vars(BadLineReason).items() if name.isupper()}
    told_in_words = {"line too long", "record too large"}
    assert reasons - told_in_words == {reason for _, reason in table("Line")}
    assert all(f"`{reason}`" in PAGE for reason in told_in_words)
