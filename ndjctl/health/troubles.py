"""What is wrong at this moment with runs, manifests, files and the function, each with its cause. Pure.

What went wrong and was made good since (a run whose manifest another run converted, errors of a function that worked
afterwards) is no trouble.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ndjctl.health.cause import Cause
from ndjctl.health.causes import cause_of, cause_of_line, cause_of_run
from ndjctl.health.facts import Facts, LogLine, Run
from ndjctl.health.log_lines import OF_MESSAGES, event_of, told_by

Where = Literal["file", "manifest", "run", "function"]


@dataclass(frozen=True)
class Trouble:
    """where: who told it. subject: a key, or the id of a manifest, a run or a request. date: of the file or manifest,
    empty for others. text: what was told. is_of_messages: whether the function told it of the taking of messages."""

    where: Where
    cause: Cause
    at: datetime | None
    subject: str
    date: str
    text: str
    is_of_messages: bool = False

    @property
    def told(self) -> str:
        """One line of evidence."""
        return f"{self.where} {self.subject}: {self.text}" if self.subject else f"{self.where}: {self.text}"


def troubles_of(facts: Facts) -> tuple[Trouble, ...]:
    """All that can be told of what was read."""
    return (*_of_files(facts), *_of_manifests(facts), *_of_runs(facts), *_of_function(facts))


def _of_files(facts: Facts) -> Iterator[Trouble]:
    for file in facts.failed.value.files if facts.failed.value else ():
        text = file.why or "no reason recorded"
        yield Trouble("file", cause_of(_without_key(text, file.key)), file.updated_at, file.key, file.date, text)


def _without_key(text: str, key: str) -> str:
    """What is called like a cause is none."""
    return text.replace(key, "<file>")


def _of_manifests(facts: Facts) -> Iterator[Trouble]:
    for each in facts.open_manifests.value.manifests if facts.open_manifests.value else ():
        summary = each.summary
        if summary.error:
            yield Trouble(
                "manifest",
                cause_of(summary.error),
                summary.updated_at,
                summary.manifest_id,
                summary.date,
                summary.error,
            )


def _of_runs(facts: Facts) -> Iterator[Trouble]:
    """Runs that failed, of manifests that are open and that no later run has taken up."""
    if facts.runs.value is None or facts.open_manifests.value is None:
        return
    told = {each.summary.manifest_id for each in facts.open_manifests.value.manifests if each.summary.error}
    newest: dict[str, Run] = {}
    for run in facts.runs.value.runs:  # the newest first
        newest.setdefault(run.manifest_id, run)
    for manifest_id, run in newest.items():
        if run.run.has_failed and manifest_id in facts.open_manifests.value.ids and manifest_id not in told:
            text = f"{run.run.state}: {run.run.error or 'no message'}"
            cause = cause_of_run(run.run.state, run.run.error)
            yield Trouble("run", cause, run.run.completed_at, run.run.run_id, run.manifest_date, text)


def _of_function(facts: Facts) -> Iterator[Trouble]:
    for line in errors_of_function(facts):
        text, is_of_messages = told_by(line.message), event_of(line.message) in OF_MESSAGES
        yield Trouble("function", cause_of_line(line.message), line.at, line.request_id, "", text, is_of_messages)


def errors_of_function(facts: Facts) -> tuple[LogLine, ...]:
    """Errors of the version that is live, the oldest first; none where its log was not read."""
    made_at = facts.function.value.modified_at if facts.function.value else None
    lines = facts.errors.value.lines if facts.errors.value else ()
    return tuple(line for line in lines if made_at is None or line.at >= made_at)
