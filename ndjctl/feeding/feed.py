"""Makes the objects of a plan, at the asked pace, several at once; what is there already is not made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, Event
from typing import Any, Protocol

from ndjctl.contracts import s3_uri
from ndjctl.errors import WorkFailed
from ndjctl.feeding.journal import Fed, Journal
from ndjctl.feeding.objects import PlanObjects, Stopped
from ndjctl.feeding.pace import Pace
from ndjctl.feeding.plan import FeedPlan, PlannedFile
from ndjctl.feeding.speed import AT_ONCE, LARGE_AT_ONCE
from ndjctl.generate.record import FileFacts

_LONGEST_SLEEP_S = 1.0
"""So that whoever asks for an end gets it soon."""


class Content(Protocol):
    """What ndjctl.generate.content.FileContent is."""

    facts: FileFacts | None

    def __iter__(self) -> Iterator[bytes]: ...


class Progress(Protocol):
    """Called from several threads."""

    def sent(self, size_bytes: int) -> None:
        """Bytes that were uploaded since the last call."""

    def fed(self, file: Fed) -> None:
        """An object is there; also told of those that were there before."""


def feed(
    plan: FeedPlan,
    s3: Any,
    content: Callable[[int], Content],
    journal: Journal,
    pace: Pace,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    progress: Progress,
    at_once: int = AT_ONCE,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, FileFacts]:
    """Makes every object of `plan` that is not there yet, and returns the facts of the contents by their number.

    content: called with the number of a unique file, from several threads. clock: seconds, monotonic. stop: asked
    before each object and part; True ends the feeding early, and nothing unfinished is left behind. Those that were fed
    before are not waited for: the first that is missing is due at once. Raises WorkFailed where a key holds an object
    that is none of the plan's, and what boto3 raises.
    """
    return _Feeding(plan, s3, content, journal, pace, clock, sleep, progress, at_once, stop).run()


class _Feeding:
    def __init__(
        self,
        plan: FeedPlan,
        s3: Any,
        content: Callable[[int], Content],
        journal: Journal,
        pace: Pace,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        progress: Progress,
        at_once: int,
        stop: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._content = content
        self._journal = journal
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._progress = progress
        self._at_once = at_once
        self._failed = Event()
        self._stop = stop
        self._objects = PlanObjects(s3, plan, self._is_stopped)

    def _is_stopped(self) -> bool:
        return self._failed.is_set() or self._stop()

    def run(self) -> dict[int, FileFacts]:
        missing = self._missing()
        uploads: dict[int, Future[None]] = {}
        copies: list[Future[None]] = []
        slots = BoundedSemaphore(self._at_once)
        begin_s = self._clock()
        with ThreadPoolExecutor(LARGE_AT_ONCE) as large, ThreadPoolExecutor(self._at_once) as small:
            try:
                for file in missing:
                    self._wait(begin_s, self._pace.due_s(file.number) - self._pace.due_s(missing[0].number))
                    if file.is_copy and file.unique in uploads:
                        uploads[file.unique].result()
                    if self._is_stopped():
                        break
                    if not file.is_copy and file.parts:
                        uploads[file.unique] = large.submit(self._guarded, self._upload, file)
                        continue
                    slots.acquire()
                    future = small.submit(self._guarded, self._copy if file.is_copy else self._upload, file)
                    future.add_done_callback(lambda _future: slots.release())
                    if file.is_copy:
                        copies.append(future)
                    else:
                        uploads[file.unique] = future
                for future in (*uploads.values(), *copies):
                    future.result()
            except BaseException:
                self._failed.set()
                large.shutdown(wait=False, cancel_futures=True)
                small.shutdown(wait=False, cancel_futures=True)
                raise
        self._know_all()
        self._check_sizes()
        return dict(self._journal.facts)

    def _missing(self) -> list[PlannedFile]:
        """What is to be made. Takes what a death kept from being written down, and ends what it left unfinished."""
        keys = frozenset(file.key for file in self._plan.files)
        there = self._objects.found(keys)
        unknown = [key for key in there if not _is_known(self._journal.fed.get(key), there[key].etag)]
        with ThreadPoolExecutor(self._at_once) as pool:
            for key, fed in zip(unknown, pool.map(self._objects.ours, unknown), strict=True):
                if fed is None:
                    raise WorkFailed(
                        f"{s3_uri(self._plan.bucket, key)} is there already and is none of these files: give these "
                        f"another name."
                    )
                self._journal.add_fed(fed)
        missing = [file for file in self._plan.files if file.key not in there]
        self._objects.abort_unfinished(frozenset(file.key for file in missing))
        for file in self._plan.files:
            if file.key in there:
                self._progress.fed(self._journal.fed[file.key])
        return missing

    def _wait(self, begin_s: float, due_s: float) -> None:
        while not self._is_stopped() and (left_s := begin_s + due_s - self._clock()) > 0:
            self._sleep(min(left_s, _LONGEST_SLEEP_S))

    def _guarded(self, make: Callable[[PlannedFile], Fed], file: PlannedFile) -> None:
        try:
            fed = make(file)
        except Stopped:
            return
        except BaseException:
            self._failed.set()  # what is under way ends soon
            raise
        self._journal.add_fed(fed)
        self._progress.fed(fed)

    def _upload(self, file: PlannedFile) -> Fed:
        content = self._content(file.unique)
        fed = self._objects.upload(file, content, self._progress.sent)
        assert content.facts is not None  # noqa: S101 - for the type checker
        self._journal.add_facts(content.facts)
        return fed

    def _copy(self, file: PlannedFile) -> Fed:
        return self._objects.copy(file, self._journal.fed[self._plan.files[file.unique].key])

    def _know_all(self) -> None:
        """The facts of contents that were uploaded before they were written down: made again, and not sent."""
        for file in self._plan.files:
            if file.is_copy or file.unique in self._journal.facts or file.key not in self._journal.fed:
                continue
            content = self._content(file.unique)
            for _ in content:
                if self._is_stopped():
                    return
            if content.facts is not None:
                self._journal.add_facts(content.facts)

    def _check_sizes(self) -> None:
        for file in self._plan.files:
            fed, facts = self._journal.fed.get(file.key), self._journal.facts.get(file.unique)
            if fed is not None and facts is not None and fed.size_bytes != facts.size_bytes:
                uri = s3_uri(self._plan.bucket, file.key)
                raise WorkFailed(
                    f"{uri} has {fed.size_bytes:,} bytes, and its content {facts.size_bytes:,}: delete it, and run the "
                    f"command again."
                )


def _is_known(fed: Fed | None, etag: str) -> bool:
    return fed is not None and fed.etag == etag
