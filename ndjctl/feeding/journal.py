"""What a feeding has begun and done, on disk before it counts, so that one that dies is gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ndjctl.generate.record import FileFacts


@dataclass(frozen=True)
class Fed:
    """An object that is there. etag: without quotes. last_modified: as S3 tells it, UTC. is_copy: made on the server."""

    key: str
    size_bytes: int
    etag: str
    last_modified: datetime
    is_copy: bool


class Journal:
    """A file of lines that is only ever added to; a line that a death cut short does not count.

    fed: by key. begun: keys that were begun, done or not. facts: of the contents that were uploaded, by number. deleted:
    keys that were deleted again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fed: dict[str, Fed] = {}
        self.begun: set[str] = set()
        self.facts: dict[int, FileFacts] = {}
        self.deleted: set[str] = set()
