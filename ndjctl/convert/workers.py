"""Processes that work on tasks. They end with the process that started them, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

from ndjctl.errors import WorkFailed

Task = TypeVar("Task")
Result = TypeVar("Result")

_TOLD_EVERY_S = 0.2


class WorkerError(Exception):
    """Something that a worker did not foresee; str() is its traceback."""


@dataclass(frozen=True)
class _Progress:
    bytes_read: int


@dataclass(frozen=True)
class _Done:
    result: Any


@dataclass(frozen=True)
class _Raised:
    """errno: None for anything but an OSError."""

    errno: int | None
    strerror: str
    filename: str | None
    is_memory: bool
    traceback: str


class Workers:
    """Up to `count` processes, started when there is work for them. A context manager; left by an exception it ends
    them at once.

    folder: see ndjctl.convert.stores.CountingStore. on_read: told the bytes that all of them read, as they read them.
    """

    def __init__(self, count: int, folder: Path | None, on_read: Callable[[int], None]) -> None:
        self._count = count
        self._folder = folder
        self._on_read = on_read
        self._processes: list[tuple[Any, Connection]] = []

    def run(self, function: Callable[[Task, Any], Result], tasks: Sequence[Task]) -> list[Result]:
        """function(task, store) for every task; results in the order of the tasks. Raises the OSError that one of them
        met, WorkFailed when memory does not suffice or a process is killed, and WorkerError."""
        results: dict[int, Result] = {}
        waiting = list(range(len(tasks)))[::-1]
        busy: dict[Connection, int] = {}
        self._start(min(self._count, len(tasks)))
        idle = [channel for _, channel in self._processes]
        while waiting or busy:
            while waiting and idle:
                channel = idle.pop()
                busy[channel] = waiting.pop()
                self._send(channel, function, tasks[busy[channel]])
            ready: list[Any] = connection.wait(list(busy))
            for channel in ready:
                answer = self._receive(channel)
                if isinstance(answer, _Progress):
                    self._on_read(answer.bytes_read)
                else:
                    results[busy.pop(channel)] = _result(answer)
                    idle.append(channel)
        return [results[number] for number in range(len(tasks))]

    def _start(self, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # it would let the signal through that is held back below
        while len(self._processes) < count:
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, self._folder), daemon=True)
            try:
                with interrupts_held_back():
                    process.start()
            except OSError as error:
                raise WorkFailed(
                    f"A process cannot be started ({error.strerror}): run the command again with --threads 1."
                ) from error
            theirs.close()
            self._processes.append((process, ours))

    def _send(self, channel: Connection, function: Callable[..., Any], task: Any) -> None:
        try:
            channel.send((function, task))
        except OSError:
            raise self._killed(channel) from None

    def _receive(self, channel: Connection) -> Any:
        try:
            return channel.recv()
        except (EOFError, OSError):
            raise self._killed(channel) from None

    def _killed(self, channel: Connection) -> WorkFailed:
        process = next(process for process, ours in self._processes if ours is channel)
        process.join(5)
        how = f"signal {-process.exitcode}" if (process.exitcode or 0) < 0 else f"exit code {process.exitcode}"
        return WorkFailed(
            f"A worker process was ended from outside ({how}): if that was for want of memory, run the command again "
            f"with fewer --threads."
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for process, channel in self._processes:
            if kind is not None:
                process.kill()
            channel.close()  # an idle worker ends by it
        for process, _ in self._processes:
            process.join()
            process.close()
        self._processes = []


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """A Ctrl-C waits until the end. A process that is started here never sees one, not even while it loads: its parent
    does, and ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(answer: Any) -> Any:
    if isinstance(answer, _Done):
        return answer.result
    if answer.is_memory:
        raise WorkFailed("There is not enough memory: run the command again with fewer --threads.")
    if answer.errno is not None:
        raise OSError(answer.errno, answer.strerror, answer.filename)
    raise WorkerError(answer.traceback)


# --------------------------------------------------------------------------------------------------------------
# In the worker


def _serve(channel: Connection, folder: Path | None) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    from ndjctl.convert.stores import CountingStore

    told = _Told(channel)
    while True:
        try:
            function, task = channel.recv()
        except (EOFError, OSError):
            return
        answer: _Done | _Raised
        try:
            answer = _Done(function(task, CountingStore(folder, told.add)))
        except Exception as error:
            answer = _raised(error)
        told.flush()
        told.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _raised(error: Exception) -> _Raised:
    number, text, name = None, "", None
    if isinstance(error, OSError):
        number, text, name = error.errno, error.strerror or str(error), error.filename
    return _Raised(
        number,
        text,
        None if name is None else os.fsdecode(name),
        isinstance(error, MemoryError),
        "".join(traceback.format_exception(error)),
    )


class _Told:
    """Tells the parent now and then how much was read."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._lock = Lock()
        self._untold_bytes = 0
        self._told_at = time.monotonic()

    def add(self, count: int) -> None:
        self._untold_bytes += count
        if time.monotonic() - self._told_at >= _TOLD_EVERY_S:
            self.flush()

    def flush(self) -> None:
        count, self._untold_bytes = self._untold_bytes, 0
        self._told_at = time.monotonic()
        self.send(_Progress(count))

    def send(self, message: Any) -> None:
        with self._lock:
            self._channel.send(message)
