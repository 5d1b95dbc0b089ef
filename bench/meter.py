"""What a command and everything it starts use: CPU time, memory, wall time. POSIX only."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_POLL_S = 0.005
_SAMPLE_S = 0.05
_GRACE_S = 5.0


@dataclass(frozen=True)
class Usage:
    """cpu_s: user and system time of the whole process tree. peak_bytes: largest sum of the resident memory of the
    tree, as sampled every 50 ms (shared pages count once for each process), or of its largest process if that is more.
    exit_code: negative for a signal."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    exit_code: int
    timed_out: bool


class _Tree:
    """The processes under one, as they are seen from time to time. CPU time that is never waited for (a child that its
    parent leaves behind) is known from here alone."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: dict[int, psutil.Process] = {pid: self._root}
        self._cpu_s: dict[int, float] = {}
        self.peak_bytes = 0

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values())

    def sample(self) -> None:
        try:
            for process in self._root.children(recursive=True):
                self._seen.setdefault(process.pid, process)
        except psutil.Error:
            pass
        size_bytes = 0
        for pid, process in self._seen.items():
            try:
                if not process.is_running():
                    continue
                with process.oneshot():
                    times = process.cpu_times()
                    size_bytes += process.memory_info().rss
            except psutil.Error:
                continue
            self._cpu_s[pid] = times.user + times.system
        self.peak_bytes = max(self.peak_bytes, size_bytes)

    def end_descendants(self) -> None:
        """Ends what outlives the root. psutil tells a process from a later one with the same id."""
        left = [process for pid, process in self._seen.items() if pid != self._root.pid and process.is_running()]
        for process in left:
            try:
                process.terminate()
            except psutil.Error:
                pass
        for process in psutil.wait_procs(left, timeout=_GRACE_S)[1]:
            try:
                process.kill()
            except psutil.Error:
                pass


def run_measured(
    argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path, timeout_s: float
) -> Usage:
    """Runs `argv` with its output in `log` and waits for it. One that takes longer than timeout_s is ended."""
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    tree = _Tree(process.pid)
    timed_out = False
    next_sample = 0.0
    try:
        while True:
            now = time.perf_counter()
            if now >= next_sample:
                tree.sample()
                next_sample = time.perf_counter() + _SAMPLE_S
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if now - began > timeout_s and not timed_out:
                timed_out = True
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(_POLL_S)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        tree.end_descendants()
    # A process inherits the peak of the one that starts it, so only what is above that is its own. In bytes on macOS,
    # in KiB elsewhere.
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    own_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) if used.ru_maxrss > inherited else 0
    return Usage(
        cpu_s=max(used.ru_utime + used.ru_stime, tree.cpu_s),
        wall_s=wall_s,
        peak_bytes=max(tree.peak_bytes, own_bytes),
        exit_code=process.returncode,
        timed_out=timed_out,
    )
