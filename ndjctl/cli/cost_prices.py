"""`ndjctl cost prices`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.cost_options import PricesOption, RegionOption
from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import UsageError


def register(app: typer.Typer) -> None:
    command(app, "prices")(prices)


def prices(
    invocation: Invocation,
    region: RegionOption = None,
    given_file: PricesOption = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the AWS Price List first, and keep what it says.")
    ] = False,
) -> None:
    """Show the prices that costs are computed from: tiers, free allowances, source and age of each.

    A price that is not known is listed as missing; it is never taken from another region. --refresh asks the AWS Price
    List (pricing:GetProducts) for the region's prices and keeps them on this machine, each with the date of the list;
    what it does not answer keeps the figure and the date that it had.
    """
    from ndjctl.output.cost_prices import prices_view
    from ndjctl.prices.files import load_prices, old_built_in

    if refresh and given_file is not None:
        raise UsageError("--refresh keeps prices of its own, and --prices takes a file of yours: leave one out.")
    where = region or str(invocation.loaded.profile.region)
    today = datetime.now(timezone.utc).date()
    refreshed = None
    if refresh:
        from ndjctl.output.progress import spinner
        from ndjctl.prices.files import find_own_book, find_refreshed_book, keep_refreshed
        from ndjctl.prices.refresh import ask_price_list

        before = find_refreshed_book(where, invocation.data_dir, today)
        known = find_own_book(where, invocation.data_dir, today)
        with spinner("asking the AWS Price List"):
            refreshed = ask_price_list(invocation.cloud.client("pricing"), where, before, known, today)
        keep_refreshed(refreshed.book, invocation.data_dir)
    book, warnings = load_prices(where, given_file, invocation.data_dir, today)
    warnings = (*warnings, *old_built_in(book, book.prices.keys(), today))
    for warning in warnings:
        invocation.out.note(f"warning: {warning}")
    invocation.out.show(prices_view(book, warnings, refreshed, today))
