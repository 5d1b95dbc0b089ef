"""`ndjctl convert`."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.invocation import Invocation, command, typed_plain
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from glue_job.schema import Struct
    from ndjctl.convert.conversion import Source
    from ndjctl.convert.settings import Reporter, Settings

_MOST_PROCESSES = 8
_MIB = 2**20


class OnDrift(str, Enum):
    ADD = "add"
    RESCUE = "rescue"
    FAIL = "fail"


def register(app: typer.Typer) -> None:
    command(app, "convert")(convert)


def convert(
    invocation: Invocation,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="NDJSON files, folders of them, or '-' for standard input."),
    ],
    folder_name: Annotated[
        str | None, typer.Option("--output", "-o", help="Folder for the Parquet; made if need be.", metavar="DIR")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema", readable=False, help="Schema to write with, as 'schema infer --json' prints it.", metavar="FILE"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Processes that convert at once; by default the CPUs, up to 8.", min=1, max=256),
    ] = None,
    on_drift: Annotated[
        OnDrift,
        typer.Option(
            "--on-drift", help="What does not fit the schema: add columns for it, keep it in _rescued, or fail."
        ),
    ] = OnDrift.ADD,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what would be rescued and quarantined.")
    ] = False,
    part_size_mb: Annotated[
        int | None, typer.Option("--part-size-mb", help="Size of a Parquet part that is aimed at.", min=1)
    ] = None,
    max_line_mb: Annotated[int, typer.Option("--max-line-mb", help="Longest line that is a record.", min=1)] = 64,
    max_bad_lines: Annotated[
        int | None, typer.Option("--max-bad-lines", help="Bad lines of a file beyond which it fails.", min=0)
    ] = None,
    max_bad_percent: Annotated[
        float | None,
        typer.Option("--max-bad-percent", help="Share of bad lines of a file beyond which it fails.", min=0, max=100),
    ] = None,
) -> None:
    """Convert NDJSON on this machine to Parquet, as the Glue job would, without any cloud.

    Nothing is visible in DIR until every line is accounted for; running it again replaces what it wrote before. A file
    that cannot be read or has too many bad lines fails, the others are converted. Exit code 1 when a file failed, when
    drift is refused, and when a dry run finds something.
    """
    from ndjctl.objects import require_parquet

    invocation.needs_no_environment("ndjctl convert")
    if folder_name == "" or (folder_name is None and not dry_run):  # an empty one would be the current folder
        raise UsageError("Say where the Parquet is to go: '-o DIR'; '--dry-run' writes nothing and needs none.")
    from glue_job.memory import keep_memory

    keep_memory()  # before anything imports pyarrow
    require_parquet("Parquet is written")
    from ndjctl.convert.conversion import Conversion
    from ndjctl.convert.folder import OutputFolder
    from ndjctl.convert.settings import Settings
    from ndjctl.output.convert import convert_view
    from ndjctl.output.reading import reading_progress

    settings = Settings(
        declared=_declared(schema),
        processes=threads or _cpus(),
        on_drift=on_drift.value,
        is_dry=dry_run,
        part_bytes=None if part_size_mb is None else part_size_mb * _MIB,
        max_line_bytes=max_line_mb * _MIB,
        max_bad_lines=max_bad_lines,
        max_bad_percent=max_bad_percent,
    )
    output = None if folder_name is None else Path(folder_name)
    folder = None if output is None else OutputFolder(output)
    nothing = "nothing was written" if dry_run else "nothing of this run was made visible"
    invocation.interrupted_note = f"Interrupted: {nothing}."
    if "-" in inputs and sys.stdin is not None and sys.stdin.isatty():
        invocation.out.note("reading standard input; Ctrl-D ends it")
    with reading_progress() as reporter:
        source = _source(inputs, settings, output, reporter)
        conversion = Conversion(source, settings, folder, reporter, time.monotonic, _now)
        outcome = conversion.run()
    again = typed_plain("output", "head", str(output or ""))
    invocation.out.show(convert_view(outcome, output, conversion.output_files, again))
    if not outcome.ok:
        raise typer.Exit(EXIT_FAILED)


def _declared(path: Path | None) -> Struct | None:
    from ndjctl.schemas import read_schema

    return None if path is None else read_schema(path)


def _source(inputs: list[str], settings: Settings, output: Path | None, reporter: Reporter) -> Source:
    from ndjctl.convert.files import FileSource, find_files
    from ndjctl.convert.stream import StreamSource, standard_input
    from ndjctl.paths import STDIN

    folder = None if settings.is_dry else output
    if inputs == [STDIN]:
        return StreamSource(standard_input(), STDIN, settings, folder, reporter)
    return FileSource(find_files(inputs, output), settings, folder, reporter)


def _cpus() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST_PROCESSES)


def _now() -> datetime:
    return datetime.now(timezone.utc)
