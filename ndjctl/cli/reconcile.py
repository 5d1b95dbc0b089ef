"""`ndjctl reconcile`."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.confirm import LOOKED, YesOption, confirm, only_looks
from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.words import given
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.reconcile.check import Places
    from ndjctl.reconcile.orphans import Removal
    from ndjctl.reconcile.scope import Scope
    from ndjctl.reconcile.verdicts import Clock

_SLACK_S = 300
"""What a file may take besides the age limit of a partial batch before it is said to be late."""

GraceOption = Annotated[
    float | None,
    typer.Option(
        "--grace",
        help="Seconds within which something may still be on its way; by default batching.max_partial_age_s and 300.",
        min=0,
        metavar="SECONDS",
    ),
]


def register(app: typer.Typer) -> None:
    command(app, "reconcile")(reconcile)


def reconcile(
    invocation: Invocation,
    date: DateOption = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="This date and all after it; by default the last 7 days.", metavar="DATE"),
    ] = None,
    grace_s: GraceOption = None,
    remove_orphans: Annotated[
        bool,
        typer.Option("--remove-orphans", help="Instead, move objects that belong to no output into the quarantine."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Prove that nothing was lost: compare input, ledger and Parquet, and say what mends what does not agree.

    Finds files that were never seen, are stuck, lack rows or have too many, newer versions of converted files, and
    objects that belong to no output. Changes nothing, unless --remove-orphans asks for it, which shows first what it is
    about to move, and asks; with --json and without --yes it only looks. Exit code 1 when something is found.
    """
    from ndjctl.objects import require_parquet
    from ndjctl.output.counting import counting
    from ndjctl.output.reconcile import reconciled_view
    from ndjctl.reconcile.check import reconcile as compare
    from ndjctl.reconcile.scope import scope_of

    if date and since:
        raise UsageError("--date and --since exclude each other: one date, or all from one on.")
    if yes and not remove_orphans:
        raise UsageError("--yes goes with --remove-orphans only: without it nothing is changed.")
    now = datetime.now(timezone.utc)
    scope = scope_of(checked_date(date), _checked_since(since, now), now)
    clock = clock_of(invocation, grace_s, now)
    begun = time.monotonic()
    if remove_orphans:
        _remove_orphans(invocation, scope, clock, yes, (("--date", date), ("--since", since), ("--grace", grace_s)))
        return
    require_parquet()
    with told_when_not_deployed(invocation):
        places = places_of(invocation)
        with counting() as reporter:
            result = compare(places, scope, clock, reporter)

    def typed(*words: str) -> str:
        # What was found within a grace of the user's own would be left out by a command with the usual one.
        is_graced = words[0] == "backfill" and grace_s is not None
        return invocation.typed(*words, *(("--grace", f"{grace_s:g}") if is_graced else ()))

    partial_age_s = invocation.loaded.profile.batching.max_partial_age_s
    invocation.out.show(reconciled_view(result, invocation.env, time.monotonic() - begun, partial_age_s, typed))
    if not result.ok:
        raise typer.Exit(EXIT_FAILED)


def _remove_orphans(
    invocation: Invocation, scope: Scope, clock: Clock, yes: bool, options: tuple[tuple[str, object], ...]
) -> None:
    """options: of the command, as they were typed."""
    from ndjctl.objects import require_parquet
    from ndjctl.output.backfill import preview_lines, removal_view
    from ndjctl.output.counting import counting
    from ndjctl.reconcile.orphans import find_orphans, move_orphans
    from ndjctl.reconcile.spool import Spool

    require_parquet()
    with told_when_not_deployed(invocation), Spool() as spool:
        places = places_of(invocation)
        bucket = places.names.quarantine_bucket
        with counting() as reporter:
            find_orphans(places, scope, clock, spool, reporter)
        removal: Removal | None = None
        next_ = None
        if spool.count and only_looks(invocation, yes):
            next_ = invocation.typed("reconcile", "--remove-orphans", *given(*options), "--yes")
            invocation.out.note(LOOKED)
        elif spool.count:
            for line in preview_lines(spool, "orphaned object"):
                invocation.out.note(line)
            if not yes:
                confirm(f"Move them to s3://{bucket}/<date>/orphaned/?", "Nothing was moved")
            with counting() as reporter:
                removal = move_orphans(places, clock, spool, reporter)
            next_ = invocation.typed("reconcile", *given(*options))
        invocation.out.show(removal_view(removal, spool, bucket, next_))


def places_of(invocation: Invocation) -> Places:
    from ndjctl.reconcile.check import Places

    cloud = invocation.cloud
    return Places(cloud.client, cloud.names, time.sleep)


def clock_of(invocation: Invocation, grace_s: float | None, now: datetime) -> Clock:
    from ndjctl.reconcile.verdicts import Clock

    if grace_s is None:
        grace_s = invocation.loaded.profile.batching.max_partial_age_s + _SLACK_S
    return Clock(now, timedelta(seconds=grace_s))


def _checked_since(since: str | None, now: datetime) -> str | None:
    checked = checked_date(since, "--since")
    if checked is not None and checked > now.date().isoformat():
        raise UsageError(f"--since {checked} is in the future: it is {now.date().isoformat()} (UTC).")
    return checked
