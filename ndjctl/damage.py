"""Objects of output that cannot be read. Whatever reads a part or quarantined lines has what is wrong with the object
itself told here, in the same words; what a cloud refuses, or does not answer, passes as it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ndjctl.aws import error_code, is_not_found
from ndjctl.errors import NdjctlError, WorkFailed

T = TypeVar("T")

PARQUET = "Parquet"
BAD_LINES = "quarantined lines"

_SHOWN_CHARACTERS = 200
_TRIES = 3
_CHANGED_CODES = frozenset({"412", "PreconditionFailed", "416", "InvalidRange"})
_PART = re.compile(r"parquet/\d{4}-\d\d-\d\d/part-([^/]+)-\d{5,}\.parquet")


@dataclass(frozen=True)
class Damage:
    """An object that cannot be read. uri: s3:// URI or path. why: a clause about `it`. manifest_id: of the manifest
    whose output it is, empty where its name has none."""

    uri: str
    why: str
    manifest_id: str = ""


class Damaged(WorkFailed):
    """An object that is not what it should be. why: a clause about `it`. is_gone: it is not there any more."""

    def __init__(self, uri: str, why: str, is_gone: bool = False) -> None:
        super().__init__(f"{uri}: {why}.")
        self.uri, self.why, self.is_gone = uri, why, is_gone


@contextmanager
def damage_told(uri: str, what: str) -> Iterator[None]:
    """Raises Damaged for what is raised inside because of the object. what: it is read as, PARQUET or BAD_LINES."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (NdjctlError, BotoCoreError):
        raise
    except ClientError as error:
        if not _is_changed(error):
            raise
        why = f"it changed or went while it was read ({error_code(error)})"
        raise Damaged(uri, why, is_not_found(error)) from error
    except Exception as error:
        if not _is_its_fault(error):
            raise
        raise Damaged(uri, f"it cannot be read as {what} ({_told(error)})") from error


def read_whole(read: Callable[[], T], uri: str, what: str) -> T:
    """What `read` returns, which is called again where a body broke off: the client repeats requests, but not that.
    Raises Damaged as damage_told() does, and what boto3 raises."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    for tries_left in reversed(range(_TRIES)):
        try:
            with damage_told(uri, what):
                return read()
        except (HTTPClientError, IncompleteReadError):
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


def text_column(schema: Any, name: str) -> int:
    """The number of the column. schema: pyarrow's ParquetSchema of a part. Raises ValueError unless there is one of the
    name, and of text."""
    columns = map(schema.column, range(len(schema)))
    found = [(number, column) for number, column in enumerate(columns) if column.path == name]
    if len(found) != 1:
        raise ValueError(f"it has {len(found)} columns {name}" if found else f"it has no column {name}")
    number, column = found[0]
    if column.logical_type.type != "STRING":
        raise ValueError(f"its column {name} is of type {column.physical_type}, and not of text")
    return number


def manifest_of_part(key: str) -> str:
    """The id in the key of a part; empty for a key that no manifest gives."""
    match = _PART.fullmatch(key)
    return match[1] if match else ""


def _is_changed(error: BaseException) -> bool:
    """Whether the object is not what was listed, as opposed to a cloud that does not answer. A bucket that is not there
    is no matter of one object."""
    code = error_code(error)
    return (is_not_found(error) and code != "NoSuchBucket") or code in _CHANGED_CODES


def _is_its_fault(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # with a number it is the system's
    arrow = sys.modules.get("pyarrow")  # which has raised nothing where nobody has imported it
    faults = (ValueError, OverflowError, MemoryError, RecursionError)
    return isinstance(error, faults) or (arrow is not None and isinstance(error, arrow.ArrowException))


def _told(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, MemoryError):
        text = f"there is not enough memory for it{': ' if text else ''}{text}"
    return (text or type(error).__name__)[:_SHOWN_CHARACTERS]
