"""The command `ndjctl`."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from ndjctl import __version__
from ndjctl.cli import (
    backfill,
    boundary,
    config,
    convert,
    cost,
    deploy,
    destroy,
    doctor,
    explain,
    export,
    files,
    generate,
    history,
    loadtest,
    local,
    locks,
    logs,
    manifests,
    monitor,
    output,
    quarantine,
    queue,
    reconcile,
    redrive,
    reprocess,
    run,
    runs,
    schema,
    sweep,
    tune,
)
from ndjctl.cli.invocation import (
    EnvOption,
    JsonOption,
    PresetOption,
    ProfileDirOption,
    SetOption,
    options_from,
)

app = typer.Typer(
    name="ndjctl",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
    help=(
        "Turns NDJSON files on S3 into Parquet, on AWS or on this machine.\n\n"
        "Start with 'ndjctl run': it makes a sample, runs the whole pipeline on an embedded cloud and proves it."
    ),
)
run.register(app)
deploy.register(app)
history.register(app)
destroy.register(app)
convert.register(app)
generate.register(app)
doctor.register(app)
explain.register(app)
files.register(app)
queue.register(app)
monitor.register(app)
app.add_typer(manifests.app, name="manifests")
runs.register(app)
app.add_typer(locks.app, name="locks")
app.add_typer(logs.app, name="logs")
sweep.register(app)
reprocess.register(app)
app.add_typer(redrive.app, name="redrive")
app.add_typer(quarantine.app, name="quarantine")
reconcile.register(app)
backfill.register(app)
app.add_typer(schema.app, name="schema")
app.add_typer(output.app, name="output")
app.add_typer(config.app, name="config")
tune.register(app)
app.add_typer(cost.app, name="cost")
app.add_typer(loadtest.app, name="loadtest")
app.add_typer(export.app, name="export")
app.add_typer(local.app, name="local")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ndjctl {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    env: EnvOption = None,
    assignments: SetOption = None,
    preset: PresetOption = None,
    profile_dir: ProfileDirOption = None,
    json: JsonOption = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    ctx.obj = options_from(
        {"env": env, "assignments": assignments, "preset": preset, "profile_dir": profile_dir, "json": json}
    )


def run_app() -> None:
    """The program, once it is loaded. Raises SystemExit with the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe of another encoding gets \\u escapes, not an error.
            stream.reconfigure(errors="backslashreplace")
    raise SystemExit(boundary.run(app))
