"""`ndjctl run`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.deploying import apply_quietly
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.remedies import typed_mend
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.inputs import Inputs


def register(app: typer.Typer) -> None:
    command(app, "run")(run)


def run(
    invocation: Invocation,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", readable=False, help="NDJSON files or folders of them; without any, a sample is made."
        ),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for the pipeline before giving up.", min=1)
    ] = 3600.0,
) -> None:
    """Send NDJSON files through the whole pipeline and prove what came out.

    Uploads, waits until every file is at rest, and counts lines in against rows and quarantined lines, in the Parquet
    itself. On the embedded cloud it starts and deploys what is needed first. Running it again on the same bytes changes
    nothing. Exit code 1 when a file failed or a line is not accounted for.
    """
    from ndjctl.inputs import collect
    from ndjctl.objects import require_parquet
    from ndjctl.output.progress import progress, spinner
    from ndjctl.output.views import run_view
    from ndjctl.run import run as run_pipeline

    require_parquet()
    inputs = collect(paths) if paths else None
    profile = invocation.loaded.profile
    again = invocation.typed("run", *map(str, paths or []))
    with spinner(f"opening the environment {invocation.env}"):
        cloud = invocation.cloud
        _ = cloud.account_id
    with spinner("deploying"):
        if profile.auto_deploy:
            apply_quietly(invocation)
        else:
            _check_deployed(invocation)
    if inputs is None:
        inputs = _sample(invocation)
        again = invocation.typed("output", "ls")
    cloud.check_room(inputs.size_bytes)
    for path in inputs.empty:
        invocation.out.note(f"{path} is empty (0 bytes): skipped")
    invocation.interrupted_note = f"Interrupted: what was uploaded goes on through the pipeline; to look again: {again}"
    with progress(inputs.size_bytes, len(inputs.files)) as reporter:
        result = run_pipeline(
            cloud,
            invocation.env,
            inputs,
            reporter,
            clock=time.monotonic,
            sleep=time.sleep,
            timeout_s=timeout_s,
        )
    invocation.out.show(run_view(result, invocation.typed, partial(typed_mend, invocation)))
    if not result.ok:
        raise typer.Exit(EXIT_FAILED)


def _sample(invocation: Invocation) -> Inputs:
    from ndjctl.inputs import collect
    from ndjctl.sample import write_sample

    now = datetime.now(timezone.utc)
    paths = write_sample(invocation.data_dir / "samples", now, seed=int(now.timestamp()))
    invocation.out.note(f"no path given: made a sample of {len(paths)} files in {paths[0].parent}")
    return collect(paths)


def _check_deployed(invocation: Invocation) -> None:
    from botocore.exceptions import ClientError

    from ndjctl.aws import is_not_found

    cloud = invocation.cloud
    try:
        cloud.client("lambda").get_function_configuration(FunctionName=cloud.names.function)
    except ClientError as error:
        if not is_not_found(error):
            raise
        raise UsageError(
            f"The environment {invocation.env} is not deployed: run '{invocation.typed('deploy')}' first."
        ) from error
