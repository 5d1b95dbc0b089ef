"""Checks a request against the service model that botocore ships, so that a wrong field fails here as it would at AWS,
whatever the client did or did not check."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ndjctl.embedded.glue.errors import SERIALIZATION, UNKNOWN_OPERATION, VALIDATION, GlueError

_SURROGATE_PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)

_INTEGER_LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1}


class RequestValidator:
    """The input shapes of Glue. model: botocore's ServiceModel; None loads the one installed."""

    def __init__(self, model: Any = None) -> None:
        if model is None:
            import botocore.session

            model = botocore.session.Session().get_service_model("glue")
        self._model = model

    def check(self, operation: str, request: Any) -> dict[str, Any]:
        """The request without its null members. Raises GlueError for the first thing that is wrong with it."""
        if operation not in self._model.operation_names:
            raise GlueError(UNKNOWN_OPERATION, f"Glue has no operation {operation}")
        shape = self._model.operation_model(operation).input_shape
        checked = _check(shape, request, "")
        if not isinstance(checked, dict):
            raise GlueError(SERIALIZATION, "the body is not a JSON object")
        return checked


def _check(shape: Any, value: Any, where: str) -> Any:
    if shape.type_name == "structure":
        return _check_structure(shape, value, where)
    if shape.type_name == "list":
        _require_type(value, list, "a list", where)
        _check_size(shape, len(value), where, "Member must have length")
        return [_check(shape.member, item, f"{where}.{number}.member") for number, item in enumerate(value, 1)]
    if shape.type_name == "map":
        _require_type(value, dict, "a map", where)
        _check_size(shape, len(value), where, "Member must have length")
        for key in value:
            _check(shape.key, key, f"{where}.{key}.key")
        return {key: _check(shape.value, item, f"{where}.{key}.value") for key, item in value.items()}
    _check_scalar(shape, value, where)
    return value


def _check_structure(shape: Any, value: Any, where: str) -> dict[str, Any]:
    _require_type(value, dict, "a structure", where)
    prefix = f"{where}." if where else ""
    # In JSON, null stands for a field that was not given.
    given = {name: member for name, member in value.items() if member is not None}
    for name in given:
        if name not in shape.members:
            known = ", ".join(sorted(shape.members))
            raise GlueError(VALIDATION, f"unknown field '{prefix}{name}'; {shape.name} has {known}")
    for name in shape.required_members:
        if name not in given:
            _fail("null", f"{prefix}{name}", "Member must not be null")
    if getattr(shape, "is_tagged_union", False) and len(given) != 1:
        raise GlueError(VALIDATION, f"'{where}' must have exactly one of {', '.join(sorted(shape.members))}")
    return {name: _check(shape.members[name], member, f"{prefix}{name}") for name, member in given.items()}


def _check_scalar(shape: Any, value: Any, where: str) -> None:
    kind = shape.type_name
    if kind in ("string", "character"):
        _require_type(value, str, "a string", where)
        if shape.enum and value not in shape.enum:
            _fail(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        _check_size(shape, len(value), where, "Member must have length", shown=value)
        pattern = shape.metadata.get("pattern")
        compiled = _compiled(pattern) if pattern else None
        if compiled and not compiled.fullmatch(value):
            _fail(value, where, f"Member must satisfy regular expression pattern: {pattern}")
    elif kind in _INTEGER_LIMITS:
        _require_number(value, int, "an integer", where)
        if abs(value) > _INTEGER_LIMITS[kind]:
            raise GlueError(SERIALIZATION, f"{value} at '{where}' is out of the range of an {kind}")
        _check_size(shape, value, where, "Member must have value", shown=value)
    elif kind in ("double", "float", "timestamp"):
        _require_number(value, (int, float), "a number", where)
        _check_size(shape, value, where, "Member must have value", shown=value)
    elif kind == "boolean":
        _require_type(value, bool, "a boolean", where)
    else:
        _require_type(value, str, "a string", where)


def _require_type(value: Any, kind: type, words: str, where: str) -> None:
    if not isinstance(value, kind):
        raise GlueError(SERIALIZATION, f"{type(value).__name__} at '{where}' cannot be converted to {words}")


def _require_number(value: Any, kind: Any, words: str, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise GlueError(SERIALIZATION, f"{type(value).__name__} at '{where}' cannot be converted to {words}")


def _check_size(shape: Any, size: float, where: str, words: str, shown: Any = None) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        _fail(size if shown is None else shown, where, f"{words} greater than or equal to {least}")
    if most is not None and size > most:
        _fail(size if shown is None else shown, where, f"{words} less than or equal to {most}")


def _fail(value: Any, where: str, constraint: str) -> None:
    text = str(value)
    shown = text if len(text) <= 200 else text[:200] + "..."
    raise GlueError(
        VALIDATION,
        f"1 validation error detected: Value '{shown}' at '{where}' failed to satisfy constraint: {constraint}",
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the model, which is written for Java, where two surrogates are one character."""

    def character(match: re.Match[str]) -> str:
        high, low = int(match.group(1), 16), int(match.group(2), 16)
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"

    try:
        return re.compile(_SURROGATE_PAIR.sub(character, pattern))
    except re.error:
        return None  # syntax that only Java has: what AWS would say of it is not known here
