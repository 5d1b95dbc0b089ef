"""What fixes the bytes of generated files. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

DEFAULT_MAX_LINE_BYTES = 64 * 2**20
"""The pipeline's default (job.max_line_mb)."""

CONTENT_VERSION = 1
"""Of the bytes that a recipe makes: another one where a change of the code changes them."""


class RecipeError(ValueError):
    """Such files cannot be made; str() is one sentence that says why and what to do."""


@dataclass(frozen=True)
class Amount:
    """How many lines of a file: `count` of each file, or this `share` of its lines; one of the two."""

    count: int = 0
    share: Fraction = Fraction(0)

    def __bool__(self) -> bool:
        return bool(self.count or self.share)

    def to_json(self) -> int | str:
        return str(self.share) if self.share else self.count


NONE = Amount()


@dataclass(frozen=True)
class Recipe:
    """lines: of each file, bad ones included; or size_bytes: of each file, exact within one record, never more unless
    that record is its only one. bad: lines that are no records, of every reason in turn. huge_lines: how many of a
    file's bad lines are beyond the limits of size, see ndjctl.generate.bad_lines. drift: records with one value off the
    schema, among the good lines. date: YYYY-MM-DD, of the times in the records. schema: the stored form of a
    schema, for the shape SCHEMA_SHAPE only."""

    shape: str
    seed: int
    date: str
    lines: int | None = None
    size_bytes: int | None = None
    bad: Amount = NONE
    drift: Amount = NONE
    huge_lines: int = 0
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    schema: Mapping[str, Any] | None = field(default=None, hash=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "content_version": CONTENT_VERSION,
            "shape": self.shape,
            "seed": self.seed,
            "date": self.date,
            "lines": self.lines,
            "size_bytes": self.size_bytes,
            "bad_lines": self.bad.to_json(),
            "drift": self.drift.to_json(),
            "huge_lines": self.huge_lines,
            "max_line_bytes": self.max_line_bytes,
            "schema": None if self.schema is None else dict(self.schema),
        }

    @property
    def digest(self) -> str:
        """16 hex digits: two recipes that make the same bytes have the same."""
        text = json.dumps(self.to_dict(), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
