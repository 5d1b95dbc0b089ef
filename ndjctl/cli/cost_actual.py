"""`ndjctl cost --actual`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation
from ndjctl.cli.priced import prices_for
from ndjctl.cli.since import since_moment
from ndjctl.errors import EXIT_CLOUD, UsageError

CostExplorerOption = Annotated[
    bool,
    typer.Option("--cost-explorer", help="With --actual: AWS's own bill beside it; each request costs 0.01 USD."),
]


def actual(invocation: Invocation, since: str | None, prices: Path | None, *, with_bill: bool) -> None:
    """prices: of --prices. Raises UsageError for what is no moment, and where nothing is deployed."""
    from concurrent.futures import ThreadPoolExecutor

    from ndjctl.cli.cost_estimate import alarms_of
    from ndjctl.deploy.model import ENVIRONMENT_TAG
    from ndjctl.output.cost_actual import actual_view
    from ndjctl.output.counting import counting
    from ndjctl.prices.files import old_built_in
    from ndjctl.prices.glue import dpu_key
    from ndjctl.spent.looking import Basis, look
    from ndjctl.spent.reading import THREADS
    from ndjctl.spent.summing import month_of

    now = datetime.now(timezone.utc)
    begin = since_moment(since, now) or month_of(now)[0]
    profile = invocation.loaded.profile
    book, warnings = prices_for(profile, None, prices, invocation.data_dir, now.date(), is_needed=False)
    cloud = invocation.cloud
    tag = (ENVIRONMENT_TAG, invocation.env)
    basis = Basis(profile, book, alarms_of(profile), tag)
    with counting("read") as progress, ThreadPoolExecutor(THREADS) as pool:
        progress.phase("reading the records of runs")
        found = look(cloud.client, cloud.names, basis, begin, now, pool, with_bill=with_bill, advance=progress.done)
    if found.is_not_deployed:
        raise UsageError(f"The environment {invocation.env} is not deployed: run '{invocation.typed('deploy')}' first.")
    paid = {each.key for each in found.period.services if each.usd and each.key}
    if found.period.glue_usd:
        paid.add(dpu_key(profile.job.glue_version))
    for warning in (*warnings, *old_built_in(book, paid, now.date())):
        invocation.out.note(f"warning: {warning}")
    invocation.out.show(actual_view(invocation.env, found, invocation.typed("runs", "--since", f"{begin:%Y-%m-%d}")))
    if found.is_all_refused:
        raise typer.Exit(EXIT_CLOUD)
