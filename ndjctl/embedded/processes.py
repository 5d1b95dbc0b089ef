"""Processes, ports and locks of this machine, as the embedded cloud needs them.

psutil and fcntl are imported where they are used: the commands that never touch the embedded cloud do without them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"

_started: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process by id. Kept so that one that ends is reaped, and is not taken for alive as a zombie."""


class PortTaken(Exception):
    """Another program listens on the port, or this user may not."""


def listen(port: int) -> socket.socket:
    """A listening loopback socket; port 0 takes a free one. Raises PortTaken.

    The socket is handed to the server that will serve it, so no other program can take the port in between.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortTaken(str(error)) from error
    return listener


def listen_patiently(port: int, *, patience_s: float, sleep: Callable[[float], None]) -> socket.socket:
    """As listen, but tries for a while. Raises PortTaken."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return listen(port)
        except PortTaken:
            if time.monotonic() >= deadline:
                raise
            sleep(0.05)


def spawn(
    arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path, log_path: Path, listener: socket.socket
) -> int:
    """Starts a process in a session of its own and returns its id. It outlives this one and its terminal.

    Output of both kinds is added to log_path; the only descriptor passed on is the listener's.
    """
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            list(arguments),
            env=dict(environ),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            pass_fds=[listener.fileno()],
        )
    _started[process.pid] = process
    return process.pid


def is_alive(pid: int, words: Sequence[str]) -> bool:
    """Whether process `pid` runs and its command line has all of `words` as whole arguments.

    The words (a module and a data directory) identify a process of ours whatever happens to the clock, which a
    creation time on its own does not: a stepped clock moves it.
    """
    import psutil

    if pid in _started and _started[pid].poll() is not None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        arguments = process.cmdline()
    except psutil.Error:
        return False
    return all(word in arguments for word in words)


def created_at(pid: int) -> float | None:
    """When the process was created, epoch seconds; None when it is gone."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def members(session: int | None, marker: tuple[str, str] | None = None) -> list[Any]:
    """The living psutil processes that are in a session, or whose environment carries marker (name, value), and the
    descendants of those. This process is never among them."""
    import psutil

    found: dict[int, Any] = {}
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            ours = session is not None and os.getsid(process.pid) == session
            if not ours and marker is not None:
                ours = process.environ().get(marker[0]) == marker[1]
            if ours:
                for member in (process, *process.children(recursive=True)):
                    found[member.pid] = member
        except (psutil.Error, OSError):
            continue
    found.pop(os.getpid(), None)
    return [process for process in found.values() if _lives(process)]


def _lives(process: Any) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def kill_members(session: int | None, marker: tuple[str, str] | None = None, timeout_s: float = 5.0) -> int:
    """Kills all `members` until none is left; returns how many were killed.

    Looks again after each round: a process may fork while it is being looked for.
    """
    import psutil

    killed: set[int] = set()
    deadline = time.monotonic() + timeout_s
    while (found := members(session, marker)) and time.monotonic() < deadline:
        for process in found:
            killed.add(process.pid)
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(found, timeout=0.2)
    return len(killed)


def terminate(pid: int, words: Sequence[str], *, timeout_s: float, sleep: Callable[[float], None]) -> bool:
    """Asks a process of ours to end and waits for it. True when it ended by itself, False when it had to be killed."""
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        if not is_alive(pid, words):
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not is_alive(pid, words):
                return number == signal.SIGTERM
            sleep(0.02)
    return False


class LockBusy(Exception):
    """Another process holds the lock and did not let go in time."""


@contextmanager
def file_lock(path: Path, *, timeout_s: float, sleep: Callable[[float], None]) -> Iterator[None]:
    """Holds an exclusive lock on `path` (created when missing). Raises LockBusy, OSError.

    The holder may delete the file: whoever waited for the deleted one starts again with the new.
    """
    import fcntl

    deadline = time.monotonic() + timeout_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockBusy(str(path)) from None
                sleep(0.05)
                continue
            if not _still_named(path, descriptor):
                continue
            yield
            return
        finally:
            os.close(descriptor)


def _still_named(path: Path, descriptor: int) -> bool:
    try:
        named, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def hold_lock(path: Path) -> int | None:
    """Takes an exclusive lock for as long as this process lives and writes its id into the file. Returns the
    descriptor, which is to be kept open, or None when another process holds it."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def lock_holder(path: Path) -> int | None:
    """The process id written by whoever took `path` with hold_lock last; None when there is none."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
