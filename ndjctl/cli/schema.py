"""`ndjctl schema`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_missing
from ndjctl.errors import EXIT_FAILED, UsageError, WorkFailed

if TYPE_CHECKING:
    from glue_job.pin import SchemaStore
    from glue_job.schema import Struct

app = typer.Typer(no_args_is_help=True, help="Infer, show, compare and pin schemas.")

DatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="Dataset; by default the profile's.", metavar="NAME")
]


def infer(
    invocation: Invocation,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="NDJSON files, folders of them, or '-' for standard input."),
    ],
    every_line: Annotated[bool, typer.Option("--all", help="Read every line, not a sample of every file.")] = False,
) -> None:
    """Show the schema that the lines of these files follow, and where they do not agree.

    With --json it is the document that 'convert --schema' and 'schema pin' take. Exit code 1 when a file cannot be
    read.
    """
    from ndjctl.objects import require_parquet

    invocation.needs_no_environment("ndjctl schema infer")
    require_parquet("Samples are read as they are converted")
    from ndjctl.convert.infer import infer_files, infer_stream
    from ndjctl.output.reading import reading_progress
    from ndjctl.output.schema import inference_view
    from ndjctl.paths import STDIN

    with reading_progress() as reporter:
        found = infer_stream(reporter, every_line) if inputs == [STDIN] else infer_files(inputs, reporter, every_line)
    invocation.out.show(inference_view(found))
    if found.failed:
        raise typer.Exit(EXIT_FAILED)


def show(
    invocation: Invocation,
    version: Annotated[
        int | None, typer.Option("--version", help="Version; by default the newest.", metavar="N", min=1)
    ] = None,
    dataset: DatasetOption = None,
) -> None:
    """Show the schema that is pinned for a dataset, and which versions of it there are."""
    from glue_job.schema import EMPTY
    from ndjctl.output.schema import pinned_view
    from ndjctl.pinning import history, read_version

    store = _store(invocation, dataset)
    with _readable(invocation):
        pinned = read_version(store, version)
        versions = history(store)
    about = next((found for found in versions if found.version == pinned.version), None)
    bucket = invocation.cloud.names.manifest_bucket
    invocation.out.show(pinned_view(bucket, store.dataset, about, pinned.root if about else EMPTY, versions))


def diff(
    invocation: Invocation,
    before: Annotated[str, typer.Argument(metavar="A", help="A schema file, or the number of a pinned version.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, to compare with it.")],
    dataset: DatasetOption = None,
) -> None:
    """List the fields that two schemas do not have in common.

    A and B are files, or numbers of versions that are pinned in the environment. Exit code 1 when they differ.
    """
    from ndjctl.output.schema import difference_view
    from ndjctl.schemas import compare

    differences = compare(_schema(invocation, before, dataset), _schema(invocation, after, dataset))
    invocation.out.show(difference_view(_called(before), _called(after), differences))
    if differences:
        raise typer.Exit(EXIT_FAILED)


def pin(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="A schema file.")],
    force: Annotated[
        bool, typer.Option("--force", help="Pin it even if it breaks what readers of older parts rely on.")
    ] = False,
    dataset: DatasetOption = None,
) -> None:
    """Pin a schema of yours as the next version of a dataset.

    Refused with the list of changes, exit code 1, when a field would go, change its type or only its case: --force does
    it all the same. Nothing happens if it is the newest version already.
    """
    from ndjctl.output.schema import pin_view
    from ndjctl.pinning import pin_declared
    from ndjctl.schemas import read_schema

    root = read_schema(file)
    store = _store(invocation, dataset)
    with _readable(invocation):
        result = pin_declared(store, root, force)
    invocation.out.show(
        pin_view(store.dataset, result.version, result.is_pinned, result.differences, result.is_refused)
    )
    if result.is_refused:
        raise typer.Exit(EXIT_FAILED)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _called(name: str) -> str:
    return f"version {name}" if _is_version(name) else name


def _schema(invocation: Invocation, name: str, dataset: str | None) -> Struct:
    from ndjctl.schemas import read_schema

    if not _is_version(name):
        return read_schema(Path(name))
    from ndjctl.pinning import read_version

    store = _store(invocation, dataset)
    with _readable(invocation):
        return read_version(store, int(name)).root


def _store(invocation: Invocation, dataset: str | None) -> SchemaStore:
    from glue_job.pin import SchemaStore
    from ndjctl.pinning import is_dataset

    name = invocation.loaded.profile.job.dataset if dataset is None else dataset
    if not is_dataset(name):
        raise UsageError(f"--dataset takes 1 to 63 lower-case letters, digits, _ and -, {name!r} is not that.")
    cloud = invocation.cloud
    return SchemaStore(cloud.client("s3"), cloud.names.manifest_bucket, name, lambda: datetime.now(timezone.utc))


@contextmanager
def _readable(invocation: Invocation) -> Iterator[None]:
    from ndjctl.contracts import FormatError

    with told_when_missing(invocation, invocation.cloud.names.manifest_bucket):
        try:
            yield
        except FormatError as error:
            raise WorkFailed(f"{str(error).rstrip('.')}.") from error


for function in (infer, show, diff, pin):
    command(app, function.__name__)(function)
