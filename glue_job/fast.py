"""Many lines at once by pyarrow's JSON reader, which is fast and careless, and the proof that it was exact this time.

Proven before pyarrow sees the lines (glue_job.kernel): each begins with { and ends with }; no NUL byte; valid UTF-8. In
JSON no } is followed by {, so between two lines such text is always between two records, and every line begins one.
pyarrow itself refuses: what is no JSON, a key twice, a lone surrogate, a value of another kind than its column's (a
number for an integer column that is not written as one of 64 bits included), and any field it was not told of. That it
does is tried once in every process, for there are many builds of it.
Proven of what it gives: it came to the end (pyarrow 10 stops at `},` without a word; where the trial finds that, a last
record of ours has to come back that nobody can foresee); there are as many rows as lines, so that each line is one row;
the types are those it was told.
glue_job.proof sorts out the rows that may still differ from what the strict reader makes of them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
from pyarrow import json as arrow_json

from glue_job import rescue, schema
from glue_job.parquet import arrow_type, data_schema
from glue_job.proof import has_inexact, unproven, without_watched
from glue_job.schema import Field, ListOf, Scalar, Struct, Type
from glue_job.watch import NOTHING

_END = f"end {secrets.token_hex(16)}"
_END_LINE = f'\n{{"{_END}":true}}\n'.encode()

MAX_ROWS = 65_536
"""Of one reading; pyarrow 10 refuses more than 100,000."""

MAX_CELLS = 4 * 1024 * 1024
"""Rows times columns of one reading: an absent value takes memory too."""

_SHORT_BYTES = 16 * 1024

_ROW = re.compile(r"in row (\d+)$")
SHOWN_VALUE_BYTES = 40
"""Of a value that did not fit, at most."""

_VALUE = re.compile(rf"couldn't parse:(.{{1,{SHOWN_VALUE_BYTES}}})", re.DOTALL)


class Rows(NamedTuple):
    """batch: columns as glue_job.parquet.data_schema() has them. unproven: indices of the rows that the strict reader
    has to read. rescuable: values without a column, all of which are known exactly in the other rows."""

    batch: pa.RecordBatch
    unproven: set[int]
    rescuable: tuple[rescue.Found, ...] = ()


class Refused(NamedTuple):
    """row: index of the line at fault. value: a number that did not fit. Both are guesses; None if there is none."""

    row: int | None = None
    value: bytes | None = None


class FastReader:
    """Reads lines to the columns of `root`, which has at least one. told: the schema with watched fields. with_end:
    whether a last record of ours has to prove that pyarrow came to the end."""

    def __init__(self, root: Struct, told: Struct, with_end: bool) -> None:
        self._root = root
        self._told = told
        self._with_end = with_end
        fields = [pa.field(field.name, _arrow_type(field.type)) for field in told.fields]
        self._schema = pa.schema([*fields, pa.field(_END, pa.bool_())] if with_end else fields)
        self._parse_options = arrow_json.ParseOptions(
            explicit_schema=self._schema, unexpected_field_behavior="error", newlines_in_values=False
        )
        self._data_schema = data_schema(root)
        names = {field.name: index for index, field in enumerate(told.fields)}
        self._positions = [names[field.name] for field in root.fields]
        self._columns = {field.name: field.type for field in root.fields}
        self._with_doubles = [at for at, f in enumerate(told.fields) if f.name in self._columns and _has_double(f.type)]
        self._watched = [at for at, f in enumerate(told.fields) if self._columns.get(f.name) != f.type]
        self._leaves = list(rescue.leaves(root, told))
        self.max_rows = max(1, min(MAX_ROWS, MAX_CELLS // max(1, _count_columns(told))))

    def read(self, data: bytes | bytearray, count: int) -> Rows | Refused:
        """data: lines that are proven as said above, with a line end between them, and perhaps at the end."""
        if self._with_end:
            data += _END_LINE
        options = arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1)
        try:
            table = arrow_json.read_json(pa.BufferReader(data), options, self._parse_options)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            return _refused(str(error))
        if table.num_rows != count + self._with_end or not table.schema.equals(self._schema):
            return Refused()
        if table.column(0).num_chunks != 1:
            table = table.combine_chunks()
        if self._with_end:
            end = table.column(len(self._told.fields))
            if end.null_count != count or not end[count].as_py():
                return Refused()
            table = table.remove_column(len(self._told.fields)).slice(0, count)
        arrays = {at: table.column(at).chunk(0) for at in {*self._with_doubles, *self._watched}}
        suspects = set(self._watched)
        if has_inexact([arrays[at] for at in self._with_doubles]):
            suspects.update(self._with_doubles)
        found: set[int] = set()
        for at in suspects:
            field = self._told.fields[at]
            found |= unproven(arrays[at], field.type, self._columns.get(field.name), rescue.is_plain)
        rescuable = [rescue.Found(leaf, _within(arrays, leaf)) for leaf in self._leaves]
        rescuable = [values for values in rescuable if values.values.null_count < len(values.values)]
        for values in rescuable:
            found |= rescue.doubtful(values)
        return Rows(self._batch(table, arrays), found, tuple(rescuable))

    def _batch(self, table: pa.Table, arrays: Mapping[int, pa.Array]) -> pa.RecordBatch:
        if not self._watched:
            (batch,) = table.to_batches()
            return batch
        columns = [
            without_watched(arrays[at], self._told.fields[at].type, field.type, arrow.type)
            if at in arrays
            else table.column(at).chunk(0)
            for at, field, arrow in zip(self._positions, self._root.fields, self._data_schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._data_schema)


def _within(arrays: Mapping[int, pa.Array], leaf: rescue.Leaf) -> pa.Array:
    array = arrays[leaf.steps[0]]
    for index in leaf.steps[1:]:
        array = array.field(index)
    return array


def _refused(message: str) -> Refused:
    row, value = _ROW.search(message), _VALUE.search(message)
    return Refused(int(row.group(1)) if row else None, value.group(1).encode() if value else None)


def _arrow_type(told: Type) -> pa.DataType:
    if isinstance(told, Struct):
        return pa.struct([pa.field(field.name, _arrow_type(field.type)) for field in told.fields])
    if isinstance(told, ListOf):
        return pa.list_(_arrow_type(told.element))
    return pa.null() if told.kind == NOTHING else arrow_type(told)


def _has_double(told: Type) -> bool:
    if isinstance(told, Struct):
        return any(_has_double(field.type) for field in told.fields)
    return _has_double(told.element) if isinstance(told, ListOf) else told.kind == schema.DOUBLE


def _count_columns(told: Type) -> int:
    if isinstance(told, Struct):
        return 1 + sum(_count_columns(field.type) for field in told.fields)
    return 1 + _count_columns(told.element) if isinstance(told, ListOf) else 1


def is_utf8(data: bytes) -> bool:
    """Whether it is valid UTF-8."""
    if data.isascii():
        return True
    if len(data) < _SHORT_BYTES:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True
    # Without making a str of it, which takes ten times as long.
    size = len(data).to_bytes(4, "little")
    array = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(bytes(4) + size), pa.py_buffer(data)])
    try:
        array.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


# --------------------------------------------------------------------------------------------------------------
# The trial

_TRIAL = Struct(
    (
        Field("i", Scalar(schema.INT64)),
        Field("d", Scalar(schema.DOUBLE)),
        Field("s", Scalar(schema.STRING)),
        Field("b", Scalar(schema.BOOL)),
        Field("l", ListOf(Struct((Field("x", Scalar(schema.INT64)),)))),
        Field("t", Struct((Field("x", Scalar(schema.STRING)),))),
    )
)

_GOOD = b'{"i":-9223372036854775808,"d":0.1,"s":"2026-01-01 \\ud83d\\ude00\\u0000","l":[null,{"\\u0078":null}],"t":{}}'

_READ = {
    "i": -(2**63),
    "d": 0.1,
    "s": "2026-01-01 \U0001f600\0",
    "b": None,
    "l": [None, {"x": None}],
    "t": {"x": None},
}

_MUST_REFUSE = tuple(
    b'{"d":1.5,%s}' % member
    for member in (
        *(
            b'"i":%s' % value
            for value in (b"1.0", b"1e2", b"01", b"+1", b"9223372036854775808", b"true", b'"1"', b"NaN")
        ),
        *(
            b'"s":%s' % value
            for value in (b"1", b"true", b"[]", b"{}", b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"')
        ),
        *(b'"s":%s' % value for value in (b'"\t"', b'"\\x41"', b'"\\u12g4"', b"'a'", b'"a', b'"\n"', b"NaN")),
        *(b'"b":%s' % value for value in (b"1", b'"true"', b"True", b"{}")),
        *(b'"l":%s' % value for value in (b"{}", b"1", b"[1]", b"[[]]", b'[{"y":null}]', b'[{"x":1,"x":1}]', b"[{},]")),
        *(b'"t":%s' % value for value in (b"[]", b'"a"', b'{"x":"a","x":null}', b'{"y":null}', b'{"x":1}', b"{,}")),
        *(b'"unknown":%s' % value for value in (b"null", b"1", b"[[[]]]", b'{"a":1}')),
        *(
            b'"d":1.5',
            b'"d":null',
            b'"i":1,"i":null',
            b'"i":1,',
            b'"i":1/**/',
            b'"i" 1',
            b'"i":1}{"i":2',
            b'"i":1},{"i":2',
        ),
        *(b'"i":1},', b'"i":1}}', b'"i":1}]', b'"i":1}:', b'"i":1}\0'),
        *(
            b'"i":1} null {"i":2',
            b'"i":1} x {"i":2',
            b'"i":1}}{"i":2',
            b'"i":1}]{"i":2',
            b'"i":1}:{"i":2',
            b'"\\ud800":null',
            b'"I":1',
        ),
    )
)

_MUST_FIND = tuple(
    b'{"d":%s}' % value for value in (b"NaN", b"-NaN", b"-Infinity", b"9007199254740993", b"-0", b"1e400")
)


@lru_cache(maxsize=1)
def trusted() -> bool | None:
    """Whether the pyarrow at hand has to be watched for coming to the end; None if it is too careless to be used."""
    return next((with_end for with_end in (False, True) if _passes(with_end)), None)


def _passes(with_end: bool) -> bool:
    reader = FastReader(_TRIAL, _TRIAL, with_end)
    good = reader.read(_GOOD, 1)
    if not isinstance(good, Rows) or good.unproven or good.batch.to_pylist() != [_READ]:
        return False
    for line in _MUST_REFUSE:
        if isinstance(reader.read(line, 1), Rows) or isinstance(reader.read(_GOOD + b"\n" + line, 2), Rows):
            return False
    for line in _MUST_FIND:
        found = reader.read(line, 1)
        if isinstance(found, Rows) and found.unproven != {0}:
            return False
    return True
