"""`ndjctl cost`."""

from __future__ import annotations

from typing import Annotated

import typer

from ndjctl.cli.cost_actual import CostExplorerOption, actual
from ndjctl.cli.invocation import Invocation, listing
from ndjctl.cli.since import SinceOption
from ndjctl.errors import UsageError

app = typer.Typer()


def cost(
    invocation: Invocation,
    is_actual: Annotated[
        bool, typer.Option("--actual", help="What was spent, by run records, ledger and CloudWatch.")
    ] = False,
    since: SinceOption = None,
    cost_explorer: CostExplorerOption = False,
) -> None:
    """Show what the environment has cost, where the money went, and what of it was waste.

    --actual reads the records of the job's runs, which Glue keeps for 90 days, back to --since (left out: this month in
    UTC), the ledger, which remembers manifests for 7 days, and CloudWatch. Every DPU second is in one part: useful,
    start-up, idle workers, failed runs, duplicates, the minute's minimum. --cost-explorer asks AWS's own bill, too,
    which costs 0.01 or 0.02 USD each time.
    """
    if not is_actual:
        raise UsageError("Nothing but --actual is there yet.")
    actual(invocation, since, with_bill=cost_explorer)


listing(app)(cost)
