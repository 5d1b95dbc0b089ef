"""How far a conversion is, by the bytes that it has read. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType

from ndjctl.output.base import console, say
from ndjctl.output.progress import LINE_EVERY_S, size

_PHASES = {
    "sample": "looking at a sample",
    "observe": "reading",
    "convert": "converting",
    "generate": "generating",
    "upload": "filling the bucket",
    "publish": "making it visible",
}


def reading_progress() -> TerminalReading | LineReading:
    """The form that suits this process's stderr. Both are context managers, and reporters of a conversion."""
    return TerminalReading() if sys.stderr.isatty() else LineReading(time.monotonic)


class TerminalReading:
    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._bars.add_task("starting", total=None, detail="")
        self._read_bytes = 0
        self._total_bytes: int | None = None
        self._lock = Lock()

    def __enter__(self) -> TerminalReading:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def phase(self, name: str, total_bytes: int | None = None) -> None:
        self._read_bytes, self._total_bytes = 0, total_bytes
        self._bars.reset(self._task, total=total_bytes or None, description=_PHASES.get(name, name), detail="")

    def bytes_read(self, count: int) -> None:
        with self._lock:
            self._read_bytes += count
            self._bars.update(
                self._task,
                completed=min(self._read_bytes, self._total_bytes or self._read_bytes),
                detail=_detail(self._read_bytes, self._total_bytes),
            )


class LineReading:
    """A line now and then; none for what is done before the first is due."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = clock()
        self._phase = ""
        self._read_bytes = 0
        self._total_bytes: int | None = None
        self._lock = Lock()

    def __enter__(self) -> LineReading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def phase(self, name: str, total_bytes: int | None = None) -> None:
        self._phase, self._read_bytes, self._total_bytes = _PHASES.get(name, name), 0, total_bytes

    def bytes_read(self, count: int) -> None:
        with self._lock:
            self._read_bytes += count
            if self._clock() - self._said_at >= LINE_EVERY_S:
                self._said_at = self._clock()
                say(f"{self._phase}: {_detail(self._read_bytes, self._total_bytes)}")


def _detail(read_bytes: int, total_bytes: int | None) -> str:
    if not total_bytes:
        return f"{size(read_bytes)} read"
    # The ends of lines are read beyond the borders of the parts.
    return f"{size(min(read_bytes, total_bytes))} of {size(total_bytes)}"
