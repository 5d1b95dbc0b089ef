"""How the removal of an environment looks before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ndjctl.deploy.destruction import Destruction, Item
from ndjctl.deploy.documents import masked
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size

if TYPE_CHECKING:
    from rich.console import RenderableType

_NOUNS = {"bucket": "object", "objects": "object", "table": "item", "queue": "message"}


def destruction_view(env: str, stack: str, destruction: Destruction, account_id: str, next_: str | None) -> View:
    """What is there and what goes. next_: what to type to do it, None where nothing goes or it is being done."""
    document = {
        "env": env,
        "stack": stack,
        "goes": len(destruction.going),
        "stays": len(destruction.items) - len(destruction.going),
        "running": destruction.running,
        "done": False,
        "resources": [
            {
                "kind": item.resource.kind,
                "name": masked(item.resource.name, account_id),
                "fate": item.fate,
                "owner": item.owner,
                "count": item.contents.count if item.contents else None,
                "size_bytes": item.contents.size_bytes if item.contents else None,
                "older_versions": item.contents.older_versions if item.contents else None,
                "unfinished_uploads": item.contents.unfinished_uploads if item.contents else None,
                "is_more": item.contents.is_more if item.contents else False,
            }
            for item in destruction.items
        ],
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if not destruction.items:
            return Text(one_line(f"{env}: nothing of {stack} is there"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for item in destruction.items:
            goes, has_data = item.fate == "goes", item.contents is not None and item.contents.is_data
            style = ("bold red" if has_data else "red") if goes else "green"
            about = Text(one_line(item.resource.name))
            told = ", ".join(part for part in (_held(item), _why(item)) if part)
            if told:
                about.append(one_line(f"  {told}"), style=style if has_data else "dim")
            table.add_row(Text("- goes" if goes else "= stays", style=style), item.resource.kind, about)
        return Group(table, *(Text(one_line(line), style=style) for line, style in _summary(env, destruction, next_)))

    return View(document, render)


def _summary(env: str, destruction: Destruction, next_: str | None) -> Iterator[tuple[str, str]]:
    """The lines below the list, each with its style."""
    stays = len(destruction.items) - len(destruction.going)
    running = f"; {counted(destruction.running, 'run')} under way" if destruction.running else ""
    if any(item.contents is not None and item.contents.is_data for item in destruction.going):
        yield "  This deletes data, and nothing brings it back.", "bold red"
    if any(item.fate == "stays: it holds data" for item in destruction.items):
        yield "  --delete-data removes what holds data as well", "dim"
    if destruction.running:
        yield "  Runs are under way: it needs --stop-runs, or their end.", "bold red"
    yield f"{env}: {len(destruction.going)} to remove, {stays} stay{'s' if stays == 1 else ''}{running}", "bold"
    if next_:
        yield f"to do it: {next_}", "cyan"


def _why(item: Item) -> str:
    if item.owner is not None:
        return f"it belongs to the environment {item.owner!r}"
    return "" if item.fate == "goes" else item.fate.removeprefix("stays: ")


def _held(item: Item) -> str:
    contents = item.contents
    if contents is None:
        return ""
    if contents.count is None and contents.size_bytes:
        return size(contents.size_bytes)
    more = "more than " if contents.is_more else ""
    parts = [more + counted(contents.count, _NOUNS[item.resource.kind])] if contents.count else []
    parts += [counted(contents.older_versions, "older version")] if contents.older_versions else []
    parts += [counted(contents.unfinished_uploads, "unfinished upload")] if contents.unfinished_uploads else []
    if not parts:
        return "" if contents.of_others else "empty"
    return ", ".join([*parts, f"{more}{size(contents.size_bytes)}"] if contents.size_bytes else parts)
