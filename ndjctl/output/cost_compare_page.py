"""A comparison as Markdown: the table of README, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping

from ndjctl.compare.comparison import Comparison, how_sure
from ndjctl.output.base import one_line
from ndjctl.output.cost_compare import columns, conclusions, legend, load_line, notes, prices_line, rates_line


def page(found: Comparison, commands: Mapping[str, str]) -> str:
    """Ends with a line's end."""
    shown = columns(found, None)
    lines = [f"{load_line(found)}.", f"{rates_line(found)}.", ""]
    lines.append(_row([*(heading for heading, _, _ in shown), "what it takes"]))
    lines.append("|" + "|".join("---:" if is_number else "---" for _, is_number, _ in shown) + "|---|")
    lines += [_row([*(cell(found, row) for _, _, cell in shown), row.change]) for row in found.rows]
    lines += ["", f"{legend(found)}.", ""]
    lines += [f"- {_escaped(text)}" for text in conclusions(found)]
    deployable = None if found.deployable is None else commands.get(found.deployable.code)
    lines += [f"- `{deployable}` deploys the cheapest that was tested."] if deployable else []
    lines += [f"- {_escaped(_begun(text))}." for text in (*how_sure(found), *notes(found), prices_line(found))]
    return "\n".join(one_line(line) for line in lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    """Text of a table's cell or a list: what Markdown would take for its own."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
