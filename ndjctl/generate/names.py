"""Names of generated files. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.contracts import FILE_SUFFIX

MAX_KEY_BYTES = 1024
"""A limit of S3."""

MAX_FILE_NAME_BYTES = 255 - len(f"..{'0' * 16}.unfinished")
"""Of a file in a folder: most file systems take 255 bytes, and while it is not whole its name is longer."""


@dataclass(frozen=True)
class Naming:
    """date: YYYY-MM-DD, leads the name, so that the pipeline takes the file for that date. prefix: folders before it in
    a bucket, with its slash, or nothing."""

    date: str
    name: str
    prefix: str = ""

    def of(self, number: int) -> str:
        """The name of the file of that number."""
        return f"{self.prefix}{self.date}-{self.name}-{number:06d}{FILE_SUFFIX}"
