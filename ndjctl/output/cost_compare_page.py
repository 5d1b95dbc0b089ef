"""A comparison as Markdown: the whole of it, with what it rests on, and its summary."""

from __future__ import annotations

from collections.abc import Mapping

from ndjctl.compare.comparison import Comparison, how_sure
from ndjctl.compare.row import Row
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


_OF_A_SUMMARY = ("runner", "reader", "$ a month", "$ a TB", "lag, min", "30 min", "times")
_NAMED = ("today", "glue-6.0", "flex-4.0", "emr-serverless-arm", "fargate-arm", "firehose", "athena")
"""Runners of a summary, besides those that are praised: each stands for its like."""


def summary(found: Comparison) -> str:
    """One table of the rows that tell most, and what is the cheapest. Ends with a line's end."""
    shown = [each for each in columns(found, None) if each[0] in _OF_A_SUMMARY]
    lines = [f"{load_line(found)}.", ""]
    lines.append(_row([heading for heading, _, _ in shown]))
    lines.append("|" + "|".join("---:" if is_number else "---" for _, is_number, _ in shown) + "|")
    lines += [_row([cell(found, row) for _, _, cell in shown]) for row in found.rows if _is_told(found, row)]
    lines += ["", *(f"- {_escaped(text)}" for text in conclusions(found))]
    return "\n".join(one_line(line) for line in lines) + "\n"


def _is_told(found: Comparison, row: Row) -> bool:
    runner = row.code.rpartition("-")[0]
    praised = (found.deployable, found.in_time)
    return runner in _NAMED or runner in {each.code.rpartition("-")[0] for each in praised if each is not None}


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    """Text of a table's cell or a list: what Markdown would take for its own."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
