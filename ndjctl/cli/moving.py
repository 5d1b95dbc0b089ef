"""What `redrive` and `reprocess` have in common: options, what they use of the cloud, and the order of things: look,
show, ask, move, show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ndjctl.cli.confirm import LOOKED, confirm, confirm_name, only_looks
from ndjctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from ndjctl.output.base import View
    from ndjctl.redrive.moves import Mover
    from ndjctl.redrive.pacing import Pacer
    from ndjctl.redrive.tracking import Tracking
    from ndjctl.redrive.work import Progress

RateOption = Annotated[
    float | None, typer.Option("--rate", help="Files a second, at most.", metavar="N", min=0.1, max=10_000)
]
ReasonOption = Annotated[
    str | None,
    typer.Option(
        "--reason", help="Only where the reason has this text in it, or matches it (* ? [...]).", metavar="TEXT"
    ),
]


@dataclass
class Parts:
    """Of one environment's cloud."""

    tracking: Tracking
    mover: Mover


def parts_of(invocation: Invocation) -> Parts:
    from ndjctl.ledger import Ledger
    from ndjctl.redrive.moves import Mover
    from ndjctl.redrive.tracking import Tracking

    cloud = invocation.cloud
    dynamodb, table = cloud.client("dynamodb"), cloud.names.tracking_table
    tracking = Tracking(dynamodb, table, Ledger(dynamodb, table, time.sleep))
    window = invocation.loaded.profile.size_rule.window
    mover = Mover(cloud.client("s3"), tracking, cloud.names.input_bucket, window, now, time.sleep)
    return Parts(tracking, mover)


def now() -> datetime:
    return datetime.now(timezone.utc)


def pacer(rate: float | None) -> Pacer:
    from ndjctl.redrive.pacing import Pacer

    return Pacer(rate, time.monotonic, time.sleep)


@dataclass
class Work:
    """words: the command as it was typed. look, move: the two halves, told how far they are. count: what there is to
    move, by what was seen. view: of what was seen, of what was done (None if nothing was), and with what to type next
    (None for nothing). after: what to type when it is done. noun: of what is counted. verb: what is done to it. rest:
    how to go on after an interruption. name: what has to be typed instead of a yes, if anything."""

    words: tuple[str, ...]
    look: Callable[[Progress], Any]
    move: Callable[[Any, Progress], Any]
    count: Callable[[Any], int]
    view: Callable[[Any, Any | None, str | None], View]
    question: Callable[[Any], str]
    after: tuple[str, ...] = ("sweep", "--flush")
    noun: str = "file"
    verb: str = "moved"
    rest: str = "run the same command again for the rest"
    name: str = ""


def look_and_move(invocation: Invocation, work: Work, yes: bool) -> Any | None:
    """What was done; None if nothing was. With --json and without --yes it only looks. Raises UsageError if the answer
    is no."""
    from ndjctl.output.moving import counting

    is_json = invocation.options.json
    with counting("looking", work.noun) as progress:
        seen = work.look(progress)
    count = work.count(seen)
    goes_on = count > 0 and not only_looks(invocation, yes)
    if not is_json or not goes_on:
        next_ = invocation.typed(*work.words, "--yes") if count and not goes_on else None
        invocation.out.show(work.view(seen, None, next_))
    if not goes_on:
        if count:
            invocation.out.note(LOOKED)
        return None
    if not yes and work.name:
        invocation.out.note(work.question(seen))
        confirm_name(work.name, "Nothing was changed")
    elif not yes:
        confirm(work.question(seen), "Nothing was changed")
    invocation.interrupted_note = f"Interrupted: what was {work.verb} stays {work.verb}; {work.rest}."
    with counting(work.verb, work.noun, count) as progress:
        done = work.move(seen, progress)
    invocation.out.show(work.view(seen, done, invocation.typed(*work.after)))
    return done
