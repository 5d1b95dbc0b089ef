"""`ndjctl cost`."""

from __future__ import annotations

import typer

from ndjctl.cli import cost_compare

app = typer.Typer(help="What it will cost, what it did cost, and what would be cheaper.")
cost_compare.register(app)
