"""Which rows of a carelessly read table are not proven to be what glue_job.conform would store. Pure.

What pyarrow checks itself (see glue_job.fast) leaves three things:
- a double column takes integers that it rounds. An integer of up to 2**53 is held exactly: a smaller value is proven;
- a double column takes NaN and Infinity, which are no JSON, and the integer -0 as -0.0;
- a row has a watched field that is not null, which has no column. If all of them are plain values glue_job.rescue
  knows what becomes of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from glue_job import schema
from glue_job.schema import ListOf, Scalar, Struct, Type

_EXACT = pa.scalar(float(2**53), pa.float64())
_MINUS_ZERO = pa.scalar(-(2**63), pa.int64())
"""The bits of -0.0."""
(_EXACT_BITS,) = struct.unpack("<q", struct.pack("<d", 2.0**53))
_WITHOUT_SIGN = pa.scalar(2**63 - 1, pa.int64())


def unproven(
    array: pa.Array, told: Type, column: Type | None, is_seen_to: Callable[[Type], bool] = lambda told: False
) -> set[int]:
    """Indices. told: the type that the array was read as. column: its column's, None if it is only watched.
    is_seen_to: whether watched fields of a type, within structs alone, are seen to elsewhere."""
    if column is None:
        if is_seen_to(told) or array.null_count == len(array):
            return set()
        return set(indices_of(array.is_valid()))
    if isinstance(column, Struct) and isinstance(told, Struct):
        columns = {field.name: field.type for field in column.fields}
        found: set[int] = set()
        for index, field in enumerate(told.fields):
            found |= unproven(array.field(index), field.type, columns.get(field.name), is_seen_to)
        return found
    if isinstance(column, ListOf) and isinstance(told, ListOf):
        found = unproven(array.flatten(), told.element, column.element)
        if not found:
            return found
        parents = pc.list_parent_indices(array)
        return {parents[index].as_py() for index in found}
    return _inexact(array) if column == Scalar(schema.DOUBLE) else set()


def has_inexact(arrays: Sequence[pa.Array]) -> bool:
    """Whether a double column, of these or within them, may have a value that is not proven. One look for all of them,
    because calls for many small arrays take longer than the looking. Arrays without an offset."""
    doubles = [leaf.view(pa.int64()) for array in arrays for leaf in _doubles(array)]
    if not doubles:
        return False
    # As integers the bits of doubles have the order of their absolute values; NaN and Infinity are the largest.
    bits = doubles[0] if len(doubles) == 1 else pa.concat_arrays(doubles)
    found = pc.min_max(bits)
    least, most = found["min"].as_py(), found["max"].as_py()
    if least is None or (least >= 0 and most < _EXACT_BITS):
        return False
    if most >= _EXACT_BITS or least == _MINUS_ZERO.as_py():
        return True
    return bool(pc.min_max(pc.bit_wise_and(bits, _WITHOUT_SIGN))["max"].as_py() >= _EXACT_BITS)


def _doubles(array: pa.Array) -> list[pa.Array]:
    """With what is under a null, too."""
    if pa.types.is_struct(array.type):
        return [leaf for index in range(array.type.num_fields) for leaf in _doubles(array.field(index))]
    if pa.types.is_list(array.type):
        return _doubles(array.values)
    return [array] if pa.types.is_float64(array.type) else []


def _inexact(array: pa.Array) -> set[int]:
    is_small = pc.less(pc.abs(array), _EXACT)
    is_minus_zero = pc.equal(array.view(pa.int64()), _MINUS_ZERO)
    return set(indices_of(pc.or_(pc.invert(is_small), is_minus_zero)))


def indices_of(mask: pa.Array) -> list[int]:
    """Where it is true."""
    found: list[int] = pc.indices_nonzero(mask.fill_null(False)).to_pylist()
    return found


def without_watched(array: pa.Array, told: Type, column: Type, arrow: pa.DataType) -> pa.Array:
    """The array as its column, without the watched fields. arrow: the column's type. The array has no offset."""
    if told == column:
        return array
    if array.offset:
        raise ValueError("the array has an offset")
    if isinstance(column, Struct) and isinstance(told, Struct):
        positions = {field.name: index for index, field in enumerate(told.fields)}
        children = []
        for field, arrow_field in zip(column.fields, arrow, strict=True):
            index = positions[field.name]
            child_told = told.fields[index].type
            children.append(without_watched(array.field(index), child_told, field.type, arrow_field.type))
        return pa.Array.from_buffers(arrow, len(array), array.buffers()[:1], children=children)
    if not isinstance(column, ListOf) or not isinstance(told, ListOf):
        raise ValueError("the array was read as another type than its column's")
    values = without_watched(array.values, told.element, column.element, arrow.value_type)
    return pa.Array.from_buffers(arrow, len(array), array.buffers()[:2], children=[values])
