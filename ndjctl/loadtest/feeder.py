"""The files of a test: what is in them, what they are called, when they come; and the thread that feeds them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ndjctl.contracts import s3_uri
from ndjctl.errors import UsageError
from ndjctl.feeding.feed import feed
from ndjctl.feeding.journal import Fed
from ndjctl.feeding.journal import Journal as FeedJournal
from ndjctl.feeding.pace import Pace, pace
from ndjctl.feeding.plan import FeedLimits, FeedPlan, plan_feed
from ndjctl.generate.content import Generator
from ndjctl.generate.recipe import Recipe, RecipeError
from ndjctl.generate.record import FileFacts
from ndjctl.generate.typed import parse_amount
from ndjctl.loadtest.model import LoadSettings, input_key


def recipe_of(settings: LoadSettings, date: str) -> Recipe:
    return Recipe(
        shape=settings.shape,
        seed=settings.seed,
        date=date,
        size_bytes=settings.file_size_bytes,
        bad=parse_amount(settings.bad_lines),
        drift=parse_amount(settings.drift),
        schema=settings.schema,
    )


def checked(settings: LoadSettings, date: str, may_shrink: bool) -> LoadSettings:
    """The settings of files that can be made. may_shrink: there are fewer bad lines, a number of each file, where so
    many have no room. Raises UsageError where such files cannot be made: then there is nothing to begin."""
    try:
        try:
            generator = Generator(recipe_of(settings, date))
        except RecipeError:
            if not may_shrink:
                raise
            room = Generator(recipe_of(replace(settings, bad_lines="0"), date)).room_for_bad_lines(
                parse_amount(settings.bad_lines).count
            )
            settings = replace(settings, bad_lines=str(room))
            generator = Generator(recipe_of(settings, date))
        next(iter(generator.content(0)), None)
    except RecipeError as error:
        raise UsageError(str(error)) from error
    return settings


def marker_of(test_id: str) -> str:
    """In the metadata of every input object of a test."""
    return f"loadtest-{test_id}"


def feed_plan_of(
    settings: LoadSettings, bucket: str, date: str, test_id: str, limits: FeedLimits | None = None
) -> FeedPlan:
    """Of files that are named by the test's id."""
    keys = [input_key(date, test_id, number) for number in range(settings.files)]
    return plan_feed(bucket, marker_of(test_id), keys, [settings.file_size_bytes] * settings.unique_files, limits)


def known_facts(journal: FeedJournal, plan: FeedPlan, settings: LoadSettings, date: str) -> dict[int, FileFacts]:
    """What is in each content of which a file was fed. Where an upload was not written down before its process died,
    the content is made again, and not sent."""
    facts = dict(journal.facts)
    missing = {file.unique for file in plan.files if file.key in journal.fed} - facts.keys()
    if not missing:
        return facts
    generator = Generator(recipe_of(settings, date))
    for number in sorted(missing):
        content = generator.content(number)
        for _ in content:
            pass
        if content.facts is not None:
            facts[number] = content.facts
    return facts


def facts_by_uri(
    journal: FeedJournal, plan: FeedPlan, settings: LoadSettings, date: str, without: Collection[str]
) -> dict[str, FileFacts]:
    """Of every file that was fed, but for the keys in `without`: what is not there is not missing."""
    facts = known_facts(journal, plan, settings, date)
    fed = (file for file in plan.files if file.key in journal.fed and file.key not in without)
    return {s3_uri(plan.bucket, file.key): facts[file.unique] for file in fed}


def pace_of(settings: LoadSettings) -> Pace:
    return pace(settings.pattern, settings.rate_per_s, settings.files)


class Feeder:
    """The feeder in a thread of its own, so that what comes out is seen while files go in. is_over: nothing more will
    be fed."""

    def __init__(
        self,
        s3: Any,
        plan: FeedPlan,
        settings: LoadSettings,
        date: str,
        journal: FeedJournal,
        clock: Callable[[], float],
        sent: Callable[[int], None],
        is_over: bool,
    ) -> None:
        self._s3 = s3
        self._clock = clock
        self._sent = sent
        self._plan = plan
        self._settings = settings
        self._date = date
        self._journal = journal
        self._keys = set(journal.fed)
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self.is_over = is_over

    @property
    def count(self) -> int:
        return len(self._keys)

    def start(self) -> None:
        if self.is_over:
            return
        self._thread = threading.Thread(target=self._run, name="feeding", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends it early, if it is not over."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def sent(self, size_bytes: int) -> None:
        self._sent(size_bytes)

    def fed(self, file: Fed) -> None:
        with self._lock:
            self._keys.add(file.key)

    def _run(self) -> None:
        try:
            feed(
                self._plan,
                self._s3,
                Generator(recipe_of(self._settings, self._date)).content,
                self._journal,
                pace_of(self._settings),
                clock=self._clock,
                sleep=self._sleep,
                progress=self,
                stop=self._ends.is_set,
            )
            self.is_over = True
        except BaseException as error:
            self._failure = error

    def _sleep(self, seconds: float) -> None:
        """Until then, or until it is to end."""
        self._ends.wait(seconds)
