"""`ndjctl redrive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ndjctl.cli.confirm import YesOption
from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import (
    RateOption,
    ReasonOption,
    Work,
    look_and_move,
    pacer,
    parts_of,
)
from ndjctl.errors import EXIT_FAILED

if TYPE_CHECKING:
    from ndjctl.redrive.files import FailedFiles, StuckFiles
    from ndjctl.redrive.work import Outcome, Preview, Progress

app = typer.Typer(no_args_is_help=True, help="Send what did not get through the pipeline through it again.")


def dlq(
    invocation: Invocation,
    reason: ReasonOption = None,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Send the messages of the dead-letter queue back to the queue.

    Shows what they announce and why they are there, as far as that is known, and asks first. A message is deleted from
    the dead-letter queue only when the queue has it; messages that announce no file stay and are listed. Counts are
    approximate, as SQS gives them. Exit code 1 when the queue did not take a message.
    """
    from ndjctl.estimate import estimate
    from ndjctl.output.redrive import dlq_view
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.dlq import DeadLetters

    choice = Choice(reason, checked_date(date))
    cloud = invocation.cloud
    profile = invocation.loaded.profile
    sqs = cloud.client("sqs")
    with told_when_not_deployed(invocation):
        urls = [
            sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in (cloud.names.dead_letter_queue, cloud.names.queue)
        ]
        letters = DeadLetters(sqs, urls[0], urls[1], parts_of(invocation).tracking, choice)
        work = Work(
            look=letters.look,
            move=lambda _seen, progress: letters.move(pacer(rate), progress),
            count=lambda seen: int(seen.chosen),
            view=lambda seen, done: dlq_view(
                seen, done, estimate(profile, seen.files, seen.size_bytes), invocation.typed("sweep")
            ),
            question=lambda seen: f"Send {seen.chosen:,} messages to the queue {cloud.names.queue}?",
            noun="message",
        )
        done = look_and_move(invocation, work, yes)
    if done is not None and not done.is_whole:
        raise typer.Exit(EXIT_FAILED)


def failed(
    invocation: Invocation,
    reason: ReasonOption = None,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Enter failed files again, as their objects are now.

    Shows how many there are, by reason, and what they come to, and asks first. A file whose object is gone stays
    failed, with that reason. Interrupted and run again, nothing is lost and nothing is done twice. Exit code 1 when a
    file was left behind.
    """
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.files import FailedFiles

    parts = parts_of(invocation)
    files = FailedFiles(parts.tracking, parts.mover, Choice(reason, checked_date(date)))
    _redrive(invocation, "failed", files, rate, yes)


def stuck(
    invocation: Invocation,
    reason: ReasonOption = None,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Enter files again that wait for a manifest which nobody works on.

    Those are manifested or processing while their manifest is closed or unknown. Files of an open manifest are left to
    the sweep. Otherwise like 'redrive failed'.
    """
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.files import StuckFiles

    parts = parts_of(invocation)
    names = invocation.cloud.names
    files = StuckFiles(parts.tracking, parts.mover, names, Choice(reason, checked_date(date)))
    _redrive(invocation, "stuck", files, rate, yes)


def _redrive(invocation: Invocation, kind: str, files: FailedFiles | StuckFiles, rate: float | None, yes: bool) -> None:
    from ndjctl.estimate import estimate
    from ndjctl.output.redrive import files_view
    from ndjctl.redrive.work import Preview, look, move_all

    profile = invocation.loaded.profile

    def look_at_them(progress: Progress) -> Preview:
        seen = look(files.pages(), Preview(), progress)
        seen.waiting = getattr(files, "waiting", 0)
        return seen

    def move(_seen: Any, progress: Progress) -> Outcome:
        return move_all(files.pages(), files.move, pacer(rate), progress)

    work = Work(
        look=look_at_them,
        move=move,
        count=lambda seen: int(seen.files),
        view=lambda seen, done: files_view(
            kind, seen, done, estimate(profile, seen.files, seen.size_bytes), invocation.typed("sweep")
        ),
        question=lambda seen: f"Enter {seen.files:,} {kind} files again?",
    )
    with told_when_not_deployed(invocation):
        done = look_and_move(invocation, work, yes)
    if done is not None and not done.is_whole:
        raise typer.Exit(EXIT_FAILED)


for function in (dlq, failed, stuck):
    command(app, function.__name__)(function)
