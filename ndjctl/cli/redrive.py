"""`ndjctl redrive`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from ndjctl.cli.words import given
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.redrive.dlq import DeadLetters, DlqPreview
    from ndjctl.redrive.files import FailedFiles, StuckFiles
    from ndjctl.redrive.work import Outcome, Preview, Progress

app = typer.Typer(no_args_is_help=True, help="Send what did not get through the pipeline through it again.")


def dlq(
    invocation: Invocation,
    reason: ReasonOption = None,
    date: DateOption = None,
    rate: RateOption = None,
    delete_garbage: Annotated[
        bool, typer.Option("--delete-garbage", help="Instead, delete messages that announce no file, once saved.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="With --delete-garbage: a new file for them, as JSON lines.", metavar="FILE"),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Send the messages of the dead-letter queue back to the queue.

    Shows what they announce and why they are there, as far as that is known, and asks first; with --json and without
    --yes it only looks. A message is deleted from the dead-letter queue only when the queue has it; messages that
    announce no file stay and are listed. --delete-garbage deletes those that were listed, each when it is in the file
    of --save. Counts are approximate, as SQS gives them. Exit code 1 when a message was left behind that should not be.
    """
    from ndjctl.estimate import estimate
    from ndjctl.output.dlq import dlq_view
    from ndjctl.output.progress import counted
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.dlq import DeadLetters

    if delete_garbage != (save is not None):
        raise UsageError("--delete-garbage and --save FILE go together: what is deleted is saved in that file first.")
    if delete_garbage and (date is not None or rate is not None):
        raise UsageError("--date and --rate are for messages that announce files: leave them out with it.")
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
            words=("redrive", "dlq", *given(("--reason", reason), ("--date", date), ("--rate", rate))),
            look=letters.look,
            move=lambda _seen, progress: letters.move(pacer(rate), progress),
            count=lambda seen: int(seen.chosen),
            view=lambda seen, done, next_: dlq_view(
                seen,
                done,
                estimate(profile, seen.files, seen.size_bytes),
                invocation.typed("sweep", "--flush"),
                invocation.typed("redrive", "dlq", "--delete-garbage", "--save", "FILE"),
                next_,
            ),
            question=lambda seen: f"Send {counted(seen.chosen, 'message')} to the queue {cloud.names.queue}?",
            noun="message",
            verb="sent",
        )
        if save is not None:
            work = _deletion(invocation, letters, save, reason)
        done = look_and_move(invocation, work, yes)
    if done is not None and not done.is_whole:
        raise typer.Exit(EXIT_FAILED)


def _deletion(invocation: Invocation, letters: DeadLetters, save: Path, reason: str | None) -> Work:
    from ndjctl.output.dlq import garbage_view
    from ndjctl.output.progress import counted
    from ndjctl.paths import shown
    from ndjctl.redrive.garbage import Deleted, Saved, delete_garbage

    def move(seen: DlqPreview, progress: Progress) -> Deleted:
        with Saved(save) as saved:
            return delete_garbage(letters, [letter.message_id for letter in seen.garbage], saved, progress)

    def is_left(seen: DlqPreview, done: Deleted | None) -> bool:
        """Whether the queue may have messages still; its own count may be late."""
        return done is None or done.messages < max(seen.seen, seen.messages)

    if save.exists():
        raise UsageError(f"{shown(save)} is there already: name a new file to save the messages in.")
    look = ("redrive", "dlq", *given(("--reason", reason)))
    return Work(
        words=(*look, "--delete-garbage", *given(("--save", save))),
        look=letters.look,
        move=move,
        count=lambda seen: len(seen.garbage),
        view=lambda seen, done, next_: garbage_view(seen, done, shown(save), next_ if is_left(seen, done) else None),
        question=lambda seen: f"Delete {counted(len(seen.garbage), 'message')}, saved in {shown(save)} first?",
        after=look,
        noun="message",
        verb="deleted",
        rest="run the same command again for the rest, with another file",
    )


def failed(
    invocation: Invocation,
    reason: ReasonOption = None,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Enter failed files again, as their objects are now.

    Shows how many there are, by reason, and what they come to, and asks first; with --json and without --yes it only
    looks. A file whose object is gone stays failed, with that reason. Interrupted and run again, nothing is lost and
    nothing is done twice. Exit code 1 when a file was left behind.
    """
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.files import FailedFiles

    parts = parts_of(invocation)
    files = FailedFiles(parts.tracking, parts.mover, Choice(reason, checked_date(date)))
    options = (("--reason", reason), ("--date", date), ("--rate", rate))
    _redrive(invocation, "failed", files, options, rate, yes)


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
    options = (("--reason", reason), ("--date", date), ("--rate", rate))
    _redrive(invocation, "stuck", files, options, rate, yes)


def _redrive(
    invocation: Invocation,
    kind: str,
    files: FailedFiles | StuckFiles,
    options: tuple[tuple[str, object], ...],
    rate: float | None,
    yes: bool,
) -> None:
    """options: of the command, as they were typed."""
    from ndjctl.estimate import estimate
    from ndjctl.output.progress import counted
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
        words=("redrive", kind, *given(*options)),
        look=look_at_them,
        move=move,
        count=lambda seen: int(seen.files),
        view=lambda seen, done, next_: files_view(
            kind, seen, done, estimate(profile, seen.files, seen.size_bytes), invocation.typed, next_
        ),
        question=lambda seen: f"Enter {counted(seen.files, f'{kind} file')} again?",
    )
    with told_when_not_deployed(invocation):
        done = look_and_move(invocation, work, yes)
    if done is not None and not done.is_whole:
        raise typer.Exit(EXIT_FAILED)


for function in (dlq, failed, stuck):
    command(app, function.__name__)(function)
