"""The output folder under faults: runs that die, runs at once, files of others, full disks."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glue_job.store import Written
from ndjctl.convert.folder import OutputFolder
from ndjctl.convert.names import JOURNAL_FILE, LOCK_FILE
from ndjctl.convert.workers import WorkerError, Workers
from ndjctl.errors import UsageError, WorkFailed
from tests.convert_world import convert, names, rows

KILLS = 5


def write_lines(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps({"id": n, "text": f"{n:0200}"}) + "\n" for n in range(count)))
    return path


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ndjctl", "convert", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until_at_work(output: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not list(output.glob(".part-*.unfinished")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes_of(group: int) -> list[int]:
    """Process ids of a process group that are still there."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in found.splitlines()]
    return [int(pid) for pid, pgid, state in lines if int(pgid) == group and not state.startswith("Z")]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough for two processes, and for about two seconds."""
    return write_lines(tmp_path_factory.mktemp("large") / "large.ndjson", 400_000)


def test_a_killed_run_leaves_nothing_finished_and_the_next_one_tidies_up(large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    random_ = random.Random(1)
    for number in range(KILLS):
        process = start(large, "-o", out, "--threads", "2")
        until_at_work(out, process)
        time.sleep(random_.random() * 1.5)
        process.kill()
        process.communicate()
        left = [name for name in names(out) if not name.startswith(".")]
        # Unless it had come to its end, which is then whole.
        assert left in ([], ["_report.json", "_schema.json", "part-00000.parquet", "part-00001.parquet"]), number
        deadline = time.monotonic() + 10
        while processes_of(process.pid):
            assert time.monotonic() < deadline, "workers outlive their parent"
            time.sleep(0.05)
    process = start(large, "-o", out, "--threads", "2")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert names(out) == ["_report.json", "_schema.json", "part-00000.parquet", "part-00001.parquet"]
    assert [row["id"] for row in rows(out)] == list(range(400_000))


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_interrupted_run_ends_at_once_and_leaves_what_was_there(large: Path, tmp_path: Path, threads: str) -> None:
    out = tmp_path / "out"
    convert([write_lines(tmp_path / "small.ndjson", 3)], out)
    process = start(large, "-o", out, "--threads", threads)
    until_at_work(out, process)
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    stdout, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert (process.returncode, stdout) == (130, "")
    assert err.splitlines()[-1] == "error: Interrupted: nothing of this run was made visible."
    assert "Traceback" not in err
    while processes_of(process.pid) and time.monotonic() - began < 5:  # they end on their own, a moment after it
        time.sleep(0.05)
    assert processes_of(process.pid) == []
    assert len(rows(out)) == 3
    assert names(out) == ["_report.json", "_schema.json", "part-00000.parquet"]


def test_two_runs_at_once_keep_apart(large: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start(large, "-o", out)
    until_at_work(out, first)
    small = write_lines(tmp_path / "small.ndjson", 3)
    with pytest.raises(WorkFailed, match=rf"process {first.pid}\) is writing to"):
        convert([small], out)
    assert first.poll() is None, "the first one was to be still at work"
    assert first.wait(120) == 0
    assert len(rows(out)) == 400_000
    first.communicate()
    assert convert([small], out).ok
    assert len(rows(out)) == 3


# --------------------------------------------------------------------------------------------------------------
# Making visible


class Died(Exception):
    pass


class Mortal(OutputFolder):
    """Dies when the journal is written, after `renames` of its steps."""

    renames = 0

    def _recover(self) -> None:
        journal = self._journal()
        if not journal.rename:
            return
        (self.path / "_report.json").unlink(missing_ok=True)
        for name in sorted(journal.rename)[: self.renames]:
            (self.path / journal.rename[name]).replace(self.path / name)
        raise Died


def write(folder: OutputFolder, content: dict[str, bytes]) -> list[Written]:
    return [folder.write(name, body) for name, body in content.items()]


@pytest.mark.parametrize("renames", range(5))
def test_a_run_that_dies_while_it_makes_things_visible_is_finished_by_the_next(tmp_path: Path, renames: int) -> None:
    out = tmp_path / "out"
    old = [write_lines(tmp_path / "old.ndjson", 3)]
    convert(old, out, part_bytes=100)
    new = {"part-00000.parquet": b"0", "part-00001.parquet": b"1", "_schema.json": b"s"}
    listed = {"format": "ndjctl.convert-report", "version": 1, "output_files": [*new, "_report.json"]}
    new["_report.json"] = json.dumps(listed).encode()
    mortal = Mortal(out)
    mortal.renames = renames
    with pytest.raises(Died), mortal.held():
        mortal.commit(write(mortal, new))
    assert (out / JOURNAL_FILE).exists()
    OutputFolder(out).check()  # a dry run can tell whose files these are
    with OutputFolder(out).held():
        assert {name: (out / name).read_bytes() for name in names(out) if name != LOCK_FILE} == new
    assert names(out) == sorted(new)


def test_parts_that_are_no_longer_needed_go_and_nothing_else_does(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = write_lines(tmp_path / "a.ndjson", 20_000)
    with path.open("a") as file:
        file.write("x\n")
    convert([path], out, processes=2, least_text_bytes=1_000_000)
    assert "_malformed/part-00001.ndjson" in names(out)
    for name in ("notes.txt", "part-x.parquet", "_malformed/notes.txt", f".mine.{'0' * 16}.unfinished"):
        (out / name).write_text("mine")
    before = names(out)
    convert([write_lines(path, 3)], out)
    gone = {"part-00001.parquet", "_malformed/part-00001.ndjson"}
    assert names(out) == [name for name in before if name not in gone]


@pytest.mark.parametrize(
    "name", ["part-00007.parquet", "_malformed/part-00000.ndjson", "_schema.json", "_report.json", "_schema.next.json"]
)
def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("{}")
    path = write_lines(tmp_path / "a.ndjson", 3)
    for is_dry in (False, True):
        with pytest.raises(UsageError) as caught:
            convert([path], out, is_dry=is_dry)
        assert str(out / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert names(out) == [name]
    assert (out / name).read_text() == "{}"


def test_a_report_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = write_lines(tmp_path / "a.ndjson", 3)
    convert([path], out)
    document = json.loads((out / "_report.json").read_text())
    document["output_files"] += ["../precious", str(tmp_path / "precious"), "notes.txt", 7]
    (out / "_report.json").write_text(json.dumps(document))
    for precious in (tmp_path / "precious", out / "notes.txt"):
        precious.write_text("mine")
    convert([path], out)
    assert (tmp_path / "precious").exists()
    assert (out / "notes.txt").exists()
    (out / JOURNAL_FILE).write_text(
        json.dumps({"format": "ndjctl.convert-commit", "version": 1, "rename": {"../precious": "x"}, "remove": []})
    )
    with pytest.raises(UsageError, match="not ours"):
        convert([path], out)


def test_a_full_disk_leaves_nothing(tmp_path: Path, large: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        for processes in (1, 2):
            with pytest.raises(WorkFailed, match=r"is full: free some space"):
                convert([large], disk / "out", processes=processes)
            assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _as_somebody(function: Any) -> str:
    """What an ordinary user is told: root may do anything, so root becomes nobody first, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        try:
            sender.send(str(function()))
        except (UsageError, WorkFailed) as error:
            sender.send(f"{type(error).__name__}: {error}")

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    assert receiver.poll(60)
    process.join(30)
    return str(receiver.recv())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine can enter and write to; pytest's own are its user's alone."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_what_may_not_be_read_or_written_is_told(open_folder: Path) -> None:
    secret, good = (write_lines(open_folder / name, 3) for name in ("secret.ndjson", "good.ndjson"))
    good.chmod(0o644)
    secret.chmod(0)
    told = _as_somebody(lambda: convert([secret, good], open_folder / "out").failed[0].error)
    assert told == f"{secret}: Permission denied"
    closed = open_folder / "closed"
    closed.mkdir(mode=0o755)
    told = _as_somebody(lambda: convert([good], closed / "out"))
    assert told == f"UsageError: {closed / 'out'} cannot be written: Permission denied."


# --------------------------------------------------------------------------------------------------------------
# Processes


def double(task: int, store: Any) -> int:
    time.sleep(0.01 * (task % 3))
    return 2 * task


def fail(task: str, store: Any) -> None:
    if task == "os":
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")
    if task == "memory":
        raise MemoryError
    if task == "bug":
        raise KeyError("unforeseen")
    if task == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "slow":
        time.sleep(60)


def run(function: Any, tasks: list[Any]) -> list[Any]:
    with Workers(2, None, lambda _count: None) as workers:
        results = workers.run(function, tasks)
        return results + workers.run(function, tasks)


def test_results_come_in_the_order_of_their_tasks() -> None:
    assert run(double, list(range(20))) == [*range(0, 40, 2)] * 2
    assert run(double, []) == []


@pytest.mark.parametrize(
    ("task", "error", "text"),
    [
        ("os", OSError, "No space left on device"),
        ("memory", WorkFailed, "not enough memory"),
        ("bug", WorkerError, "KeyError: 'unforeseen'"),
        ("killed", WorkFailed, "signal 9"),
    ],
)
def test_what_a_worker_meets_ends_all_of_them_at_once(task: str, error: type[Exception], text: str) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=text):
        run(fail, ["slow", task])
    assert time.monotonic() - began < 30
