"""Files with known content: which lines are records, which are bad, and what must come of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

NORMAL_BYTES = (20, 5_000)
"""What the size rule takes for normal; more or less is quarantined."""


@dataclass(frozen=True)
class Content:
    """ids: of the good lines, each of its own. bad: raw bad lines."""

    body: bytes
    ids: tuple[str, ...]
    bad: tuple[bytes, ...]


@dataclass
class History:
    """What has been at one key, by ETag, and whether it ever changed or went."""

    contents: dict[str, Content] = field(default_factory=dict)
    puts: int = 0
    deletes: int = 0

    @property
    def is_steady(self) -> bool:
        return self.puts == 1 and not self.deletes


def content_of(name: str, version: int, lines: int, bad_lines: int = 0, new_field: bool = False) -> Content:
    """The same arguments give the same bytes."""
    ids = tuple(f"{name}/{version}/{number}" for number in range(lines))
    more = {"extra": version} if new_field else {}
    records = [json.dumps({"id": each, "n": number, **more}).encode() for number, each in enumerate(ids)]
    bad = tuple(f"no record {name} {version} {number}".encode() for number in range(bad_lines))
    rows = [*records[:1], *bad, b"", *records[1:]]
    return Content(b"\n".join(rows) + b"\n", ids, bad)


def sized(name: str, version: int, size_bytes: int) -> Content:
    """Content outside the size rule, which nobody converts."""
    return Content((f"{name}/{version} ".encode() * size_bytes)[:size_bytes], (), ())


def differences(wanted: Counter[str], found: Counter[str]) -> str:
    """In words; empty if there are none."""
    missing, extra = wanted - found, found - wanted
    said = [f"{sum(missing.values())} missing ({min(missing)} ...)"] if missing else []
    said += [f"{sum(extra.values())} too many ({min(extra)} ...)"] if extra else []
    return ", ".join(said)
