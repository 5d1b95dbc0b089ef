"""`ndjctl output`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command, typed_plain
from ndjctl.cli.missing import told_when_missing
from ndjctl.cli.remedies import typed_mend
from ndjctl.errors import EXIT_FAILED, UsageError, WorkFailed

if TYPE_CHECKING:
    from ndjctl.output.damage import Mend
    from ndjctl.outputs import Head

app = typer.Typer(no_args_is_help=True, help="Look at the Parquet that came out.")


def ls(invocation: Invocation, date: DateOption = None) -> None:
    """List the Parquet parts with their rows and sizes.

    Exit code 1 when one of them is damaged: what writes it again is told. Only the end of each is read, where its
    counts are; 'run' and 'reconcile' read what they count.
    """
    from ndjctl.objects import require_parquet
    from ndjctl.output.rows import listing_view
    from ndjctl.outputs import listing

    require_parquet()
    bucket = invocation.cloud.names.output_bucket
    with told_when_missing(invocation, bucket):
        found = listing(invocation.cloud.client("s3"), bucket, checked_date(date))
    invocation.out.show(listing_view(bucket, found, partial(typed_mend, invocation)))
    if any(day.damaged for day in found):
        raise typer.Exit(EXIT_FAILED)


def head(
    invocation: Invocation,
    path: Annotated[
        Path | None,
        typer.Argument(readable=False, help="A folder of Parquet on this machine instead, such as 'convert' writes."),
    ] = None,
    date: DateOption = None,
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows.", min=1, max=10_000)] = 10,
) -> None:
    """Show the first rows of the newest part as a table.

    A part that cannot be read is passed over, and told. Exit code 1 when there is no other.
    """
    from ndjctl.objects import require_parquet
    from ndjctl.output.shell import typeable
    from ndjctl.outputs import head as first_rows
    from ndjctl.outputs import head_of_folder, is_half_published
    from ndjctl.paths import shown

    require_parquet()
    if path is not None:
        if date is not None:
            raise UsageError("--date is for what the pipeline wrote: leave it out with a folder of this machine.")
        if is_half_published(path):
            invocation.out.note(
                f"{shown(path)}: a conversion was killed while it made its output visible; the next one to this folder "
                f"completes it first. Until then some of what is there is older."
            )
        again = typeable(typed_plain("convert", "INPUT", "-o", str(path)))
        empty = f"There is no Parquet in {shown(path)} yet: '{again}' makes some."
        _show(invocation, head_of_folder(path, rows), lambda _damage: "", empty)
        return
    bucket = invocation.cloud.names.output_bucket
    with told_when_missing(invocation, bucket):
        found = first_rows(invocation.cloud.client("s3"), bucket, checked_date(date), rows)
    of_date = "" if date is None else f" of {date}"
    empty = f"There is no output{of_date} yet: '{typeable(invocation.typed('run'))}' makes some."
    _show(invocation, found, partial(typed_mend, invocation), empty)


def _show(invocation: Invocation, found: Head, mend: Mend, empty: str) -> None:
    from ndjctl.output.damage import none_readable, passed_over
    from ndjctl.output.rows import head_view

    if found.is_unreadable:
        raise WorkFailed(none_readable(found.damaged, mend))
    for line in passed_over(found.damaged, mend):
        invocation.out.note(line)
    invocation.out.show(head_view(found, mend, empty))


command(app, "ls")(ls)
command(app, "head")(head)
