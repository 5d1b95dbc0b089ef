"""How far a conversion is, by the bytes that it has read. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType

from ndjctl.output.bars import Bars, Now
from ndjctl.output.base import say
from ndjctl.output.progress import size

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


class TerminalReading(Bars):
    def __init__(self) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        detail = TextColumn("{task.fields[detail]}", markup=False)
        super().__init__(BarColumn(bar_width=24), detail, TimeElapsedColumn(), TimeRemainingColumn(compact=True))
        self._read_bytes = 0
        self._total_bytes: int | None = None
        self._lock = Lock()

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
        self._now = Now(clock)
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
            if self._now.is_due():
                say(f"{self._phase}: {_detail(self._read_bytes, self._total_bytes)}")


def _detail(read_bytes: int, total_bytes: int | None) -> str:
    if not total_bytes:
        return f"{size(read_bytes)} read"
    # The ends of lines are read beyond the borders of the parts.
    return f"{size(min(read_bytes, total_bytes))} of {size(total_bytes)}"
