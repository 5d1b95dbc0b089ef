"""`ndjctl doctor` and `ndjctl errors`: what is wrong, and what to type."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.reconcile import GraceOption
from ndjctl.cli.remedies import typed_remedy
from ndjctl.cli.since import SinceOption, since_moment
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.health.errors_found import Group
    from ndjctl.health.model import Checked
    from ndjctl.health.remedies import Remedies

_AT_ONCE = 16
"""Reads at once."""
_USUAL_BACK = timedelta(days=1)


def register(app: typer.Typer) -> None:
    command(app, "doctor")(doctor)
    command(app, "errors")(errors)


def doctor(
    invocation: Invocation,
    quick: Annotated[
        bool, typer.Option("--quick", help="Without what takes longer: drift, quotas, advice, and more than a sample.")
    ] = False,
    grace_s: GraceOption = None,
) -> None:
    """Check the whole environment, and say what is wrong, how that shows, and what to type.

    Looks at clock, permissions, wiring, function, schedule, job, files stuck in any status, locks, dead letters, lost
    events, failures by cause, size rule, cost, drift, quotas and settings. Changes nothing. What could not be looked at
    is unknown, and neither good nor bad. Exit code 1 when a check failed; warnings alone are 0.
    """
    from ndjctl.health.checks import worst_first
    from ndjctl.output.doctor import doctor_view

    checked, at = _examined(invocation, quick, grace_s)
    invocation.out.show(doctor_view(invocation.env, worst_first(checked), at, partial(typed_remedy, invocation)))
    if any(each.verdict == "fail" for each in checked):
        raise typer.Exit(EXIT_FAILED)


def _examined(invocation: Invocation, quick: bool, grace_s: float | None) -> tuple[tuple[Checked, ...], datetime]:
    """What was checked, and when."""
    from concurrent.futures import ThreadPoolExecutor

    from ndjctl.aws import translated
    from ndjctl.errors import CloudError
    from ndjctl.health.access import access_check
    from ndjctl.health.checks import check_all
    from ndjctl.health.checks_wiring import is_deployed
    from ndjctl.health.looking import look
    from ndjctl.health.looking_deeper import look_deeper
    from ndjctl.health.sampling import DEEP, QUICK
    from ndjctl.output.progress import spinner

    cloud, profile = invocation.cloud, invocation.loaded.profile
    now = datetime.now(timezone.utc)
    try:
        with translated(invocation.env):
            names = cloud.names
    except CloudError as error:
        # Nothing can be looked at; but if it is the clock, AWS has told its time with the refusal.
        checked = access_check(cloud.client("sts"), error, datetime.now(timezone.utc))
        if checked is None:
            raise
        return (checked,), now
    with ThreadPoolExecutor(_AT_ONCE) as pool, spinner("looking"):
        now = datetime.now(timezone.utc)
        facts = look(cloud.client, names, profile, now, pool, extent=QUICK if quick else DEEP, grace_s=grace_s)
        deep = None
        if not quick and is_deployed(facts):
            from ndjctl.cli.deploying import aws_of, target_of_profile

            deep = look_deeper(aws_of(invocation), target_of_profile(invocation), now, pool)
    return check_all(facts, deep), now


def errors(invocation: Invocation, since: SinceOption = None) -> None:
    """List what failed in the last day by cause, with counts, times, an example, and what mends it.

    Reads Glue's runs, the function's log, and manifests and files of the ledger. Messages of no known cause are grouped
    without their ids, keys and numbers. --since says another time, such as 2h, 3d or a date.
    """
    from ndjctl.health.errors_found import find_errors
    from ndjctl.output.counting import counting
    from ndjctl.output.errors import errors_view

    now = datetime.now(timezone.utc)
    moment = since_moment(since, now) or now - _USUAL_BACK
    cloud = invocation.cloud
    for service in ("glue", "logs", "dynamodb", "s3"):
        cloud.client(service)
    with counting("failures") as reporter:
        reporter.phase("reading what failed")
        found = find_errors(cloud.client, cloud.names, invocation.env, moment, reporter.done)
    if not found.is_deployed:
        raise UsageError(f"The environment {invocation.env} is not deployed: run '{invocation.typed('deploy')}' first.")
    view = errors_view(invocation.env, found, partial(_remedies, invocation), partial(typed_remedy, invocation))
    invocation.out.show(view)


def _remedies(invocation: Invocation, group: Group) -> Remedies:
    from ndjctl.health.catalogue import UNKNOWN
    from ndjctl.health.remedies import REDRIVE_FAILED, SWEEP, logs_of_function, remedies_of

    if group.cause is not UNKNOWN:
        return remedies_of(group.cause, invocation.loaded.profile, of_function=group.where == "function")
    return {"function": (logs_of_function("1d"),), "files": (REDRIVE_FAILED,), "manifests": (SWEEP,)}.get(
        group.where, ()
    )
