"""How quarantined lines look: where each comes from, what is wrong with it, and a caret under the place."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import StreamView, View, console, one_line
from ndjctl.output.pointing import position, window
from ndjctl.output.progress import counted
from ndjctl.quarantine.showing import ShownLine

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MOST_RAW_BYTES = 64 * 1024
"""Of a line in a document; --save has all of it."""
_INDENT = "    "


def lines_view(env: str, lines: Iterable[ShownLine], limit: int, save: str) -> StreamView:
    """limit: lines that are shown. save: what to type to have them in a file."""
    count = 0
    has_more = False

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal count, has_more
        width = max(20, console().width - len(_INDENT) - 1)
        rest = iter(lines)
        for each in islice(rest, limit):
            count += 1
            yield line_document(each), lambda each=each: _block(each, width)  # type: ignore[misc]
        has_more = next(rest, None) is not None

    def heading() -> Text:
        from rich.text import Text

        return Text("quarantined lines, as they were", style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        members = {"count": count, "more": has_more}
        if not count:
            return members, Text("No quarantined lines.")
        more = "; there are more (--limit)" if has_more else ""
        text = Text(f"{counted(count, 'line')}{more}", style="bold")
        return members, text.append(f"\nnext: {one_line(save)}", style="dim not bold")

    return StreamView({"env": env}, "lines", rows(), heading, summary)


def line_document(each: ShownLine) -> dict[str, Any]:
    """raw: the line as text, or raw_base64 where it is no UTF-8; of a long one the beginning, and `raw_cut`. position:
    of the character at fault, from 1."""
    line, raw = each.line, each.raw
    place = position(raw, line.detail)
    kept = raw[:MOST_RAW_BYTES]
    document: dict[str, Any] = {
        "source": line.source,
        "line_number": line.line_number,
        "byte_offset": line.byte_offset,
        "reason": line.reason,
        "detail": line.detail,
        "position": None if place is None else place + 1,
        "stored_in": each.stored_in,
        "released": each.is_released,
        "truncated": line.is_cut,
        "raw_bytes": len(raw),
        "raw_cut": len(kept) < len(raw),
    }
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return document | {"raw": None, "raw_base64": base64.b64encode(kept).decode("ascii")}
    return document | {"raw": kept.decode("utf-8", "ignore"), "raw_base64": None}


def _block(each: ShownLine, width: int) -> Text:
    from rich.text import Text

    line = each.line
    number = "" if line.line_number is None else f"line {line.line_number:,}, "
    text = Text(one_line(f"{line.source}  {number}byte {line.byte_offset:,}"), style="cyan")
    if each.is_released:
        text.append("  released", style="green")
    text.append("\n  ").append(one_line(f"{line.reason}: {line.detail}"), style="red").append("\n")
    shown = window(each.raw, line.detail, width)
    text.append(f"{_INDENT}{shown.text}", style="default")
    if shown.caret is not None:
        text.append(f"\n{_INDENT}{' ' * shown.caret}^", style="bold red")
    if line.is_cut:
        text.append(f"\n{_INDENT}only its beginning was kept: it is longer than lines may be", style="dim")
    return text


def saved_view(count: int, left: Mapping[str, int], file: str, beside: str, next_: str) -> View:
    """count: lines in the file. left: why others are not in it, and how many. file, beside: as they are called."""
    document = {"lines": count, "left_out": dict(left), "file": file, "origins": beside, "next": next_}

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = [
            Text(f"{counted(number, 'line')} left out: {why}", style="yellow") for why, number in left.items()
        ]
        lines.append(Text(one_line(f"{counted(count, 'line')} saved in {file}"), style="bold green"))
        told = f"mend each in its place, or empty the line to leave it in the quarantine; {beside} knows them by that"
        lines += [Text(one_line(told)), Text(one_line(f"next: {next_}"), style="dim")]
        return Group(*lines)

    return View(document, render)
