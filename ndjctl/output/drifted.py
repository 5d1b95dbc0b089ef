"""Values off the schema, in words. Pure."""

from __future__ import annotations

_INTEGERS = {
    "int64": "integer beyond the range of the column's int64",
    "double": "integer that the column's double does not hold exactly",
}


def off_column(found: str, expected: str) -> str:
    """found: JSON type of the value. expected: kind of its column. An integer is off a column of numbers for its size
    alone."""
    if found == "integer" and expected in _INTEGERS:
        return _INTEGERS[expected]
    return f"{found} where the column is {expected}"
