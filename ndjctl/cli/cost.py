"""`ndjctl cost`."""

from __future__ import annotations

from typing import Annotated

import typer

from ndjctl.cli import cost_compare, cost_lift, cost_prices
from ndjctl.cli.cost_actual import CostExplorerOption, actual
from ndjctl.cli.cost_estimate import Typed, estimate
from ndjctl.cli.cost_options import FileSizeOption, FilesPerDayOption, PricesOption, RegionOption
from ndjctl.cli.invocation import Invocation, listing
from ndjctl.cli.since import SinceOption
from ndjctl.errors import UsageError

app = typer.Typer()


def cost(
    invocation: Invocation,
    files_per_day: FilesPerDayOption = None,
    file_size: FileSizeOption = None,
    throughput: Annotated[
        str | None,
        typer.Option("--throughput", help="Of input that one vCPU converts, MB of 2**20 bytes a second.", metavar="MB"),
    ] = None,
    run_time: Annotated[
        str | None,
        typer.Option("--run-time", help="A run takes so long, whatever it converts: 90s, 5m.", metavar="TIME"),
    ] = None,
    manifests_per_day: Annotated[
        str | None, typer.Option("--manifests-per-day", help="Instead of what full batches make.", metavar="N")
    ] = None,
    prices: PricesOption = None,
    region: RegionOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Every line with its formula, its inputs and their sources.")
    ] = False,
    no_free_allowance: Annotated[
        bool, typer.Option("--no-free-allowance", help="Take no free allowance off: the account uses them elsewhere.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the account nothing: no measured rate of its runs.")
    ] = False,
    is_actual: Annotated[
        bool, typer.Option("--actual", help="What was spent instead, where it went, and what of it was waste.")
    ] = False,
    since: SinceOption = None,
    cost_explorer: CostExplorerOption = False,
) -> None:
    """Show what the stated load will cost, line by line, with a low and a high case; or what was spent.

    Needs no account: the rate is measured from the environment's recent runs where these can be read, else it is
    load.mb_per_s_per_vcpu, else the figure that is built in, and which of them is said. Prices are dated figures of a
    region; one that is missing is said, and its line is in no total. Changes nothing.

    --actual reads the records of the job's runs, which Glue keeps for 90 days, back to --since (left out: this month in
    UTC), the ledger, which remembers manifests for 7 days, and CloudWatch. Every DPU second is in one part: useful,
    start-up, idle workers, failed runs, duplicates, the minute's minimum. Where a source is refused, its lines are
    missing. --cost-explorer asks AWS's own bill, too, which costs 0.01 or 0.02 USD each time.
    """
    if is_actual:
        estimates = {
            "--files-per-day": files_per_day,
            "--file-size": file_size,
            "--throughput": throughput,
            "--run-time": run_time,
            "--manifests-per-day": manifests_per_day,
            "--region": region,
            "--explain": explain or None,
            "--no-free-allowance": no_free_allowance or None,
            "--offline": offline or None,
        }
        named = [name for name, value in estimates.items() if value is not None]
        if named:
            raise UsageError(f"{' and '.join(named)}: of the estimate, and --actual tells what was spent.")
        actual(invocation, since, prices, with_bill=cost_explorer)
        return
    if since is not None or cost_explorer:
        raise UsageError("--since and --cost-explorer go with --actual: an estimate has no past.")
    if throughput is not None and run_time is not None:
        raise UsageError("--throughput and --run-time both say how long a run takes: leave one out.")
    typed = Typed(files_per_day, file_size, throughput, run_time, manifests_per_day, prices, region)
    estimate(invocation, typed, explain=explain, deduct_free=not no_free_allowance, offline=offline)


listing(app)(cost)
cost_compare.register(app)
cost_prices.register(app)
cost_lift.register(app)
