"""`ndjctl deploy`."""

from __future__ import annotations

import time

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.deploy.changes import Change
from ndjctl.errors import NdjctlError


def register(app: typer.Typer) -> None:
    command(app, "deploy")(deploy)


def deploy(invocation: Invocation) -> None:
    """Bring every resource of the environment into being, or up to date.

    Safe to run again: what is as the profile says is kept.
    """
    from ndjctl.output.views import deploy_view

    begun = time.monotonic()
    invocation.interrupted_note = (
        f"Interrupted: what was done stays; run '{invocation.typed('deploy')}' again for the rest."
    )
    changes = apply(invocation)
    invocation.out.show(deploy_view(invocation.env, invocation.cloud.names.stack, changes, time.monotonic() - begun))


def apply(invocation: Invocation) -> list[Change]:
    """Deploys the environment of `invocation` and returns what happened to each resource."""
    from ndjctl.aws import told
    from ndjctl.bundles import glue_bundle, lambda_bundle
    from ndjctl.deploy.apply import deploy as deploy_all
    from ndjctl.deploy.desired import desired_state

    profile = invocation.loaded.profile
    cloud = invocation.cloud
    job_bundle = glue_bundle()
    desired = desired_state(profile, cloud.names, job_bundle)
    changes: list[Change] = []
    try:
        with cloud.deploying():
            for change in deploy_all(cloud.client, desired, lambda_bundle(), job_bundle, time.sleep):
                changes.append(change)
    except Exception as error:
        reason = error if isinstance(error, NdjctlError) else told(error, invocation.env)
        if reason is not None and changes:
            invocation.out.note(
                f"stopped after {len(changes)} resources, the last was {changes[-1].kind} {changes[-1].name}; "
                f"they stay, run '{invocation.typed('deploy')}' again for the rest"
            )
        raise
    return changes
