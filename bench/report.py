"""The results of a bench, as tables for people and as one JSON document."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.data import TITLES
from bench.engines import ENGINES, OURS
from bench.meter import Usage
from bench.runner import REFUSED, Result

FORMAT = "ndjctl.bench"
VERSION = 1

_PIPE_COLUMNS = 190
_SHOWN_CHARACTERS = 600
_NOTHING = "-"


def ratio(result: Result, results: Sequence[Result], is_net: bool = False) -> float | None:
    """CPU seconds by those of ours, on the same source and cores. is_net: without the start-up of either. None if
    there is no such figure, or if it would be one of noise."""
    for other in results:
        if other.engine.name == OURS and (other.shape, other.cores) == (result.shape, result.cores):
            if REFUSED in (other.outcome, result.outcome):
                return None
            cpu_s, ours_s = (_net_s(result), _net_s(other)) if is_net else (result.usage.cpu_s, other.usage.cpu_s)
            return cpu_s / ours_s if cpu_s is not None and ours_s else None
    return None


def _net_s(result: Result) -> float | None:
    """CPU seconds without those of starting; None where these are most of them."""
    if result.startup is None or result.usage.cpu_s < 2 * result.startup.cpu_s:
        return None
    return result.usage.cpu_s - result.startup.cpu_s


def write_tables(results: Sequence[Result], notes: Sequence[str], out: IO[str]) -> None:
    """One table for a shape and a number of cores, then the notes."""
    console = Console(file=out, width=None if out.isatty() else _PIPE_COLUMNS, highlight=False)
    for key in dict.fromkeys((result.shape, result.cores) for result in results):
        console.print(_table([result for result in results if (result.shape, result.cores) == key], results))
    for note in notes:
        console.print(Text(_printable(note)))


def _table(shown: Sequence[Result], results: Sequence[Result]) -> Table:
    first = shown[0]
    cores = f"{first.cores} core" + ("s" if first.cores > 1 else "")
    size_mb = first.size_bytes / 1e6
    title = f"{TITLES[first.shape]}: {size_mb:,.{0 if size_mb >= 10 else 1}f} MB, {cores}"
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("engine", no_wrap=True)
    for name in ("CPU s/GB", "to ours", "less start", "CPU s", "of it start", "wall s", "peak MB", "out MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("who lost or changed what", ratio=1)
    for result in shown:
        name = result.engine.title + (f", {result.option}" if result.option else "")
        table.add_row(Text(name), *_numbers(result, results), Text(_printable(result.text())[:_SHOWN_CHARACTERS]))
    return table


def _numbers(result: Result, results: Sequence[Result]) -> list[str]:
    if result.outcome == REFUSED:
        return [_NOTHING] * 8
    compared = [ratio(result, results, is_net) for is_net in (False, True)]
    return [
        f"{result.cpu_s_per_gb:.1f}",
        *(_NOTHING if one is None else f"{one:.2f}" for one in compared),
        f"{result.usage.cpu_s:.2f}",
        _NOTHING if result.startup is None else f"{result.startup.cpu_s:.2f}",
        f"{result.usage.wall_s:.2f}",
        f"{result.usage.peak_bytes / 1e6:.0f}",
        f"{result.output_bytes / 1e6:.1f}",
    ]


def footer(results: Sequence[Result]) -> list[str]:
    """What the figures mean, and which say more about starting than about converting."""
    notes = [
        "CPU s: of the whole process tree, on the cores it was given. Of it start: the same engine on ten lines.",
        "To ours: its CPU s by those of ours, start-up of both included: what a run of this size costs. Less start: "
        "the same without either's start-up: what a run of any size comes to; - where starting is half of it or more.",
    ]
    names = {
        result.engine.name
        for result in results
        if result.outcome != REFUSED and result.startup and result.startup.cpu_s > result.usage.cpu_s / 3
    }
    if names:
        notes.append(
            f"Start-up is more than a third of some figures of {', '.join(sorted(names))}: a larger --mb tells more."
        )
    return notes


def document(results: Sequence[Result], notes: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "machine": {
            "system": platform.system(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "load_average": list(os.getloadavg()),
        },
        "options": dict(options),
        "versions": {engine.name: engine.versions() for engine in ENGINES if not engine.missing()},
        "notes": list(notes),
        "results": [_entry(result, results) for result in results],
    }


def _entry(result: Result, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "shape": result.shape,
        "engine": result.engine.name,
        "option": result.option,
        "cores": result.cores,
        "input_bytes": result.size_bytes,
        "output_bytes": result.output_bytes,
        "cpu_s_per_gb": None if result.outcome == REFUSED else result.cpu_s_per_gb,
        "ratio_to_ours": ratio(result, results),
        "ratio_to_ours_without_startup": ratio(result, results, is_net=True),
        "usage": _usage(result.usage),
        "startup": _usage(result.startup),
        "outcome": result.outcome,
        "text": result.text(),
        "error": result.error,
        "verdict": None if result.outcome == REFUSED else asdict(result.verdict),
    }


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    return None if usage is None else {"cpu_s": usage.cpu_s, "wall_s": usage.wall_s, "peak_bytes": usage.peak_bytes}


def _printable(text: str) -> str:
    """Values and messages come from data: nothing in them may move a cursor."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
