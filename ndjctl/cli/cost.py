"""`ndjctl cost`."""

from __future__ import annotations

import typer

from ndjctl.cli import cost_compare, cost_prices

app = typer.Typer(no_args_is_help=True, help="What the pipeline costs.")

cost_compare.register(app)
cost_prices.register(app)
