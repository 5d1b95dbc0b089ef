"""How groups of failures look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.health.errors_found import Failure, Found, Group, Where
from ndjctl.health.model import Remedy
from ndjctl.health.remedies import DEPLOY
from ndjctl.output.base import PIPE_WIDTH, View, console, one_line
from ndjctl.output.progress import counted
from ndjctl.output.remedies import Typed, clipped, indented, remedy_document, remedy_lines
from ndjctl.output.times import shown, told
from ndjctl.reading import Reading

if TYPE_CHECKING:
    from rich.console import RenderableType

RemediesOf = Callable[[Group], Sequence[Remedy]]

_PLACES: dict[Where, str] = {
    "runs": "Glue runs",
    "function": "invocations of the function",
    "manifests": "manifests",
    "files": "files",
}
_SHOWN_WIDTH = 110


def errors_view(env: str, found: Found, remedies: RemediesOf, typed: Typed) -> View:
    document = {
        "env": env,
        "since": told(found.since),
        "failures": found.total,
        "groups": [_document(group, remedies(group), typed) for group in found.groups],
        "not_read": [
            {
                "where": where,
                "why": each.sentence,
                "remedies": [remedy_document(remedy, typed) for remedy in _remedies_of(each)],
            }
            for where, each in found.not_read.items()
        ],
    }
    return View(document, lambda: _screen(env, found, remedies, typed))


def _document(group: Group, remedies: Sequence[Remedy], typed: Typed) -> dict[str, Any]:
    return {
        "where": group.where,
        "cause": group.cause.code,
        "title": group.cause.title,
        "meaning": group.cause.meaning,
        "pattern": group.pattern or None,
        "count": group.count,
        "first_seen": told(group.first),
        "last_seen": told(group.last),
        "examples": [{"subject": each.subject, "at": told(each.at), "text": each.text} for each in group.examples],
        "remedies": [remedy_document(remedy, typed) for remedy in remedies],
    }


def _remedies_of(reading: Reading[None]) -> tuple[Remedy, ...]:
    """Of a place that was not read: what is not there, a deployment makes."""
    return (DEPLOY,) if reading.why == "absent" else ()


def _example(each: Failure) -> str:
    return f"{each.subject}: {each.text}" if each.subject else each.text


def _screen(env: str, found: Found, remedies: RemediesOf, typed: Typed) -> RenderableType:
    from rich.console import Group as Block
    from rich.text import Text

    width = min(console().width or PIPE_WIDTH, _SHOWN_WIDTH)
    blocks: list[RenderableType] = []
    for group in found.groups:
        title = group.cause.title if not group.pattern else group.pattern
        blocks.append(
            Text.assemble(
                (f"{group.count:>5,} x ", "bold red"),
                (one_line(group.cause.code), "bold"),
                f"  {_PLACES[group.where]}",
            )
        )
        blocks.append(indented(f"{shown(group.first)} to {shown(group.last)}", width))
        blocks.append(indented(f"{clipped(title[:1].upper() + title[1:])}. {group.cause.meaning}", width))
        for each in group.examples[:1]:
            blocks.append(indented(f"- {clipped(_example(each))}", width, "dim"))
        blocks += remedy_lines(remedies(group), typed, width)
        blocks.append(Text(""))
    for where, reading in found.not_read.items():
        blocks.append(Text(one_line(f"not read: {_PLACES[where]}: {reading.sentence}"), style="magenta"))
    missing = [remedy for reading in found.not_read.values() for remedy in _remedies_of(reading)]
    blocks += remedy_lines(dict.fromkeys(missing), typed, width)
    causes = len({(group.cause.code, group.pattern) for group in found.groups})
    told_ = "Nothing failed" if not found.total else f"{counted(found.total, 'failure')}, {counted(causes, 'cause')}"
    blocks.append(Text(f"{told_} in {env} since {shown(found.since)}.", style="bold" if found.total else "bold green"))
    return Block(*blocks)
