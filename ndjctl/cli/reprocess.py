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
from ndjctl.cli.words import given
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
            "--manifest",
            help="Write the Parquet of this manifest again, under the same names: its id, or enough of its beginning.",
            metavar="ID",
        ),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="With --manifest: give up the rows of files whose object is gone; they become failed."
        ),
    ] = False,
    date: DateOption = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Convert files again that are completed: newer versions, or a manifest whose Parquet is damaged.

    The rows of a newer version take the place of exactly those of the older one, in whatever part these are; until that
    is done the older ones stay. Shows what it comes to and asks first; with --json and without --yes it only looks.
    Exit code 1 when anything of what was asked for cannot be done.
    """
    if sum((bool(keys), superseded, manifest is not None)) != 1:
        raise UsageError(
            "Say what to convert again, one of them: KEY ... for files that were overwritten, --superseded for all of "
            "these, --manifest ID for a manifest whose Parquet is damaged."
        )
    if accept_loss and manifest is None:
        raise UsageError("--accept-loss goes with --manifest: nothing else loses rows.")
    day = checked_date(date)
    with told_when_not_deployed(invocation):
        if manifest is not None:
            if day is not None or rate is not None:
                raise UsageError("--date and --rate are for files: leave them out with --manifest.")
            _manifest(invocation, manifest, accept_loss, yes)
            return
        is_whole = _files(invocation, keys or [], day, rate, yes)
    if not is_whole:
        raise typer.Exit(EXIT_FAILED)


def _files(invocation: Invocation, keys: list[str], date: str | None, rate: float | None, yes: bool) -> bool:
    from ndjctl.estimate import estimate
    from ndjctl.output.progress import counted
    from ndjctl.output.redrive import files_view
    from ndjctl.redrive.newer import NamedFiles, SupersededFiles, dates_of, sized
    from ndjctl.redrive.work import Preview, look, move_all

    parts = parts_of(invocation)
    profile = invocation.loaded.profile
    files: NamedFiles | SupersededFiles
    if keys:
        files = NamedFiles(parts.tracking, parts.mover, keys, date, now(), invocation.typed)
    else:
        files = SupersededFiles(parts.tracking, parts.mover, dates_of(date, now()))
    refused: list[Any] = []

    def look_at_them(progress: Any) -> Preview:
        gone: list[Any] = []
        seen = look(sized(parts.mover, files.pages(), gone), Preview(), progress)
        seen.refused = refused[:] = [*getattr(files, "refused", []), *gone]
        return seen

    options = (("--superseded", not keys), ("--date", date), ("--rate", rate))
    work = Work(
        words=("reprocess", *(_as_argument(key, parts.mover.bucket) for key in keys), *given(*options)),
        look=look_at_them,
        move=lambda _seen, progress: move_all(files.pages(), files.move, pacer(rate), progress),
        count=lambda seen: int(seen.files),
        view=lambda seen, done, next_: files_view(
            "superseded", seen, done, estimate(profile, seen.files, seen.size_bytes), invocation.typed, next_
        ),
        question=lambda seen: f"Convert {counted(seen.files, 'file')} again and replace the rows?",
    )
    done = look_and_move(invocation, work, yes)
    return not refused and (done is None or done.is_whole)


def _as_argument(key: str, bucket: str) -> str:
    """A key that begins like an option is no argument; its URI is one."""
    return f"s3://{bucket}/{key}" if key.startswith("-") else key


def _manifest(invocation: Invocation, prefix: str, accept_loss: bool, yes: bool) -> None:
    from ndjctl.estimate import estimate
    from ndjctl.manifest_details import find_manifest
    from ndjctl.output.progress import counted
    from ndjctl.output.redrive import manifest_view
    from ndjctl.redrive.manifest import Finder, Reopening, named, refusal
    from ndjctl.redrive.reopen import Reopener

    parts = parts_of(invocation)
    cloud, profile = invocation.cloud, invocation.loaded.profile
    if not prefix.strip():
        raise UsageError("--manifest is empty: name a manifest, or the beginning of its id.")
    _, _, manifest_id = find_manifest(cloud.client("dynamodb"), cloud.client("s3"), cloud.names, prefix)
    finder = Finder(cloud.client("s3"), parts.tracking, cloud.names)
    reopener = Reopener(cloud.client("s3"), parts.tracking, cloud.names, lambda: cloud.client("glue"), now, time.sleep)

    def look(_progress: Any) -> Reopening:
        found = finder.look(manifest_id, accept_loss)
        if found.refused:
            raise WorkFailed(refusal(manifest_id, found.refused, invocation.typed))
        if not found.is_open and not found.included and not found.given_up:
            raise WorkFailed(f"Manifest {manifest_id} has no file left that is its own: {named(found.left_out)}.")
        return found

    def move(found: Reopening, progress: Any) -> Reopening:
        reopener.reopen(found)
        progress(len(found.included))
        return found

    def question(found: Reopening) -> str:
        lost = f", and give up the rows of {len(found.given_up):,} that are gone" if found.given_up else ""
        return f"Write the Parquet of manifest {manifest_id} ({counted(len(found.included), 'file')}) again{lost}?"

    work = Work(
        words=("reprocess", "--manifest", manifest_id, *given(("--accept-loss", accept_loss))),
        look=look,
        move=move,
        count=lambda found: len(found.included) + len(found.given_up),
        view=lambda found, done, next_: manifest_view(
            found,
            done is not None,
            estimate(profile, len(found.included), found.size_bytes),
            invocation.typed("sweep"),
            next_,
        ),
        question=question,
        after=("sweep",),
    )
    look_and_move(invocation, work, yes)
