"""`ndjctl cost compare`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.cost_options import FileSizeOption, FilesPerDayOption, PricesOption, RegionOption
from ndjctl.cli.invocation import Invocation, command, typed_plain
from ndjctl.cli.numbers import whole_of
from ndjctl.cli.priced import mean_bytes, out_of_window, prices_for
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.compare.row import Row
    from ndjctl.settings import Profile


def register(app: typer.Typer) -> None:
    command(app, "compare")(compare)


def compare(
    invocation: Invocation,
    files_per_day: FilesPerDayOption = None,
    file_size: FileSizeOption = None,
    prices: PricesOption = None,
    region: RegionOption = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="With what the figures rest on, how sure each is, and notes of the runners."),
    ] = False,
    markdown: Annotated[
        str | None,
        typer.Option(
            "--markdown", help="Print it as Markdown instead, full or as a summary; not with --json.", metavar="HOW"
        ),
    ] = None,
) -> None:
    """Compare what the same load costs on other sizes, versions and services, with Spark's JSON reader and with ours.

    Today's settings are the profile's, with --set and --preset applied. Says for each what a month costs, how late the
    worst file is, what it needs of the account's quotas, and what it would take to change to it; then which is the
    cheapest that keeps the 30 minutes, and which of those can be deployed from here. Asks nothing of AWS, changes
    nothing.
    """
    from ndjctl.compare.comparison import compare as compare_
    from ndjctl.output.cost_compare import compare_view
    from ndjctl.prices.files import old_built_in
    from ndjctl.profiles import load_profile
    from ndjctl.settings import PRESETS

    if markdown not in (None, "full", "summary"):
        raise UsageError(f"--markdown takes full or summary; {markdown!r} is neither.")
    if markdown and invocation.options.json:
        raise UsageError("--markdown and --json exclude each other: one page, or one document.")
    files = whole_of(files_per_day, "--files-per-day", "files", 0)
    profile = _with_load(invocation.loaded.profile, files, file_size)
    options = invocation.options
    presets = {
        name: load_profile(
            invocation.env,
            profile_dir=options.profile_dir,
            working_dir=Path.cwd(),
            preset=name,
            assignments=options.assignments,
        ).profile
        for name in PRESETS
    }
    today = datetime.now(timezone.utc).date()
    book, warnings = prices_for(profile, region, prices, invocation.data_dir, today)
    found = compare_(profile, presets, book)
    paid = {ask.key for row in found.rows for ask in row.asks}
    warnings = (*warnings, *old_built_in(book, paid, today), *out_of_window(profile, mean_bytes(profile)))
    for warning in warnings:
        invocation.out.note(f"warning: {warning}")
    commands = {row.code: typed for row in found.rows if (typed := _deploying(invocation, row)) is not None}
    if markdown:
        # A page is for others, whose PATH has the program.
        commands = {code: f"ndjctl{typed.removeprefix(typed_plain())}" for code, typed in commands.items()}
    invocation.out.show(compare_view(found, commands, warnings, explain=explain, markdown=markdown))


def _with_load(profile: Profile, files_per_day: int | None, file_size: str | None) -> Profile:
    """The same settings under the load that was typed. Raises UsageError for a size that no object has."""
    from ndjctl.contracts import MIB
    from ndjctl.generate.typed import parse_size
    from ndjctl.settings import LARGEST_OBJECT_MB

    load = profile.load
    if files_per_day is not None:
        load = load.model_copy(update={"files_per_day": files_per_day, "peak_files_per_hour": None})
    if file_size is not None:
        try:
            size_mb = parse_size(file_size) / MIB
        except ValueError as error:
            raise UsageError(f"--file-size: {error}.") from error
        if not 0 < size_mb <= LARGEST_OBJECT_MB:
            raise UsageError(f"--file-size is {file_size}: an object of S3 has more than nothing and up to 50 TB.")
        load = load.model_copy(update={"min_file_size_mb": size_mb, "max_file_size_mb": size_mb})
    return profile.model_copy(update={"load": load})


def _deploying(invocation: Invocation, row: Row) -> str | None:
    """What is typed here to deploy a row; None where ndjctl cannot, and where it is what the profile says anyway."""
    if row.options is None:
        return None
    options = invocation.options
    if not row.options and not options.assignments and not options.preset:
        return None
    if row.options[:1] == ("--preset",):
        invocation = Invocation(replace(options, preset=None))
    return " ".join((invocation.typed("deploy"), *row.options))
