"""`ndjctl output`."""

from __future__ import annotations

from datetime import date as calendar_date
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Look at the Parquet that came out.")

DateOption = Annotated[str | None, typer.Option("--date", help="Only this date, YYYY-MM-DD (UTC).", metavar="DATE")]


def ls(invocation: Invocation, date: DateOption = None) -> None:
    """List the Parquet parts with their rows and sizes."""
    from ndjctl.objects import require_parquet
    from ndjctl.output.rows import listing_view
    from ndjctl.outputs import listing

    require_parquet()
    bucket = invocation.cloud.names.output_bucket
    with _told_when_missing(invocation, bucket):
        invocation.out.show(listing_view(bucket, listing(invocation.cloud.client("s3"), bucket, _checked(date))))


def head(
    invocation: Invocation,
    date: DateOption = None,
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows.", min=1, max=10_000)] = 10,
) -> None:
    """Show the first rows of the newest part as a table."""
    from ndjctl.objects import require_parquet
    from ndjctl.output.rows import head_view
    from ndjctl.outputs import head as first_rows

    require_parquet()
    bucket = invocation.cloud.names.output_bucket
    with _told_when_missing(invocation, bucket):
        invocation.out.show(head_view(first_rows(invocation.cloud.client("s3"), bucket, _checked(date), rows)))


class _told_when_missing:
    """An output bucket that is not there means that nothing was deployed yet."""

    def __init__(self, invocation: Invocation, bucket: str) -> None:
        self._invocation, self._bucket = invocation, bucket

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from ndjctl.aws import error_code

        if error is not None and error_code(error) == "NoSuchBucket":
            raise UsageError(
                f"There is no bucket {self._bucket}: '{self._invocation.typed('deploy')}' makes it."
            ) from error


def _checked(date: str | None) -> str | None:
    if date is None:
        return None
    try:
        return calendar_date.fromisoformat(date).isoformat()
    except ValueError as error:
        raise UsageError(f"--date takes YYYY-MM-DD, {date!r} is not that.") from error


command(app, "ls")(ls)
command(app, "head")(head)
