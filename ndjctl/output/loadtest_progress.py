"""How far a load test is: a bar and counts on a terminal, a line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType

from ndjctl.loadtest.following import Sample
from ndjctl.output.bars import Bars, Now
from ndjctl.output.base import say
from ndjctl.output.progress import counted, size, told
from ndjctl.output.times import lasting


def load_progress(files: int, uploads: int, upload_bytes: int) -> TerminalTestProgress | LineTestProgress:
    """The form that suits this process's stderr. uploads: files that are sent, upload_bytes together. Both are context
    managers and reporters of a test."""
    if sys.stderr.isatty():
        return TerminalTestProgress(files, uploads, upload_bytes)
    return LineTestProgress(files, uploads, upload_bytes, time.monotonic)


class _Told:
    """What both forms say."""

    def __init__(self, files: int, uploads: int, upload_bytes: int) -> None:
        self._files = files
        self._uploads = uploads
        self._upload_bytes = upload_bytes
        self._sent = 0
        self._fed = 0
        self._objects = 0
        self._lock = Lock()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def sent(self, size_bytes: int) -> None:
        with self._lock:
            self._sent += size_bytes

    def _line(self, sample: Sample, left_s: float | None) -> str:
        fed = "" if sample.fed >= self._files else f"{sample.fed:,} of {self._files:,} fed"
        if sample.fed < self._uploads:
            fed += f" ({size(self._sent)} of {size(self._upload_bytes)} sent)"
        parts = [fed, told(sample.counts), f"{sample.in_work} in work" if sample.in_work else ""]
        parts.append(f"about {lasting(left_s)} left" if left_s is not None and left_s >= 1 else "")
        return ", ".join(part for part in parts if part)


class TerminalTestProgress(Bars, _Told):
    def __init__(self, files: int, uploads: int, upload_bytes: int) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

        _Told.__init__(self, files, uploads, upload_bytes)
        detail = TextColumn("{task.fields[detail]}", markup=False)
        Bars.__init__(self, BarColumn(bar_width=20), TimeElapsedColumn(), detail)

    def phase(self, name: str) -> None:
        total = self._files if name in ("feeding", "following") else None
        self._objects = 0
        self._bars.reset(self._task, total=total, description=name, detail="")

    def sample(self, sample: Sample, files: int, left_s: float | None) -> None:
        at_rest = sum(sample.counts[status] for status in ("completed", "failed", "quarantined"))
        self._bars.update(self._task, completed=at_rest, total=files, detail=self._line(sample, left_s))

    def done(self, count: int) -> None:
        self._objects += count
        self._bars.update(self._task, detail=f"{counted(self._objects, 'object')} read")


class LineTestProgress(_Told):
    def __init__(self, files: int, uploads: int, upload_bytes: int, clock: Callable[[], float]) -> None:
        super().__init__(files, uploads, upload_bytes)
        self._now = Now(clock)

    def __enter__(self) -> LineTestProgress:
        return self

    def phase(self, name: str) -> None:
        self._now.said()
        self._objects = 0
        say(name)

    def sample(self, sample: Sample, files: int, left_s: float | None) -> None:
        if self._now.is_due():
            say(f"  {self._line(sample, left_s)}")

    def done(self, count: int) -> None:
        self._objects += count
        if self._now.is_due():
            say(f"  {counted(self._objects, 'object')} read")

    def note(self, text: str) -> None:
        say(text)
