"""`ndjctl generate`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ndjctl.cli.confirm import LOOKED, YesOption, confirm, confirm_name, only_looks
from ndjctl.cli.dates import checked_date
from ndjctl.cli.generating import check_names, pace_of, recipe_of, refuse_without_upload, told
from ndjctl.cli.invocation import Invocation, command, typed_plain
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.words import given
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.feeding.pace import Pace
    from ndjctl.generate.content import Generator
    from ndjctl.output.generate import Intended

_TOLD_BYTES = 4 * 2**20


def register(app: typer.Typer) -> None:
    command(app, "generate")(generate)


def generate(
    invocation: Invocation,
    files: Annotated[int, typer.Option("--files", help="How many files.", metavar="N", min=1, max=999_999)] = 1,
    records: Annotated[
        int | None,
        typer.Option(
            "--records", help="Lines of each file, bad ones included; 10,000 without --size.", metavar="N", min=1
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", help="Size of each file, exact within a record: 3.5GB, 10MB, 64MiB.", metavar="SIZE"),
    ] = None,
    shape: Annotated[
        str,
        typer.Option(
            "--shape",
            help="events, flat, wide or tweets; or a file with a schema, as 'schema infer --json' prints it.",
            metavar="SHAPE",
        ),
    ] = "events",
    bad_lines: Annotated[
        str,
        typer.Option(
            "--bad-lines",
            help="Lines that are no records, of every kind in turn: 0.1%, or 25 of each file.",
            metavar="N",
        ),
    ] = "0",
    huge_lines: Annotated[
        int,
        typer.Option(
            "--huge-lines",
            help="Of the bad lines of each file, how many are beyond the limits of size: 64 MiB or 24 MB each.",
            metavar="N",
            min=0,
        ),
    ] = 0,
    drift: Annotated[
        str,
        typer.Option(
            "--drift", help="Records with a new field or a value of another type: 1%, or 25 of each file.", metavar="N"
        ),
    ] = "0",
    seed: Annotated[int, typer.Option("--seed", help="The same seed is the same bytes.", metavar="N")] = 1,
    date: Annotated[
        str | None,
        typer.Option("--date", help="Date in names and records, YYYY-MM-DD (UTC); by default today.", metavar="DATE"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Behind the date in the names; by default the shape and the seed.", metavar="NAME"),
    ] = None,
    folder: Annotated[
        str | None, typer.Option("--output", "-o", help="Folder for the files; made if need be.", metavar="DIR")
    ] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Put the files into the input bucket, without a copy on this machine.")
    ] = False,
    prefix: Annotated[
        str, typer.Option("--prefix", help="Of the keys in the bucket, with its slash: in/.", metavar="PREFIX")
    ] = "",
    unique: Annotated[
        int | None,
        typer.Option(
            "--unique",
            help="Upload only N of the files; the server makes the others as copies of them.",
            metavar="N",
            min=1,
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", help="How fast files come: 11/s, 90/min, 7000/h; without it at once.", metavar="RATE"),
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(
            "--pattern",
            help="steady; burst: a minute's files at once; ramp: up to the rate; day: a day's curve that has the rate "
            "as its peak, 7000/h if none is given.",
            metavar="PATTERN",
        ),
    ] = "steady",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Make nothing; say how much it would be, in how many requests, for how much."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Make NDJSON test data of a known content, in a folder or straight in the input bucket.

    Writes down what it made (per file: lines, bad lines by reason, drifted values by field, checksum), so that a test
    can prove what became of it. Run again after an interruption it goes on; files that are there stay. An upload shows
    first what it comes to, and asks; in a protected environment for its name.
    """
    from ndjctl.feeding.generated import plan_generated
    from ndjctl.generate.content import Generator
    from ndjctl.generate.names import Naming

    if folder == "":
        raise UsageError("--output is empty: name a folder for the files, or '.' for this one.")
    output = None if folder is None else Path(folder)
    if upload == (output is not None) and not (dry_run and not upload):
        raise UsageError("Say where the files are to go: '-o DIR', or '--upload' for the input bucket; one of the two.")
    if not upload:
        refuse_without_upload(invocation, prefix, unique)
    day = checked_date(date) or f"{datetime.now(timezone.utc):%Y-%m-%d}"
    recipe = recipe_of(invocation, shape, seed, day, records, size, bad_lines, drift, huge_lines, upload)
    pace = pace_of(pattern, rate, files)
    shape_name = Path(shape).stem if recipe.schema is not None else shape
    naming = Naming(day, name if name is not None else f"{shape_name}-{seed}", prefix)
    check_names(naming, in_folder=not upload)
    with told():
        generator = Generator(recipe)
    options = (
        *(("--files", files), ("--records", records), ("--size", size), ("--shape", shape)),
        *(("--bad-lines", bad_lines if recipe.bad else None), ("--huge-lines", huge_lines or None)),
        *(("--drift", drift if recipe.drift else None), ("--seed", seed), ("--date", day), ("--name", name)),
        *(("--output", output), ("--upload", upload), ("--prefix", prefix or None), ("--unique", unique)),
        *(("--rate", rate), ("--pattern", None if pattern == "steady" else pattern)),
    )
    words = ("generate", *given(*options))
    keys = [naming.of(number) for number in range(files)]
    uniques = min(unique or files, files)

    if dry_run or not upload:
        plan = plan_generated(generator, "", keys, uniques)
        where = str(output) if output is not None else None
        intended = _intended(invocation, generator, plan, where, upload, pace)
        if dry_run:
            if output is not None:
                intended = _with_room(intended, generator, output, keys)
            again = invocation.typed(*words) if upload else typed_plain(*words)
            invocation.out.show(_view(intended, again if upload or output is not None else None))
            return
        assert output is not None  # noqa: S101 - for the type checker
        _write(invocation, generator, output, keys, pace, intended)
        return
    _upload(invocation, generator, keys, uniques, pace, words, yes)


def _write(
    invocation: Invocation, generator: Generator, output: Path, keys: list[str], pace: Pace, intended: Intended
) -> None:
    from ndjctl.generate.folder import write_files
    from ndjctl.generate.record import RECORD_FILE
    from ndjctl.generate.schema_of import SCHEMA_FILE
    from ndjctl.output.generate import Made, made_view
    from ndjctl.output.reading import reading_progress

    begin_s = time.monotonic()
    invocation.interrupted_note = "Interrupted: files that are whole stay; the same command makes the rest."

    def wait(number: int) -> None:
        time.sleep(max(0.0, begin_s + pace.due_s(number) - time.monotonic()))

    with told(), reading_progress() as reporter:
        reporter.phase("generate", intended.plan.uploaded_bytes)
        written = write_files(generator, output, keys, _Bytes(reporter.bytes_read), wait, time.monotonic)
    made = Made(
        settings=generator.recipe.to_dict(),
        facts=written.generated.totals(),
        kept=written.kept,
        where=str(output),
        record=output / RECORD_FILE,
        schema=output / SCHEMA_FILE,
        seconds=time.monotonic() - begin_s,
    )
    invocation.out.show(made_view(made, typed_plain("convert", str(output), "--dry-run")))


def _upload(
    invocation: Invocation,
    generator: Generator,
    keys: list[str],
    uniques: int,
    pace: Pace,
    words: tuple[str, ...],
    yes: bool,
) -> None:
    from ndjctl.feeding.generated import plan_generated, upload_generated
    from ndjctl.output.generate import Made, made_view
    from ndjctl.output.reading import reading_progress

    cloud = invocation.cloud
    plan = plan_generated(generator, cloud.names.input_bucket, keys, uniques)
    intended = _intended(invocation, generator, plan, f"s3://{plan.bucket}/", True, pace)
    is_asked = not only_looks(invocation, yes)
    if not is_asked or not invocation.options.json:
        invocation.out.show(_view(intended, None if is_asked else invocation.typed(*words, "--yes")))
    if not is_asked:
        invocation.out.note(LOOKED)
        return
    if not yes and invocation.loaded.profile.asks_for_its_name:
        confirm_name(invocation.env, "Nothing was uploaded")
    elif not yes:
        confirm(f"Put {'it' if len(keys) == 1 else 'them'} into the bucket?", "Nothing was uploaded")
    cloud.check_room(plan.uploaded_bytes + plan.copied_bytes)
    begin_s = time.monotonic()
    invocation.interrupted_note = (
        "Interrupted: files that are in the bucket go on through the pipeline; the same command makes the rest."
    )
    folder = invocation.data_dir / "generated" / invocation.env
    with told(), told_when_not_deployed(invocation), reading_progress() as reporter:
        reporter.phase("upload", plan.uploaded_bytes + plan.copied_bytes)
        uploaded = upload_generated(
            generator,
            plan,
            cloud.client("s3"),
            folder,
            pace,
            _Fed(reporter.bytes_read),
            clock=time.monotonic,
            sleep=time.sleep,
        )
    made = Made(
        settings=generator.recipe.to_dict(),
        facts=uploaded.generated.totals(),
        kept=uploaded.kept,
        where=f"s3://{plan.bucket}/",
        record=uploaded.record,
        seconds=time.monotonic() - begin_s,
        plan=plan,
        warning=intended.warning,
    )
    invocation.out.show(made_view(made, invocation.typed("monitor")))


class _Bytes:
    """Blocks are small and come by the ten thousand a second: a bar that is told of each costs more than they do."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self._done = done
        self._untold = 0

    def bytes_done(self, count: int) -> None:
        self._untold += count
        if self._untold >= _TOLD_BYTES:
            self._done(self._untold)
            self._untold = 0


class _Fed:
    """Bytes that are in the bucket: sent, copied, or there before."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self._done = done
        self._is_sending = False

    def sent(self, size_bytes: int) -> None:
        self._is_sending = True
        self._done(size_bytes)

    def fed(self, file: Any) -> None:
        # What is there before is told of first; afterwards an upload has been told of while it was sent.
        if file.is_copy or not self._is_sending:
            self._done(file.size_bytes)


def _intended(
    invocation: Invocation, generator: Generator, plan: Any, where: str | None, is_upload: bool, pace: Pace
) -> Intended:
    from ndjctl.output.generate import Intended

    return Intended(
        settings=generator.recipe.to_dict(),
        lines=generator.expected_lines() * len(plan.files),
        where=where,
        first=plan.files[0].key,
        plan=plan,
        is_upload=is_upload,
        duration_s=pace.due_s(len(plan.files) - 1),
        pace=pace.describe(),
        warning=_warning(invocation, generator) if is_upload else "",
    )


def _with_room(intended: Intended, generator: Generator, output: Path, keys: list[str]) -> Intended:
    """With a warning where the files would be refused for want of room."""
    from ndjctl.generate.folder import lacking_room

    try:
        lacking = lacking_room(output, keys, generator.expected_bytes())
    except OSError:  # what cannot be looked at is told when it is to be written
        return intended
    return replace(intended, warning=f"{lacking}: they will be refused") if lacking else intended


def _warning(invocation: Invocation, generator: Generator) -> str:
    """What the size rule makes of such files, where they are not normal."""
    window = invocation.loaded.profile.size_rule.window
    verdict = window.verdict(generator.expected_bytes())
    if verdict is None:
        return ""
    return (
        f"these files are {verdict} for the environment {invocation.env} (normal: {window.min_bytes:,} to "
        f"{window.max_bytes:,} bytes): they will be quarantined whole, and not converted"
    )


def _view(intended: Intended, next_: str | None) -> Any:
    from ndjctl.output.generate import intended_view

    return intended_view(intended, next_)
