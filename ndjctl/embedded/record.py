"""What the embedded cloud remembers of its own processes between two commands: `cloud.json` in the data directory."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

FORMAT = "ndjctl.embedded-cloud"
VERSION = 1
FILE_NAME = "cloud.json"


@dataclass(frozen=True)
class PartRecord:
    """One process. created: psutil's creation time, epoch seconds. started_at: ISO 8601, UTC."""

    pid: int
    port: int
    created: float | None
    started_at: str


@dataclass(frozen=True)
class CloudRecord:
    """The processes that were started last. clean_stop: whether they were stopped and saved everything."""

    parts: dict[str, PartRecord] = field(default_factory=dict)
    clean_stop: bool = True
    kept: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def port(self, part: str) -> int:
        """The port the part had last; 0 when it never ran."""
        return self.parts[part].port if part in self.parts else 0


def write_atomically(path: Path, text: str) -> None:
    """Replaces a file whole. Raises OSError; the old file is then untouched."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_record(data_dir: Path) -> CloudRecord | None:
    """The record, or None when there is none that can be read: then nothing of ours is known to run."""
    try:
        document = json.loads((data_dir / FILE_NAME).read_text("utf-8"))
        if document["format"] != FORMAT or document["version"] != VERSION:
            return None
        parts = {
            str(name): PartRecord(
                pid=int(part["pid"]),
                port=int(part["port"]),
                created=None if part["created"] is None else float(part["created"]),
                started_at=str(part["started_at"]),
            )
            for name, part in document["parts"].items()
        }
        if any(part.pid <= 0 or not 0 < part.port < 65536 for part in parts.values()):
            return None
        versions = {str(name): str(version) for name, version in document["versions"].items()}
        return CloudRecord(parts, bool(document["clean_stop"]), str(document["kept"]), versions)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def write_record(data_dir: Path, record: CloudRecord) -> None:
    """Raises OSError."""
    document = {"format": FORMAT, "version": VERSION, **asdict(record)}
    write_atomically(data_dir / FILE_NAME, json.dumps(document, indent=1))
