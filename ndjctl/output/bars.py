"""What every display of progress is made of: bars that come and go on a terminal, and a line now and then."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from ndjctl.output.base import console, one_line

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import ProgressColumn

LINE_EVERY_S = 10.0


class Bars:
    """One task in bars of a terminal, on stderr, gone when it ends. A context manager."""

    def __init__(self, *columns: ProgressColumn) -> None:
        """columns: between the spinner with the description and the end."""
        from rich.progress import Progress, SpinnerColumn, TextColumn

        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            *columns,
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._bars.add_task("starting", total=None, detail="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        self._bars.console.print(one_line(text), soft_wrap=True)


class Now:
    """Whether it is time for a line again. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = clock()

    def said(self) -> None:
        """Something was said: the next line is due that much later."""
        self._said_at = self._clock()

    def is_due(self) -> bool:
        """Once every LINE_EVERY_S; it counts as said."""
        now = self._clock()
        if now - self._said_at < LINE_EVERY_S:
            return False
        self._said_at = now
        return True
