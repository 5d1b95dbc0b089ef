"""`ndjctl cost`."""

from __future__ import annotations

from typing import Annotated

import typer

from ndjctl.cli import cost_lift, cost_prices
from ndjctl.cli.cost_estimate import Typed, estimate
from ndjctl.cli.cost_prices import PricesOption
from ndjctl.cli.invocation import Invocation, listing

app = typer.Typer()


def cost(
    invocation: Invocation,
    files_per_day: Annotated[
        int | None, typer.Option("--files-per-day", help="Instead of load.files_per_day.", metavar="N")
    ] = None,
    file_size: Annotated[
        str | None, typer.Option("--file-size", help="Of every file, such as 200KB, 64MiB or 3.5GB.", metavar="SIZE")
    ] = None,
    throughput: Annotated[
        float | None,
        typer.Option("--throughput", help="Of input that one vCPU converts, MB of 2**20 bytes a second."),
    ] = None,
    run_time: Annotated[
        str | None,
        typer.Option("--run-time", help="A run takes so long, whatever it converts: 90s, 5m.", metavar="TIME"),
    ] = None,
    manifests_per_day: Annotated[
        int | None, typer.Option("--manifests-per-day", help="Instead of what full batches make.", metavar="N")
    ] = None,
    prices: PricesOption = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Whose prices; left out, those of the profile's region.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Every line with its formula, its inputs and their sources.")
    ] = False,
    no_free_allowance: Annotated[
        bool, typer.Option("--no-free-allowance", help="Take no free allowance off: the account uses them elsewhere.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the account nothing: no measured rate of its runs.")
    ] = False,
) -> None:
    """Show what the stated load will cost, line by line, with a low and a high case.

    Needs no account: the rate is measured from the environment's recent runs where these can be read, else it is
    load.mb_per_s_per_vcpu, else the figure that is built in, and which of them is said. Prices are dated figures of a
    region; one that is missing is said, and its line is in no total. Changes nothing.
    """
    typed = Typed(files_per_day, file_size, throughput, run_time, manifests_per_day, prices, region)
    estimate(invocation, typed, explain=explain, deduct_free=not no_free_allowance, offline=offline)


listing(app)(cost)
cost_prices.register(app)
cost_lift.register(app)
