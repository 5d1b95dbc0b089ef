"""How the embedded cloud's state looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ndjctl.embedded.cloud import CloudStatus
from ndjctl.embedded.shell import ClientVariables
from ndjctl.output.base import View, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

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
        facts.add_row(
            "embedded cloud", _headline(status.running, {str(p["state"]) for p in document["parts"].values()})
        )
        for name in ("endpoint_url", "glue_endpoint_url", "data_dir", "version"):
            if document.get(name):
                facts.add_row(name.replace("_", " "), Text(one_line(str(document[name]))))
        for name, part in document["parts"].items():
            state = str(part["state"])
            facts.add_row(f"  {name}", Text(state, style=_STYLES.get(state, "red")))
        if document.get("kept"):
            facts.add_row("kept", Text(one_line(str(document["kept"]))))
        return Group(facts)

    return View(document, render)


def variables_view(variables: ClientVariables) -> View:
    """Lines for a shell to evaluate."""
    document = {"account_id": variables.account_id, "set": variables.set, "unset": list(variables.unset)}
    lines = variables.shell_lines()
    return View(document, lambda: lines, verbatim=lines)


def _headline(running: bool, states: set[str]) -> Text:
    from rich.text import Text

    if running:
        return Text("running", style="green")
    if states == {"stopped"}:
        return Text("stopped; the next command that needs it starts it", style="yellow")
    return Text("not whole; the next command that needs it starts it again", style="red")
