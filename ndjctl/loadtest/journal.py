"""Where a test stands: a folder with its state, so that it goes on after its process was killed, in whatever stage."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ndjctl.contracts import FormatError
from ndjctl.contracts.formats import read_document
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.loadtest.model import LoadSettings, is_test_id

FORMAT = "ndjctl.loadtest"
VERSION = 1

PLANNED, FED, FOLLOWED, PROVEN, REPORTED, CLEANED = "planned", "fed", "followed", "proven", "reported", "cleaned"
STAGES = (PLANNED, FED, FOLLOWED, PROVEN, REPORTED, CLEANED)
"""What is behind a test, in this order. A test is entered when it is confirmed, so the first is always there."""

STATE_FILE = "state.json"
SAMPLES_FILE = "samples.ndjson"
REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
FEED_FILE = "feed.ndjson"


class Journal:
    """One test's folder. A stage that is done is written whole, or not at all; it is never done again."""

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self.folder = folder
        self._document = document

    @property
    def test_id(self) -> str:
        return str(self._document["id"])

    @property
    def env(self) -> str:
        return str(self._document["env"])

    @property
    def settings(self) -> LoadSettings:
        return LoadSettings.from_dict(self._document["settings"])

    @property
    def date(self) -> str:
        """YYYY-MM-DD, that leads the keys of its files: of the day when it began."""
        return str(self._document["date"])

    @property
    def stages(self) -> Mapping[str, Any]:
        """What the stages that are done left, by their names."""
        return dict(self._document["stages"])

    @property
    def is_over(self) -> bool:
        return CLEANED in self._document["stages"]

    def has(self, stage: str) -> bool:
        return stage in self._document["stages"]

    def of(self, stage: str) -> Any:
        """What the stage left. Raises KeyError while it is not done."""
        return self._document["stages"][stage]

    def note(self, name: str, value: Any) -> None:
        """Keeps a fact that is no stage's result, such as when feeding began."""
        self._document["notes"][name] = value
        self._write()

    def noted(self, name: str, otherwise: Any = None) -> Any:
        return self._document["notes"].get(name, otherwise)

    def done(self, stage: str, result: Any) -> None:
        """Raises ValueError for a stage out of turn: a bug."""
        if STAGES.index(stage) != len(self._document["stages"]):
            raise ValueError(f"{stage} is not the stage that comes after {list(self._document['stages'])}")
        self._document["stages"][stage] = result
        self._write()

    def again(self, settings: LoadSettings) -> None:
        """Takes back every stage but the plan: what was done is found where it is, and gone on with."""
        self._document["settings"] = settings.to_dict()
        self._document["stages"] = {PLANNED: self.of(PLANNED)}
        self._document["notes"].pop("kept", None)
        self._write()

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        with (self.folder / SAMPLES_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(sample) + "\n")

    def samples(self) -> list[dict[str, Any]]:
        """All that were written whole: a process that is killed leaves half a line at most."""
        found = []
        try:
            lines = (self.folder / SAMPLES_FILE).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def _write(self) -> None:
        write_whole(self.folder / STATE_FILE, (json.dumps(self._document, indent=1) + "\n").encode())


def write_whole(path: Path, body: bytes) -> None:
    """The file has these bytes or what it had before, whenever the process dies."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def begin(
    home: Path, env: str, test_id: str, settings: LoadSettings, date: str, created_at: str, planned: Mapping[str, Any]
) -> Journal:
    """A new test, whose plan is agreed to. home: the folder of the environment's tests."""
    folder = home / test_id
    folder.mkdir(parents=True)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "id": test_id,
        "env": env,
        "date": date,
        "created_at": created_at,
        "settings": settings.to_dict(),
        "notes": {},
        "stages": {},
    }
    journal = Journal(folder, document)
    journal.done(PLANNED, dict(planned))
    return journal


def opened(folder: Path) -> Journal:
    """The test of a folder. Raises UsageError where there is none that can be read."""
    path = folder / STATE_FILE
    try:
        document = read_document(path.read_bytes(), FORMAT, VERSION, str(path))
        journal = Journal(folder, document)
        _ = (journal.test_id, journal.env, journal.date, journal.settings, journal.stages)
    except FileNotFoundError as error:
        raise UsageError(f"There is no load test {folder.name} on this machine: see 'ndjctl loadtest list'.") from error
    except FormatError as error:
        raise UsageError(f"{str(error).rstrip('.')}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is no load test's state ({type(error).__name__}: {error}).") from error
    return journal


def unfinished(home: Path) -> list[Journal]:
    """Tests of an environment that have not come to their end, the newest first. What cannot be read is left out."""
    found = []
    for folder in sorted((each for each in home.glob("*") if is_test_id(each.name)), reverse=True):
        try:
            journal = opened(folder)
        except UsageError:
            continue
        if not journal.is_over:
            found.append(journal)
    return found


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One test of an environment at a time on this machine. Raises WorkFailed while another runs."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorkFailed(
                "A load test of this environment is under way on this machine: wait for its end."
            ) from error
        yield
