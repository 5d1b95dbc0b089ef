"""A long line to what its columns take and what they do not, without ever being one record. Pure.

A record takes up to a hundred times the memory of its line as Python's objects, so a line that has to be read strictly
is not made one if it is long. Its lists and objects are taken a piece at a time (glue_job.long_json), by the same rules
as all others (glue_job.conform); only what is itself longer than a piece is entered. What fits is put together again as
JSON for the fast reader, and there is nothing in it that this could read differently; what does not fit is kept as it
stands in the line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from glue_job import schema
from glue_job.conform import Drift, Fit, Misfit, Path, fit_for, place_of, pointer
from glue_job.long_json import Pieces
from glue_job.records import MAX_NESTING, BadLine
from glue_job.schema import ListOf, Scalar, Struct, Type
from ndjctl.contracts import MIB, BadLineReason

LONG_BYTES = MIB
"""From this size on a line is read in this way if it has to be read strictly."""

MAX_RESCUED_BYTES = 64 * MIB
"""Of one record: a list of which every element is rescued by its pointer becomes many times as long."""

_PIECE_BYTES = 256 * 1024
_SAMPLED = 200
"""Elements of a list or an object that are remembered, to tell their type to whoever adds a column."""


class LongRecord(NamedTuple):
    """fitting: a JSON object of the values that fit their columns. rescued: as of glue_job.conform, as UTF-8, or None.
    drift: of this record. sample: some of the record, of every kind of place."""

    fitting: bytearray
    rescued: bytearray | None
    drift: Drift
    sample: dict[str, Any]


class _Found(NamedTuple):
    """end: behind the value. is_stored: whether it was written to what fits."""

    end: int
    sample: Any
    is_stored: bool


def read_long(line: bytes, root: Struct, piece_bytes: int = _PIECE_BYTES) -> LongRecord:
    """Raises BadLine where glue_job.records.parse() does, and for a record of too many values or with too much to
    rescue. piece_bytes: at least 32."""
    return _Reader(line, piece_bytes).record(root)


class _Reader:
    def __init__(self, line: bytes, piece_bytes: int) -> None:
        self._pieces = Pieces(line, piece_bytes)
        self._line = line
        self._view = memoryview(line)
        self._fitting = bytearray()
        self._rescued = bytearray()
        self._drift = Drift()

    def record(self, root: Struct) -> LongRecord:
        start = self._pieces.skip(0)
        is_object = self._pieces.byte(start) == b"{"
        found = self._value(start, None, root if is_object else None, 0)
        end = self._pieces.skip(found.end)
        if end < len(self._line):
            detail = f"more than one JSON value on the line: the first ends before the one at byte {end + 1}"
            raise BadLine(BadLineReason.MORE_THAN_ONE, detail)
        if not is_object:
            raise BadLine(BadLineReason.NOT_AN_OBJECT, f"expected a JSON object at byte {start + 1}")
        if self._rescued:
            self._rescued += b"}"
        return LongRecord(self._fitting, self._rescued or None, self._drift, found.sample)

    def _value(self, at: int, path: Path, column: Type | None, depth: int) -> _Found:
        """A value of any length. column: None if it is not to be stored, and is rescued by whoever asks, if at all.
        depth: levels that it is within."""
        first = self._pieces.byte(at)
        if first == b"{":
            return self._container(at, path, column, depth, Struct, self._object)
        if first == b"[":
            return self._container(at, path, column, depth, ListOf, self._list)
        if first == b'"':
            end, _ = self._pieces.string(at)
            is_stored = isinstance(column, Scalar) and column.kind in (schema.STRING, schema.UNKNOWN)
            if is_stored:
                self._fitting += self._view[at:end]
            elif column is not None:
                self._rescue(Misfit(path, "", schema.kind_of(column)), self._view[at:end])
            return _Found(end, "", is_stored)
        end, value = self._pieces.word(at)
        if column is None or value is None:
            return _Found(end, value, False)
        misfits: list[Misfit] = []
        stored = fit_for(column)(value, path, misfits)
        self._rescue_all(misfits)
        if stored is not None:
            self._fitting += _dumped(stored)
        return _Found(end, value, stored is not None)

    def _container(
        self,
        at: int,
        path: Path,
        column: Type | None,
        depth: int,
        wanted: type,
        read: Callable[[int, Path, Any, int], tuple[int, Any]],
    ) -> _Found:
        if depth >= MAX_NESTING:
            raise self._pieces.too_deep(at)
        fits = isinstance(column, wanted)
        end, sample = read(at + 1, path, column if fits else None, depth + 1)
        if column is not None and not fits:
            self._rescue(Misfit(path, sample, schema.kind_of(column)), self._view[at:end])
        return _Found(end, sample, fits)

    def _list(self, at: int, path: Path, column: ListOf | None, depth: int) -> tuple[int, list[Any]]:
        """From behind its bracket; (behind the other one, a sample). depth: levels, the list included."""
        element = None if column is None else column.element
        fit = None if element is None else fit_for(element)
        as_it_is = element is not None and not _has_struct(element)
        sample: list[Any] = []
        index = 0
        self._write(column, b"[")
        at = self._pieces.skip(at)
        is_last = self._pieces.byte(at) == b"]"
        at += is_last
        while not is_last:
            self._write(column, b"," if index else b"")
            values, end, is_last = self._pieces.elements(at, depth)
            if values:
                sample += values[: _SAMPLED - len(sample)]
                if fit is not None:
                    self._store(values, fit, path, index, at if as_it_is else None, end - 1)
                index += len(values)
                at = end
            else:
                found = self._value(at, (path, index), element, depth)
                if len(sample) < _SAMPLED:
                    sample.append(found.sample)
                if not found.is_stored:
                    self._write(column, b"null")
                index += 1
                at, is_last = self._pieces.delimiter(found.end, b"]")
            at = at if is_last else self._pieces.skip(at)
        self._write(column, b"]")
        return at, sample

    def _store(self, values: list[Any], fit: Fit, path: Path, first: int, start: int | None, end: int) -> None:
        """Elements of a list. start, end: where they stand in the line; start is None if they are not to be taken as
        they stand there."""
        misfits: list[Misfit] = []
        stored = [
            None if value is None else fit(value, (path, index), misfits) for index, value in enumerate(values, first)
        ]
        # The integer -0 is a plain zero, but not to a reader of doubles.
        if misfits or start is None or self._line.find(b"-0", start, end) >= 0:
            self._fitting += _dumped(stored)[1:-1]
        else:
            self._fitting += self._view[start:end]
        self._rescue_all(misfits)

    def _object(self, at: int, path: Path, column: Struct | None, depth: int) -> tuple[int, dict[str, Any]]:
        """As _list()."""
        types = {} if column is None else {field.name: field.type for field in column.fields}
        fits = {name: fit_for(of) for name, of in types.items()}
        keys = _Keys()
        sample: dict[str, Any] = {}
        self._write(column, b"{")
        begin = len(self._fitting)
        at = self._pieces.skip(at)
        is_last = self._pieces.byte(at) == b"}"
        at += is_last
        while not is_last:
            members, end, is_last = self._pieces.members(at, depth)
            if members:
                keys.add(members)
                for name in list(members)[: max(0, _SAMPLED - len(sample))]:
                    sample[name] = members[name]
                if column is not None:
                    self._store_members(members, fits, path, begin)
                at = end
            else:
                at, name = self._pieces.string(at, is_kept=True)
                keys.add([name])
                at = self._pieces.skip(at)
                if self._pieces.byte(at) != b":":
                    raise self._pieces.bad(at, "Expecting ':' delimiter")
                at = self._pieces.skip(at + 1)
                at, value = self._long_member(at, (path, name), column, types.get(name), begin, depth)
                # Few members are so long; each may be the one that a column is to be made of.
                sample[name] = value
                at, is_last = self._pieces.delimiter(at, b"}")
            at = at if is_last else self._pieces.skip(at)
        keys.check()
        self._write(column, b"}")
        return at, sample

    def _store_members(self, members: Mapping[str, Any], fits: Mapping[str, Fit], path: Path, begin: int) -> None:
        """begin: where the first member of the object stands in what fits."""
        misfits: list[Misfit] = []
        for name, value in members.items():
            if value is None:
                continue
            fit = fits.get(name)
            if fit is None:
                misfits.append(Misfit((path, name), value, None))
            elif (stored := fit(value, (path, name), misfits)) is not None:
                self._write_name(name, begin)
                self._fitting += _dumped(stored)
        self._rescue_all(misfits)

    def _long_member(
        self, at: int, path: tuple[Path, str], struct: Struct | None, column: Type | None, begin: int, depth: int
    ) -> tuple[int, Any]:
        """(behind the value, its sample). struct: that it is a member of. column: its own."""
        before = len(self._fitting)
        if column is not None:
            self._write_name(path[1], begin)
        found = self._value(at, path, column, depth)
        if not found.is_stored:
            del self._fitting[before:]
        if struct is not None and column is None and found.sample is not None:
            self._rescue(Misfit(path, found.sample, None), self._view[at : found.end])
        return found.end, found.sample

    def _write_name(self, name: str, begin: int) -> None:
        self._fitting += b"," if len(self._fitting) > begin else b""
        self._fitting += _dumped(name) + b":"

    def _write(self, column: Type | None, text: bytes) -> None:
        if column is not None:
            self._fitting += text

    def _rescue_all(self, misfits: Sequence[Misfit]) -> None:
        """Those of one piece: many, and of few kinds."""
        counts: dict[tuple[Any, ...], int] = {}
        examples: dict[tuple[Any, ...], Misfit] = {}
        last: Path = None
        above = above_any = ""
        for misfit in misfits:
            container, token = misfit.path or (None, "")
            if container is not last:
                last, above, above_any = container, pointer(container), pointer(container, "*")
            is_index = type(token) is int
            self._add(f"{above}/{token}" if is_index else pointer(misfit.path), _dumped(misfit.value))
            kind = (above_any, None if is_index else token, misfit.expected, type(misfit.value))
            examples.setdefault(kind, misfit)
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            self._drift.add(place_of(examples[kind]), count)

    def _rescue(self, misfit: Misfit, text: bytes | memoryview) -> None:
        """text: the value as JSON."""
        self._drift.add(place_of(misfit))
        self._add(pointer(misfit.path), text)

    def _add(self, place: str, text: bytes | memoryview) -> None:
        self._rescued += b"," if self._rescued else b"{"
        self._rescued += _dumped(place) + b":"
        self._rescued += text
        if len(self._rescued) > MAX_RESCUED_BYTES:
            detail = f"what does not fit the schema would take more than {MAX_RESCUED_BYTES} bytes"
            raise BadLine(BadLineReason.TOO_LARGE, detail)


class _Keys:
    """The keys of one object, to find one that is there twice. Columns take less memory than a set."""

    def __init__(self) -> None:
        self._arrays: list[pa.Array] = []

    def add(self, keys: Iterable[str]) -> None:
        self._arrays.append(pa.array(list(keys), pa.string()))

    def check(self) -> None:
        found = pa.chunked_array(self._arrays, pa.string())
        if pc.count_distinct(found).as_py() != len(found):
            raise BadLine(BadLineReason.DUPLICATE_KEY, "a key is twice in an object")


_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _dumped(value: Any) -> bytes:
    return _encoded(value).encode("utf-8")


def _has_struct(column: Type) -> bool:
    return isinstance(column, Struct) or (isinstance(column, ListOf) and _has_struct(column.element))
