"""How one file's story looks: a line a stage, what happened when, the verdict, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import iso_utc
from ndjctl.explain.model import Explained, Moment, Stage, Verdict
from ndjctl.health.model import Remedy
from ndjctl.output.base import View, one_line
from ndjctl.output.shell import typeable
from ndjctl.output.times import lasting, told

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Command = Callable[[Remedy], str]

SHOWN_MOMENTS = 40
"""On the console: the first and the last of more; --json has all."""
SHOWN_CHARS = 300
"""Of a sentence, which may have a key of 1,024 bytes or an error of a library in it."""

_MARKS = {"ok": "ok", "wrong": "WRONG", "waiting": "waits", "none": "-", "unknown": "?"}
_STYLES = {"ok": "green", "wrong": "bold red", "waiting": "yellow", "none": "dim", "unknown": "magenta"}


def explained_view(env: str, explained: Explained, command: Command) -> View:
    """command: what to type for a remedy; empty where no command does it."""
    verdict = explained.verdict
    document = {
        "env": env,
        "key": explained.key,
        "uri": explained.uri,
        "at": iso_utc(explained.at),
        "verdict": {
            "code": verdict.code,
            "sentence": verdict.sentence,
            "wrong": verdict.is_wrong,
            "waiting": verdict.is_waiting,
            "wait_until": told(verdict.wait_until),
            "cause": verdict.cause or None,
        },
        "remedies": [{"command": command(each) or None, "hint": each.hint or None} for each in verdict.remedies],
        "stages": [_stage_document(each) for each in explained.stages],
        "timeline": [{"at": iso_utc(each.at), "stage": each.stage, "what": each.what} for each in explained.timeline],
        "remarks": list(explained.remarks),
    }
    return View(document, lambda: _screen(explained, command))


def _stage_document(stage: Stage) -> dict[str, Any]:
    return {"stage": stage.name, "state": stage.state, "sentence": stage.sentence, "facts": dict(stage.facts)}


def _screen(explained: Explained, command: Command) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for stage in explained.stages:
        mark = Text(_MARKS[stage.state], style=_STYLES[stage.state])
        table.add_row(stage.name, mark, Text(_cut(stage.sentence), style="dim" if stage.state == "none" else ""))
    moments = Table(box=None, show_header=False, pad_edge=False, style="dim")
    moments.add_column(no_wrap=True)
    moments.add_column(no_wrap=True, style="cyan")
    moments.add_column(overflow="fold")
    for moment in _shown(explained.timeline):
        if moment is None:
            moments.add_row("...", "", f"{len(explained.timeline) - SHOWN_MOMENTS:,} more (see --json)")
        else:
            moments.add_row(f"{moment.at:%Y-%m-%d %H:%M:%S}Z", moment.stage, Text(_cut(moment.what)))
    blocks: list[RenderableType] = [Text(one_line(explained.uri), style="bold"), table]
    blocks += [Text(""), moments] if explained.timeline else []
    blocks += [Text(_cut(remark), style="magenta") for remark in explained.remarks]
    blocks += [Text(""), *_verdict(explained, command)]
    return Group(*blocks)


def _shown(timeline: Sequence[Moment]) -> list[Moment | None]:
    """None stands for those that are left out."""
    if len(timeline) <= SHOWN_MOMENTS:
        return list(timeline)
    half = SHOWN_MOMENTS // 2
    return [*timeline[:half], None, *timeline[-half:]]


def _verdict(explained: Explained, command: Command) -> list[Text]:
    from rich.text import Text

    verdict = explained.verdict
    lines = [Text(_cut(verdict.sentence, 2 * SHOWN_CHARS), style=_style(verdict))]
    if verdict.is_waiting:
        left = None if verdict.wait_until is None else (verdict.wait_until - explained.at).total_seconds()
        until = "" if left is None or left <= 0 else f", {lasting(left)} at the most"
        lines.append(Text(f"wait{until}{', or:' if verdict.remedies else '; nothing is to be done'}"))
    for number, remedy in enumerate(verdict.remedies):
        text = command(remedy)
        word = "next" if number == 0 else "then"
        if not text:
            lines.append(Text(_cut(f"{word}: {remedy.hint}")))
            continue
        line = Text(f"{word}: {typeable(text)}", style="bold")
        lines.append(line)
        if remedy.hint:
            lines.append(Text(_cut(f"      {remedy.hint}"), style="dim"))
    return lines


def _style(verdict: Verdict) -> str:
    return "bold red" if verdict.is_wrong else "yellow" if verdict.is_waiting else "bold green"


def _cut(text: str, most: int = SHOWN_CHARS) -> str:
    told_text = one_line(text)
    return told_text if len(told_text) <= most else f"{told_text[: most - 1]}…"


def candidates_view(env: str, text: str, keys: Sequence[str], commands: Sequence[str], message: str, code: int) -> View:
    """Several files, or none. commands: what to type for each key."""
    document = {
        "env": env,
        "text": text,
        "candidates": [{"key": key, "command": command} for key, command in zip(keys, commands, strict=True)],
        "error": {"kind": "usage", "message": message, "exit_code": code},
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        return Group(*(Text(typeable(command)) for command in commands))

    return View(document, render)
