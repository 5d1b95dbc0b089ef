"""`ndjctl files`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, NdjsonOption, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import ReasonOption
from ndjctl.cli.since import SinceOption, since_moment
from ndjctl.errors import UsageError

OlderThanOption = Annotated[
    str | None,
    typer.Option(
        "--older-than",
        "--age",
        help="From before then: an age (90s, 30m, 2h, 3d), a date or a moment in UTC.",
        metavar="WHEN",
    ),
]


def register(app: typer.Typer) -> None:
    command(app, "files")(files)


def files(
    invocation: Invocation,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            help="Only this status: pending, manifested, processing, completed, failed or quarantined.",
            metavar="STATUS",
        ),
    ] = None,
    date: DateOption = None,
    since: SinceOption = None,
    older_than: OlderThanOption = None,
    reason: ReasonOption = None,
    prefix: Annotated[
        str, typer.Option("--key", help="Only files whose S3 key begins so.", metavar="PREFIX", show_default=False)
    ] = "",
    ndjson: NdjsonOption = False,
) -> None:
    """List the files of the ledger, by status and the oldest upload first.

    The ledger remembers a file for 7 days. --since and --older-than are about the upload. With --date the files come in
    the order of their keys, as they are at this moment. All pages are read, and each line is printed as it is read.
    """
    from ndjctl.contracts import STATUSES
    from ndjctl.listing.files import FileFilter, list_files
    from ndjctl.output.files import files_view
    from ndjctl.redrive.choice import Choice

    invocation.print_lines(ndjson)
    if status is not None and status not in STATUSES:
        raise UsageError(f"--status takes one of {', '.join(STATUSES)}; {status!r} is none of them.")
    now = datetime.now(timezone.utc)
    wanted = FileFilter(
        status=status,
        choice=Choice(reason, checked_date(date)),
        uploaded_from=since_moment(since, now),
        uploaded_before=since_moment(older_than, now, "--older-than"),
        prefix=prefix,
    )
    if wanted.uploaded_from and wanted.uploaded_before and wanted.uploaded_from >= wanted.uploaded_before:
        raise UsageError("--since is not before --older-than: no file can be of both.")
    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        found = list_files(cloud.client("dynamodb"), cloud.names.tracking_table, wanted)
        next_ = f"{invocation.typed('explain')} KEY"
        invocation.out.stream(files_view(invocation.env, found, next_))
