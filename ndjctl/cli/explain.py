"""`ndjctl explain`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.remedies import typed_remedy
from ndjctl.errors import EXIT_FAILED, EXIT_USAGE

_READS_AT_ONCE = 16


def register(app: typer.Typer) -> None:
    command(app, "explain")(explain)


def explain(
    invocation: Invocation,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key, an s3:// URI of the input bucket, or a part of a key.")
    ],
    count: Annotated[
        bool, typer.Option("--count", help="Also count its rows in the Parquet parts of its manifest; reads them.")
    ] = False,
    grace_s: Annotated[
        float,
        typer.Option(
            "--grace", help="Seconds that an event may take before it counts as lost.", min=0, metavar="SECONDS"
        ),
    ] = 60.0,
) -> None:
    """Tell the story of one file from its upload to its rows: what is missing, why, and what mends it.

    Also of a file that was never seen. A part of a key is looked for in the ledger and the input bucket, as far as that
    can be done in a bounded number of calls. What AWS refuses costs its own stage only. Exit code 1 when the file will
    not get to Parquet by itself, or its rows are not whole.
    """
    from ndjctl.explain.explaining import explain as explained_of
    from ndjctl.explain.looking import look_at_file
    from ndjctl.output.explain import explained_view
    from ndjctl.output.moving import counting
    from ndjctl.output.progress import spinner

    if count:
        from ndjctl.objects import require_parquet

        require_parquet()
    found = _found(invocation, key)
    cloud, now = invocation.cloud, datetime.now(timezone.utc)
    place = (cloud.client, cloud.names, invocation.loaded.profile, found, now)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        if count:
            with counting("counting", "object", None) as report:
                facts = look_at_file(*place, pool, event_s=grace_s, is_counted=True, report=report)
        else:
            with spinner("looking"):
                facts = look_at_file(*place, pool, event_s=grace_s)
    explained = explained_of(facts)
    invocation.out.show(explained_view(invocation.env, explained, partial(typed_remedy, invocation)))
    if explained.verdict.is_wrong:
        raise typer.Exit(EXIT_FAILED)


def _found(invocation: Invocation, text: str) -> str:
    """The key that is meant. Ends the command with a list where several or none may be."""
    from ndjctl.contracts import s3_uri
    from ndjctl.explain.search import MOST_FOUND, is_whole_key, key_of, search
    from ndjctl.output.base import one_line
    from ndjctl.output.explain import candidates_view
    from ndjctl.output.progress import spinner

    cloud = invocation.cloud
    part, is_uri = key_of(text, cloud.names)
    if is_uri:
        return part
    with told_when_not_deployed(invocation), spinner("searching"):
        now = datetime.now(timezone.utc)
        found = search(cloud.client("s3"), cloud.client("dynamodb"), cloud.names, part, now)
    if found.is_exact or (not found.keys and is_whole_key(part)):
        return part
    shown = one_line(part if len(part) <= 80 else f"{part[:80]}...")
    if len(found.keys) == 1:
        if not found.is_whole:
            invocation.out.note(
                f"Looked through {' and '.join(found.searched)}: others may have {shown!r} in them, too."
            )
        return found.keys[0]
    keys = found.keys[:MOST_FOUND]
    # A key that begins like an option is no argument.
    names = [s3_uri(cloud.names.input_bucket, key) if key.startswith(("-", "s3")) else key for key in keys]
    commands = [invocation.typed("explain", name) for name in names]
    if keys:
        more = " at least" if found.is_enough else ""
        message = f"{len(found.keys):,} files{more} have {shown!r} in their keys: name one of them."
    else:
        where = " and ".join(found.searched) or "the ledger and the input bucket"
        whole = "" if found.is_whole else ", which is not all: a key from its beginning on is found anywhere"
        message = f"No file has {shown!r} in its key; looked through {where}{whole}."
    if not invocation.options.json:
        invocation.out.note(f"error: {message}")
    invocation.out.show(candidates_view(invocation.env, part, keys, commands, message, EXIT_USAGE))
    raise typer.Exit(EXIT_USAGE)
