"""How far long work is: moving bars on a terminal, a line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType

from ndjctl.output.bars import Bars, Now
from ndjctl.output.base import console, say
from ndjctl.plain import counted as counted

_STATUS_ORDER = ("unseen", "pending", "manifested", "processing", "completed", "failed", "quarantined")


def progress(total_bytes: int, files: int) -> TerminalProgress | LineProgress:
    """The form that suits this process's stderr. Both are context managers and run reporters."""
    if sys.stderr.isatty():
        return TerminalProgress(total_bytes, files)
    return LineProgress(total_bytes, files, time.monotonic)


class TerminalProgress(Bars):
    def __init__(self, total_bytes: int, files: int) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

        detail = TextColumn("{task.fields[detail]}", markup=False)
        super().__init__(BarColumn(bar_width=24), detail, TimeElapsedColumn())
        self._total_bytes, self._files = total_bytes, files
        self._sent = 0
        self._lock = Lock()

    def phase(self, name: str) -> None:
        total = {"upload": self._total_bytes, "pipeline": self._files}.get(name)
        self._bars.reset(self._task, total=total, description=_PHASES.get(name, name), detail="")

    def bytes_done(self, phase: str, count: int) -> None:
        if phase != "sent":
            return
        with self._lock:
            self._sent += count
            self._bars.update(
                self._task, completed=self._sent, detail=f"{size(self._sent)} of {size(self._total_bytes)}"
            )

    def statuses(self, counts: Counter[str]) -> None:
        self._bars.update(self._task, completed=_resting(counts), detail=told(counts))


class LineProgress:
    def __init__(self, total_bytes: int, files: int, clock: Callable[[], float]) -> None:
        self._total_bytes, self._files = total_bytes, files
        self._sent = 0
        self._now = Now(clock)
        self._lock = Lock()

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def phase(self, name: str) -> None:
        self.note(f"{_PHASES.get(name, name)} ({counted(self._files, 'file')}, {size(self._total_bytes)})")

    def bytes_done(self, phase: str, count: int) -> None:
        if phase != "sent":
            return
        with self._lock:
            self._sent += count
            if self._now.is_due():
                self.note(f"  {size(self._sent)} of {size(self._total_bytes)} sent")

    def statuses(self, counts: Counter[str]) -> None:
        if self._now.is_due():
            self.note(f"  {told(counts)}")

    def note(self, text: str) -> None:
        say(text)


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """A spinner on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    with console(stderr=True).status(text):
        yield


_PHASES = {
    "upload": "uploading",
    "pipeline": "waiting for the pipeline",
    "proof": "proving the result from the outputs",
}


def _resting(counts: Counter[str]) -> int:
    return counts["completed"] + counts["failed"] + counts["quarantined"]


def told(counts: Counter[str]) -> str:
    """Counts by status in the order of the pipeline: '2 pending, 3 completed'."""
    return ", ".join(f"{counts[status]} {status}" for status in _STATUS_ORDER if counts[status])


def volume(size_bytes: float) -> str:
    """In units of 1,000, as sizes are typed and dollars a TB are told: '640 bytes', '3.5 GB'."""
    for unit, of in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size_bytes >= of:
            value = size_bytes / of
            return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.4g} {unit}"
    return f"{size_bytes:,.0f} bytes"


def size(size_bytes: float) -> str:
    """Bytes for people, in units of 1024: '640 B', '3.4 MiB'."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
