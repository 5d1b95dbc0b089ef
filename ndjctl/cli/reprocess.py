"""`ndjctl reprocess`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from ndjctl.cli.confirm import YesOption
from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import (
    RateOption,
    Work,
    look_and_move,
    now,
    pacer,
    parts_of,
)
from ndjctl.errors import EXIT_FAILED, UsageError, WorkFailed


def register(app: typer.Typer) -> None:
    command(app, "reprocess")(reprocess)


def reprocess(
    invocation: Invocation,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="S3 keys of files that were overwritten after they were converted."),
    ] = None,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="All files of which a newer version has arrived.")
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest", help="Write the Parquet of this manifest again, under the same names.", metavar="ID"
        ),
    ] = None,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Convert files again that are completed: newer versions, or a manifest whose Parquet is damaged.

    The rows of a newer version take the place of exactly those of the older one, in whatever part these are; until that
    is done the older ones stay. Shows what it comes to and asks first. Exit code 1 when anything of what was asked for
    cannot be done.
    """
    if sum((bool(keys), superseded, manifest is not None)) != 1:
        raise UsageError("Say what to convert again: keys, or --superseded, or --manifest ID, one of them.")
    day = checked_date(date)
    with told_when_not_deployed(invocation):
        if manifest is not None:
            if day is not None or rate is not None:
                raise UsageError("--date and --rate are for files: leave them out with --manifest.")
            is_whole = _manifest(invocation, manifest, yes)
        else:
            is_whole = _files(invocation, keys or [], day, rate, yes)
    if not is_whole:
        raise typer.Exit(EXIT_FAILED)


def _files(invocation: Invocation, keys: list[str], date: str | None, rate: float | None, yes: bool) -> bool:
    from ndjctl.estimate import estimate
    from ndjctl.output.redrive import files_view
    from ndjctl.redrive.files import NamedFiles, SupersededFiles, dates_of
    from ndjctl.redrive.work import Preview, look, move_all

    parts = parts_of(invocation)
    profile = invocation.loaded.profile
    files: NamedFiles | SupersededFiles
    if keys:
        files = NamedFiles(parts.tracking, parts.mover, keys, date, now())
    else:
        files = SupersededFiles(parts.tracking, parts.mover, dates_of(date, now()))
    refused: list[Any] = []

    def look_at_them(progress: Any) -> Preview:
        seen = look(files.pages(), Preview(), progress)
        seen.refused = refused[:] = getattr(files, "refused", [])
        return seen

    work = Work(
        look=look_at_them,
        move=lambda _seen, progress: move_all(files.pages(), files.move, pacer(rate), progress),
        count=lambda seen: int(seen.files),
        view=lambda seen, done: files_view(
            "superseded", seen, done, estimate(profile, seen.files, seen.size_bytes), invocation.typed("sweep")
        ),
        question=lambda seen: f"Convert {seen.files:,} files again and replace their rows?",
    )
    done = look_and_move(invocation, work, yes)
    return not refused and (done is None or done.is_whole)


def _manifest(invocation: Invocation, manifest_id: str, yes: bool) -> bool:
    from ndjctl.estimate import estimate
    from ndjctl.output.redrive import manifest_view
    from ndjctl.redrive.manifest import Finder, Reopening, named
    from ndjctl.redrive.reopen import Reopener

    parts = parts_of(invocation)
    cloud, profile = invocation.cloud, invocation.loaded.profile
    finder = Finder(cloud.client("s3"), parts.tracking, cloud.names)
    reopener = Reopener(parts.tracking, cloud.names, lambda: cloud.client("glue"), now, time.sleep)

    def look(_progress: Any) -> Reopening:
        found = finder.look(manifest_id)
        if found.refused:
            raise WorkFailed(
                f"Manifest {manifest_id} cannot be written again without losing rows, nothing was done: "
                f"{named(found.refused)}."
            )
        if not found.is_open and not found.included:
            raise WorkFailed(f"Manifest {manifest_id} has no file left that is its own: {named(found.left_out)}.")
        return found

    def move(found: Reopening, progress: Any) -> Reopening:
        reopener.reopen(found)
        progress(len(found.included))
        return found

    work = Work(
        look=look,
        move=move,
        count=lambda found: len(found.included),
        view=lambda found, done: manifest_view(
            found,
            done is not None,
            estimate(profile, len(found.included), found.size_bytes),
            invocation.typed("sweep"),
        ),
        question=lambda found: f"Write the Parquet of manifest {manifest_id} ({len(found.included):,} files) again?",
    )
    look_and_move(invocation, work, yes)
    return True
