"""`ndjctl cost lift`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.confirm import YesOption, confirm, only_looks
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.words import given
from ndjctl.errors import UsageError, WorkFailed

if TYPE_CHECKING:
    from ndjctl.lifting import Lifting, Lifts

_MOST_USD = Decimal(10**9)


def register(app: typer.Typer) -> None:
    command(app, "lift")(lift)


def lift(
    invocation: Invocation,
    usd: Annotated[
        str | None,
        typer.Option("--usd", help="Up to so many dollars more, such as 50; without it wholly.", metavar="USD"),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take today's lift back.")] = False,
    yes: YesOption = False,
) -> None:
    """Let runs start again today that the budget of the day holds (cost.max_per_day, cost.hold_runs).

    Until midnight UTC, when the next day begins with a budget of its own; with --usd until so many dollars more are
    spent. Shows what is held and asks first; with --json and without --yes it only looks. Where nothing is held it says
    so. --undo takes the lift back, so that the next sweep holds runs again if the budget is spent; it does not ask.
    """
    from ndjctl.lifting import Lifts

    more = _dollars(usd)
    if undo and usd is not None:
        raise UsageError("--undo takes the whole lift back: leave --usd out.")
    cloud, now = invocation.cloud, datetime.now(timezone.utc)
    lifts = Lifts(cloud.client("dynamodb"), cloud.names, invocation.loaded.profile)
    with told_when_not_deployed(invocation):
        seen = lifts.look(now, _variables(invocation))
        if undo:
            _shown(invocation, lifts, lifts.undo(seen), None, undo=True)
            return
        waiting = _waiting(invocation)
        if seen.before.held_since is None:
            _shown(invocation, lifts, seen, more, waiting=waiting)
            return
        if only_looks(invocation, yes):
            next_ = invocation.typed("cost", "lift", *given(("--usd", usd)), "--yes")
            _shown(invocation, lifts, seen, more, waiting=waiting, next_=next_)
            return
        if not yes:
            _shown(invocation, lifts, seen, more, waiting=waiting)
            confirm("Let runs start again", "Nothing was changed")
        _shown(invocation, lifts, lifts.lift(seen, more, now), more, waiting=waiting)


def _shown(
    invocation: Invocation,
    lifts: Lifts,
    found: Lifting,
    usd: Decimal | None,
    *,
    waiting: int | None = None,
    undo: bool = False,
    next_: str | None = None,
) -> None:
    """Raises WorkFailed where somebody else was quicker."""
    from ndjctl.output.cost_lift import lift_view

    if found.changed:
        raise WorkFailed("Nothing was changed: what is known of today's budget changed meanwhile; type it again.")
    limit = None if undo else lifts.limit_of(found, usd)
    sweep = invocation.typed("sweep")
    view = lift_view(
        invocation.env, invocation.loaded.profile, found, limit, waiting, undo=undo, sweep=sweep, next_=next_
    )
    invocation.out.show(view)


def _waiting(invocation: Invocation) -> int | None:
    """Manifests that have no run yet; None where that may not be read."""
    from ndjctl.health.reading_ledger import read_open_manifests
    from ndjctl.reading import attempt

    cloud = invocation.cloud
    dynamodb = cloud.client("dynamodb")
    found = attempt(lambda: read_open_manifests(dynamodb, cloud.names), invocation.env)
    return None if found.value is None else len(found.value.waiting)


def _variables(invocation: Invocation) -> Mapping[str, str] | None:
    """Of the function that is deployed; None where they may not be read."""
    from ndjctl.health.reading_services import read_function
    from ndjctl.reading import attempt

    cloud = invocation.cloud
    found = attempt(lambda: read_function(cloud.client("lambda"), cloud.names), invocation.env)
    return None if found.value is None else found.value.variables


def _dollars(text: str | None) -> Decimal | None:
    """Raises UsageError for what is no amount."""
    if text is None:
        return None
    try:
        usd = Decimal(text.strip().removeprefix("$"))
        if usd.is_finite() and Decimal("0.01") <= usd <= _MOST_USD:
            return usd
    except InvalidOperation:
        pass
    raise UsageError(f"--usd takes dollars from 0.01 on, such as 50 or 12.50; {text!r} is none.")
