"""How the embedded cloud's state looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ndjctl.embedded.cloud import CloudStatus
from ndjctl.output.base import View, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"running": "green", "stopped": "dim"}


def status_view(status: CloudStatus) -> View:
    document = status.to_dict()

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        facts = Table(box=None, show_header=False, pad_edge=False)
        facts.add_column(style="cyan", no_wrap=True)
        facts.add_column(overflow="fold")
        running = status.running
        facts.add_row(
            "embedded cloud", Text("running" if running else "stopped", style="green" if running else "yellow")
        )
        for name in ("endpoint_url", "glue_endpoint_url", "data_dir", "version"):
            if document.get(name):
                facts.add_row(name.replace("_", " "), Text(one_line(str(document[name]))))
        for name, part in document["parts"].items():
            state = str(part["state"])
            facts.add_row(f"  {name}", Text(state, style=_STYLES.get(state, "red")))
        if document.get("note"):
            facts.add_row("note", Text(one_line(str(document["note"]))))
        return Group(facts)

    return View(document, render)
