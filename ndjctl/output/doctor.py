"""How the checks of an environment look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ndjctl.health.model import Checked, headline
from ndjctl.output.base import PIPE_WIDTH, View, console, one_line
from ndjctl.output.remedies import Typed, clipped, indented, remedy_document, remedy_lines
from ndjctl.output.times import shown, told

if TYPE_CHECKING:
    from rich.console import RenderableType

VERDICTS = ("fail", "warn", "unknown", "pass")
STYLES = {"fail": "bold red", "warn": "bold yellow", "unknown": "magenta", "pass": "green"}
HEADLINE_STYLES = {"HEALTHY": "bold green", "DEGRADED": "bold yellow", "DOWN": "bold red"}
_SHOWN_WIDTH = 110
"""Lines of prose that are longer are hard to read."""


def doctor_view(env: str, checked: Sequence[Checked], at: datetime, typed: Typed) -> View:
    """checked: the worst first. at: when it was looked."""
    word, _ = headline(checked)
    counts = {verdict: sum(each.verdict == verdict for each in checked) for verdict in VERDICTS}
    document = {
        "env": env,
        "at": told(at),
        "ok": counts["fail"] == 0,
        "headline": word,
        "counts": counts,
        "checks": [checked_document(each, typed) for each in checked],
    }
    return View(document, lambda: _screen(env, word, counts, checked, at, typed))


def checked_document(checked: Checked, typed: Typed) -> dict[str, Any]:
    return {
        "code": checked.code,
        "title": checked.title,
        "verdict": checked.verdict,
        "down": checked.is_down,
        "sentence": checked.sentence,
        "evidence": list(checked.evidence),
        "remedies": [remedy_document(remedy, typed) for remedy in checked.remedies],
    }


def _screen(
    env: str, word: str, counts: dict[str, int], checked: Sequence[Checked], at: datetime, typed: Typed
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    width = min(console().width or PIPE_WIDTH, _SHOWN_WIDTH)
    tally = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items() if count)
    blocks: list[RenderableType] = [Text.assemble((word, HEADLINE_STYLES[word]), f"  {env}, {shown(at)}: {tally}")]
    for each in checked:
        if each.verdict in ("fail", "warn"):
            blocks += [Text(""), *_told(each, typed, width)]
    rest = [each for each in checked if each.verdict not in ("fail", "warn")]
    if rest:
        blocks.append(Text(""))
        blocks += [_line(each) for each in rest]
    return Group(*blocks)


def _told(each: Checked, typed: Typed, width: int) -> Iterable[RenderableType]:
    from rich.text import Text

    yield Text.assemble((f"{each.verdict.upper():<7} ", STYLES[each.verdict]), (each.code, "bold"), f"  {each.title}")
    yield indented(each.sentence, width)
    for line in each.evidence:
        yield indented(f"- {clipped(line)}", width, "dim")
    yield from remedy_lines(each.remedies, typed, width)


def _line(each: Checked) -> RenderableType:
    from rich.text import Text

    line = Text.assemble(
        (f"{each.verdict:<7} ", STYLES[each.verdict]), f"{each.code}  ", (one_line(each.sentence), "dim")
    )
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
