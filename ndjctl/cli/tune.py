"""`ndjctl tune`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.settings import Profile
    from ndjctl.tune.measured import Measured


def register(app: typer.Typer) -> None:
    command(app, "tune")(tune)


def tune(invocation: Invocation) -> None:
    """Predict what a --preset or --set would do to runs, lag, backlog and cost, before it is deployed.

    Compares the settings of the last deployment with those that 'deploy' with the same options would bring, under the
    same load: that of the deployed settings, but for what --set load... says. The rate is measured from recent
    completed runs; where there are none that are long enough, it is load.mb_per_s_per_vcpu, or the figure that is built
    in, and which of them is said. Changes nothing.
    """
    from ndjctl.advice.account import ask_account
    from ndjctl.output.progress import spinner
    from ndjctl.output.tune import tune_view
    from ndjctl.tune.backlog import count_backlog
    from ndjctl.tune.prediction import predict

    cloud, proposed = invocation.cloud, invocation.loaded.profile
    with told_when_not_deployed(invocation), spinner("measuring"):
        now, source = _deployed(invocation)
        measured, refused = _measured(invocation)
        facts = ask_account(cloud.client, proposed, cloud.names.function)
        sqs, dynamodb = cloud.client("sqs"), cloud.client("dynamodb")
        backlog, uncounted = count_backlog(sqs, dynamodb, cloud.names, invocation.env)
    today = datetime.now(timezone.utc).date()
    remarks = (*refused, *uncounted)
    assignments = invocation.options.assignments
    found = predict(now, source, proposed, assignments, measured, facts, backlog, today, remarks)
    deploy = invocation.typed("deploy") if found.changes else None
    invocation.out.show(tune_view(invocation.env, found, deploy, f"{invocation.typed('tune')} --preset heavy"))


def _deployed(invocation: Invocation) -> tuple[Profile, str]:
    """The settings that are deployed, and where they are from."""
    from ndjctl.deploy.deployment import last_target
    from ndjctl.deploy.history import History
    from ndjctl.profiles import load_profile

    cloud, options = invocation.cloud, invocation.options
    last = last_target(History(cloud.client("s3"), cloud.names), invocation.env)
    if last is not None:
        target, _ = last
        return target.profile, f"as of the {target.source}"
    loaded = load_profile(invocation.env, profile_dir=options.profile_dir, working_dir=Path.cwd())
    return loaded.profile, f"{loaded.source}, because there is no record of a deployment"


def _measured(invocation: Invocation) -> tuple[Measured | None, tuple[str, ...]]:
    """What recent runs show; or None, and why they could not be read. Raises UsageError where the job or the table is
    not there."""
    from ndjctl.reading import attempt
    from ndjctl.tune.measured import measure

    cloud = invocation.cloud
    reading = attempt(
        lambda: measure(cloud.client("glue"), cloud.client("dynamodb"), cloud.names, time.sleep), invocation.env
    )
    if reading.why == "absent":
        raise UsageError(
            f"The environment {invocation.env} is not deployed, or not whole: run '{invocation.typed('deploy')}' first."
        )
    return reading.value, () if reading.was_read else (f"not measured: {reading.sentence}",)
