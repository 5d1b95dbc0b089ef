"""`ndjctl cost`."""

from __future__ import annotations

import typer

from ndjctl.cli import cost_lift

app = typer.Typer(no_args_is_help=True, help="What the pipeline may cost, and what holds it to that.")
cost_lift.register(app)
