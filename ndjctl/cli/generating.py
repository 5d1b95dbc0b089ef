"""What was typed for `ndjctl generate`, as a recipe, names and a pace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ndjctl.cli.invocation import Invocation
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.feeding.pace import Pace
    from ndjctl.generate.names import Naming
    from ndjctl.generate.recipe import Recipe

T = TypeVar("T")

_RECORDS = 10_000
"""Lines of a file where nothing is said."""


def refuse_without_upload(invocation: Invocation, prefix: str, unique: int | None) -> None:
    invocation.needs_no_environment("ndjctl generate without --upload")
    if prefix or unique is not None:
        raise UsageError("--prefix and --unique are for files in the bucket: they need --upload.")


def recipe_of(
    invocation: Invocation,
    shape: str,
    seed: int,
    day: str,
    records: int | None,
    size: str | None,
    bad_lines: str,
    drift: str,
    huge_lines: int,
    upload: bool,
) -> Recipe:
    from ndjctl.generate.recipe import DEFAULT_MAX_LINE_BYTES, Recipe
    from ndjctl.generate.shapes import SCHEMA_SHAPE
    from ndjctl.generate.typed import parse_amount, parse_size

    if records is not None and size is not None:
        raise UsageError("--records and --size exclude each other: a number of lines, or a size.")
    schema = schema_of_shape(shape)
    return Recipe(
        shape=shape if schema is None else SCHEMA_SHAPE,
        seed=seed,
        date=day,
        lines=(records or _RECORDS) if size is None else None,
        size_bytes=None if size is None else _parsed("--size", parse_size, size),
        bad=_parsed("--bad-lines", parse_amount, bad_lines),
        drift=_parsed("--drift", parse_amount, drift),
        huge_lines=huge_lines,
        max_line_bytes=invocation.loaded.profile.job.max_line_mb * 2**20 if upload else DEFAULT_MAX_LINE_BYTES,
        schema=schema,
    )


def schema_of_shape(shape: str) -> dict[str, Any] | None:
    """The schema in the file that `shape` names, checked; None for a shape that has a name. Raises UsageError."""
    from glue_job import schema
    from ndjctl.generate.shapes import SHAPES
    from ndjctl.paths import shown
    from ndjctl.schemas import read_schema

    if shape in SHAPES:
        return None
    path = Path(shape)
    if not path.suffix and not path.exists():
        raise UsageError(f"There is no shape {shown(shape)}: take {', '.join(SHAPES)}, or a file with a schema.")
    # Read and written again: what else the file says is no part of what fixes the bytes.
    document: dict[str, Any] = json.loads(json.dumps(schema.document(read_schema(path), {})))
    return document


def pace_of(pattern: str, rate: str | None, files: int) -> Pace:
    from ndjctl.feeding.pace import PATTERNS, pace
    from ndjctl.generate.typed import parse_rate

    if pattern not in PATTERNS:
        raise UsageError(f"--pattern takes one of {', '.join(PATTERNS)}; {pattern!r} is none of them.")
    rate_per_s = None if rate is None else _parsed("--rate", parse_rate, rate)
    try:
        return pace(pattern, rate_per_s, files)
    except ValueError as error:
        raise UsageError(f"{str(error).capitalize()}: say --rate 11/s.") from error


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}.") from error


def check_names(naming: Naming, in_folder: bool) -> None:
    from ndjctl.generate.names import MAX_FILE_NAME_BYTES, MAX_KEY_BYTES

    if not naming.name:
        raise UsageError("--name is empty: give one, or leave it out and the files are named by their shape and seed.")
    first = naming.of(0)
    try:
        length = len(first.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError("--name and --prefix have to be UTF-8.") from error
    if not first.isprintable() or (in_folder and "/" in naming.name):
        raise UsageError(f"--name {naming.name!r} is no file name: no slash, nothing that is not printable.")
    if in_folder and length > MAX_FILE_NAME_BYTES:
        most = MAX_FILE_NAME_BYTES - (length - len(naming.name.encode("utf-8")))
        raise UsageError(f"--name is too long for a file, which has a date and a number too: {most} bytes at most.")
    if length > MAX_KEY_BYTES:
        raise UsageError(f"The key of the first file has {length:,} bytes, S3 takes {MAX_KEY_BYTES:,}: shorten it.")
    if naming.prefix and (not naming.prefix.endswith("/") or naming.prefix.startswith("/")):
        raise UsageError(f"--prefix {naming.prefix!r} is no folder of keys: write it as in/ or in/2026/.")


@contextmanager
def told() -> Iterator[None]:
    """A recipe that nothing can be made of is a mistake in what was typed."""
    from ndjctl.generate.recipe import RecipeError

    try:
        yield
    except RecipeError as error:
        raise UsageError(str(error)) from error
