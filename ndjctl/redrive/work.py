"""A look at what would be moved, and the moving of it: page by page, several files at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ndjctl.redrive.choice import Reasons
from ndjctl.redrive.moves import CHANGED, MOVED, SETTLED, Moved
from ndjctl.redrive.pacing import Pacer
from ndjctl.redrive.tracking import Entry

EXAMPLES = 20
_THREADS = 8
_AT_ONCE = 64

Progress = Callable[[int], None]
"""Called with how many more are done."""


@dataclass
class Candidate:
    """A file that may be moved. why: it is where it is. replaces: for its item. is_closed: a manifest that must not be
    open when it is moved, if any. found_bytes: of the object as it is now, None where it was not looked at."""

    entry: Entry
    why: str = ""
    replaces: str = ""
    is_closed: str = ""
    found_bytes: int | None = None

    @property
    def size_bytes(self) -> int:
        """Of what would be converted; as recorded, where the object was not looked at."""
        return self.entry.size_bytes if self.found_bytes is None else self.found_bytes


@dataclass
class Preview:
    """What would be moved, by what the ledger says now. size_bytes: of what would be converted. refused: what was asked
    for and cannot be moved, with the reasons. waiting: files that a sweep sees to, which are none of these."""

    files: int = 0
    size_bytes: int = 0
    reasons: Reasons = field(default_factory=Reasons)
    examples: list[Candidate] = field(default_factory=list)
    refused: list[Moved] = field(default_factory=list)
    waiting: int = 0

    def add(self, candidate: Candidate) -> None:
        self.files += 1
        self.size_bytes += candidate.size_bytes
        self.reasons.add(candidate.why)
        if len(self.examples) < EXAMPLES:
            self.examples.append(candidate)


@dataclass
class Outcome:
    """moved: files. size_bytes: of those, as their objects are now. left: the others, with the reasons."""

    moved: int = 0
    size_bytes: int = 0
    left: list[Moved] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left behind that should have moved, but where others were quicker."""
        return all(each.what in (CHANGED, SETTLED) for each in self.left)

    def add(self, moved: Moved) -> None:
        if moved.what == MOVED:
            self.moved += 1
            self.size_bytes += moved.size_bytes
        else:
            self.left.append(moved)


def look(candidates: Iterable[Iterable[Candidate]], preview: Preview, progress: Progress) -> Preview:
    """Counts the candidates of all pages into `preview`."""
    for page in candidates:
        before = preview.files
        for candidate in page:
            preview.add(candidate)
        progress(preview.files - before)
    return preview


def move_all(
    candidates: Iterable[Iterable[Candidate]], move: Callable[[Candidate], Moved], pacer: Pacer, progress: Progress
) -> Outcome:
    """Moves the candidates of all pages. Raises what `move` raises; what was moved until then stays moved."""
    outcome = Outcome()
    with ThreadPoolExecutor(_THREADS) as pool:
        for page in candidates:
            rest = list(page)
            while rest:
                batch, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
                futures = []
                for candidate in batch:
                    pacer.wait()
                    futures.append(pool.submit(move, candidate))
                for future in futures:
                    outcome.add(future.result())
                    progress(1)
    return outcome
