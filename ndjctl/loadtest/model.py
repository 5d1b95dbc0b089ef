"""What a load test is asked for: its phase, its sizes, its thresholds. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

PHASES: Mapping[int, int] = {1: 10, 2: 100, 3: 1_000, 4: 10_000}
"""Files of each phase on the way to production."""

FULL_FILE_BYTES = 3_500_000_000
"""Of a file at full size: 3.5 GB, what the pipeline is built for."""

PROMISED_LATENCY_S = 1_800.0
"""From upload to Parquet: 30 minutes."""

MARK = "loadtest"
"""What every key of a test has in its name, behind the date."""

_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")


@dataclass(frozen=True)
class Thresholds:
    """What has to hold for PASS; None is not looked at. Latencies are from a file's upload to its Parquet.
    min_mb_per_s: of input, 10**6 bytes, from the first upload to the last Parquet. max_cost_ratio: of the cost to its
    estimate. max_failed_share: of all files; beyond it the test is stopped. max_cost_usd: nothing starts that is
    estimated above it, and nothing passes that came to more."""

    max_p50_s: float | None = None
    max_p95_s: float | None = PROMISED_LATENCY_S
    max_p99_s: float | None = None
    min_mb_per_s: float | None = None
    max_dpu_hours: float | None = None
    max_cost_ratio: float | None = 2.0
    max_failed_share: float = 0.01
    max_cost_usd: float | None = None


@dataclass(frozen=True)
class LoadSettings:
    """One test. files: of the phase, or what was said instead. file_size_bytes: of each. unique_files: that are made
    and uploaded; the others are server-side copies of these. seed, shape, bad_lines, drift: of the generator; the
    latter two as they are typed, a number of each file or a share of its lines. schema: the stored form of one, for
    records of one's own shape, None for a shape with a name. pattern, rate_per_s: of feeding, as
    ndjctl.feeding.pace has them. chaos: with planted faults."""

    phase: int
    files: int
    file_size_bytes: int
    unique_files: int
    seed: int = 1
    shape: str = "events"
    bad_lines: str = "0"
    drift: str = "0"
    pattern: str = "steady"
    rate_per_s: float | None = None
    chaos: bool = False
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def size_bytes(self) -> int:
        return self.files * self.file_size_bytes

    @property
    def is_full_size(self) -> bool:
        """Whether it is the phase as it is meant, not made smaller."""
        return self.files >= PHASES[self.phase] and self.file_size_bytes >= FULL_FILE_BYTES

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LoadSettings:
        """The inverse of to_dict(). Raises TypeError for members that it does not know."""
        return cls(**{**document, "thresholds": Thresholds(**document["thresholds"])})


def told_shape(settings: Mapping[str, Any]) -> str:
    """What tells the records of two tests apart: the name of their shape, or 12 hex digits of their schema. settings:
    of LoadSettings.to_dict(), also from a version that knew no schema."""
    schema = settings.get("schema")
    if schema is None:
        return str(settings.get("shape", "events"))
    text = json.dumps(schema, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"schema {hashlib.sha256(text.encode('ascii')).hexdigest()[:12]}"


def files_of(phase: int, files: int | None, scale: float | None) -> int:
    """How many files a phase has: its own, a share of these (1 at least), or a number that was said."""
    if files is not None:
        return files
    return max(1, round(PHASES[phase] * (1.0 if scale is None else scale)))


def new_test_id(moment: datetime, entropy: str) -> str:
    """20261127T190000Z-3fa2: sorts by age, safe in a key. entropy: four hex digits."""
    return f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{entropy}"


def is_test_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def key_prefix(date: str, test_id: str) -> str:
    """With what every input object of a test begins, and nothing else does. date: YYYY-MM-DD, when the test began."""
    return f"{date}-{MARK}-{test_id}-"


def input_key(date: str, test_id: str, number: int) -> str:
    return f"{key_prefix(date, test_id)}{number:06d}.ndjson"
