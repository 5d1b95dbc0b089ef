"""Time, and the processes that share it: each in a thread of its own, one at a time, in an order that the scheduler
alone decides. A process gives up its turn at every call to AWS and in every sleep; so what happens between two calls of
one process can be everything that another does."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

_STACK_BYTES = 1024 * 1024
_LEAD_S = 0.0001
"""Two things are never at the same moment."""


class Death(BaseException):
    """The process is gone: nothing in it may act on this."""


class Broken(BaseException):
    """The simulator met something that it does not model, or found an invariant broken: nothing may swallow it."""


class Scheduler:
    """start: the moment at which seconds count from 0. Callbacks and processes run in the order of their time."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.now_s = 0.0
        self.broken: BaseException | None = None
        self.current: Process | None = None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._living: dict[int, Process] = {}

    def clock(self, skew_s: float = 0.0) -> datetime:
        return self._start + timedelta(seconds=self.now_s + skew_s)

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(when_s, self.now_s), next(self._numbers), act))

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        self.at(self.now_s + delay_s, act)

    def start(self, name: str, work: Callable[[], Any], ended: Callable[[Any, BaseException | None], None]) -> Process:
        """A process that does `work` from now on. ended: told what it returned and what it raised."""
        process = Process(self, next(self._numbers), name, work, ended)
        self._living[process.number] = process
        self.after(_LEAD_S, process.resume)
        return process

    def next_s(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    def run(self, until_s: float = float("inf"), done: Callable[[], bool] = lambda: False) -> None:
        """Lets things happen up to a moment, or until `done`. Raises what was found broken."""
        while self._heap and self._heap[0][0] <= until_s and not done():
            when_s, _, act = heapq.heappop(self._heap)
            self.now_s = max(self.now_s, when_s)
            act()
            if self.broken is not None:
                raise self.broken
        if until_s != float("inf") and not done():
            self.now_s = max(self.now_s, until_s)

    @property
    def living(self) -> list[Process]:
        return list(self._living.values())

    def forget(self, process: Process) -> None:
        self._living.pop(process.number, None)

    def end(self) -> None:
        """Ends every process that is left; their threads are gone when this returns."""
        self._heap.clear()
        for process in self.living:
            process.ended = lambda result, error: None
            process.kill()
            process.resume()


class Process:
    """name: for the record of what happened. began_s: when it was started. deadline_s: when it is killed, whatever it
    does; None for never."""

    def __init__(
        self,
        scheduler: Scheduler,
        number: int,
        name: str,
        work: Callable[[], Any],
        ended: Callable[[Any, BaseException | None], None],
    ) -> None:
        self.scheduler, self.number, self.name = scheduler, number, name
        self.ended = ended
        self.began_s = scheduler.now_s
        self.calls = 0
        self.deadline_s: float | None = None
        self.is_dead = False
        self.is_over = False
        self._work = work
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def resume(self) -> None:
        """Called by the scheduler: gives the process its turn until it gives it back."""
        if self.is_over:
            return
        self.scheduler.current = self
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        else:
            self._turn.release()
        self._back.acquire()
        self.scheduler.current = None

    def kill(self) -> None:
        """It dies when its turn comes."""
        self.is_dead = True

    def pause(self, delay_s: float) -> None:
        """Called by the process: lets others have their turn for so long. Raises Death."""
        if self.is_dead:
            raise Death
        scheduler = self.scheduler
        until_s = scheduler.now_s + delay_s
        if scheduler.next_s() > until_s and (self.deadline_s is None or until_s < self.deadline_s):
            scheduler.now_s = until_s  # nobody else has anything to do before that
            return
        scheduler.at(until_s if self.deadline_s is None else min(until_s, self.deadline_s), self.resume)
        self._back.release()
        self._turn.acquire()
        if self.deadline_s is not None and scheduler.now_s >= self.deadline_s:
            self.is_dead = True
        if self.is_dead:
            raise Death

    def _run(self) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            if self.is_dead:
                raise Death
            result = self._work()
        except BaseException as raised:
            error = raised
            if isinstance(raised, Broken) and self.scheduler.broken is None:
                self.scheduler.broken = raised
        self.is_over = True
        self.scheduler.forget(self)
        try:
            self.ended(result, error)
        except BaseException as raised:
            self.scheduler.broken = self.scheduler.broken or raised
        self._back.release()


class SerialPool:
    """In place of ThreadPoolExecutor: does the work in the thread that asks for it, so that the order is the same each
    time. Like it, it does everything that it was given even if one of them fails."""

    def __init__(self, max_workers: int | None = None, thread_name_prefix: str = "") -> None:
        pass

    def __enter__(self) -> SerialPool:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def map(self, function: Callable[..., Any], *iterables: Any) -> Any:
        futures = [self.submit(function, *arguments) for arguments in zip(*iterables, strict=False)]
        return (future.result() for future in futures)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> _Done:
        try:
            return _Done(function(*arguments), None)
        except Exception as error:
            return _Done(None, error)

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        pass


class _Done:
    def __init__(self, value: Any, error: Exception | None) -> None:
        self._value, self._error = value, error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value
