"""How a comparison looks: a table that fits the screen, what it rests on, and what is the cheapest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ndjctl.compare.comparison import Comparison, how_sure
from ndjctl.compare.model import Figures
from ndjctl.compare.readers import CASES, OURS, SPARK
from ndjctl.compare.row import PROMISES, Row, times_cheaper
from ndjctl.contracts import MIB
from ndjctl.cost.line import DAYS_OF_A_MONTH
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, volume

if TYPE_CHECKING:
    from rich.console import RenderableType

SOME_COLUMNS, ALL_COLUMNS = 115, 150
"""Of the screen, from which on more columns of the table are shown, and all of them."""
AT_ONCE, PROMISE = "at once, of the quota", "30 min"

SURE = "how sure: the readers' ratio and rate were measured on one machine, nothing was run on AWS"

_STYLES = {"yes": "green", "maybe": "yellow", "no": "red", "open": "yellow", "unknown": "dim"}

_Cell = Callable[[Comparison, Row], str]


def compare_view(
    found: Comparison,
    commands: Mapping[str, str],
    warnings: Sequence[str],
    *,
    explain: bool = False,
    markdown: str | None = None,
) -> View:
    """commands: by a row's code, what deploys it. warnings: for the document. explain: with the notes and what it rests
    on. markdown: the page ("full") or its summary instead of the screen."""
    from ndjctl.output.cost_compare_document import comparison_document
    from ndjctl.output.cost_compare_page import page, summary

    document = comparison_document(found, commands, warnings)
    text = None
    if markdown is not None:
        text = page(found, commands) if markdown == "full" else summary(found)
    return View(document, lambda: _screen(found, commands, explain), text)


def columns(found: Comparison, width: int | None) -> list[tuple[str, bool, _Cell]]:
    """(heading, whether it is of numbers, the text of a row), those that fit; all of them where width is None."""
    room = ALL_COLUMNS if width is None else width
    listed: list[tuple[str, bool, int, _Cell]] = [
        ("runner", False, 0, lambda _, row: row.runner),
        ("reader", False, 0, lambda _, row: row.reader),
        ("$ a day", True, SOME_COLUMNS, lambda _, row: _money(row.usd_per_day, 1)),
        ("$ a month", True, 0, lambda _, row: _money(row.usd_per_day, DAYS_OF_A_MONTH)),
        ("$ a TB", True, SOME_COLUMNS, lambda each, row: usd_per_tb(each, row)),
        ("hours a day", True, SOME_COLUMNS, lambda _, row: hours(row)),
        ("lag, min", True, 0, lambda _, row: lag(row.expected)),
        (PROMISE, False, 0, lambda _, row: row.promise),
        (AT_ONCE, False, ALL_COLUMNS, lambda _, row: at_once(row)),
        ("times", True, 0, lambda each, row: times(each, row, with_range=room >= ALL_COLUMNS)),
    ]
    return [(heading, is_number, cell) for heading, is_number, least, cell in listed if room >= least]


def _screen(found: Comparison, commands: Mapping[str, str], explain: bool) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ndjctl.output.base import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = columns(found, console().width)
    for heading, is_number, _ in shown:
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != AT_ONCE)
    for row in found.rows:
        cells = {heading: Text(one_line(cell(found, row))) for heading, _, cell in shown}
        cells[PROMISE].stylize(_STYLES[row.promise])
        if AT_ONCE in cells and any(use.is_over for use in row.uses):
            cells[AT_ONCE].stylize("red")
        table.add_row(*cells.values())
    blocks: list[RenderableType] = [Text(one_line(load_line(found)), style="bold"), table]
    blocks += [Text(one_line(text), style="dim") for text in (rates_line(found), legend(found))]
    blocks += [Text(one_line(f"to change: {text}")) for text in changes(found)]
    if explain:
        blocks += [Text(one_line(f"note: {text}"), style="dim") for text in notes(found)]
        blocks += [Text(one_line(text), style="dim") for text in (*how_sure(found), prices_line(found))]
    else:
        blocks.append(Text(f"{SURE}: --explain has what each figure rests on, and the notes", style="dim"))
    blocks += [Text(one_line(text), style="bold") for text in conclusions(found)]
    blocks += [Text(one_line(text)) for text in next_lines(found, commands)]
    return Group(*blocks)


def load_line(found: Comparison) -> str:
    work = found.work
    return (
        f"{counted(work.files_per_day, 'file')} of {volume(work.file_mb * MIB)} a day "
        f"({volume(work.bytes_per_day)}), {_rate(work.peak)} in the "
        f"busiest hour, {found.region}; dollars and times of the expected case, a month of {DAYS_OF_A_MONTH} days"
    )


def rates_line(found: Comparison) -> str:
    """How much each reader converts, in each case."""
    told = []
    for reader in (OURS, SPARK):
        speeds = [f"{rate.mb_per_s_per_vcpu / reader.slower.of(case):.3g} {case}" for case, rate in found.rates]
        told.append(f"{reader.name} {', '.join(speeds)}")
    return f"MB/s of input that a vCPU converts, by the case of the bill: {'; '.join(told)}"


def legend(found: Comparison) -> str:
    used = dict.fromkeys(row.promise for row in found.rows)
    promises = "; ".join(f"{each}: {PROMISES[each]}" for each in PROMISES if each in used)
    return (
        "lag: from upload to Parquet for the worst file. at once: in the slowest case, of AWS's default "
        f"quotas. times: cheaper than today's settings with Spark's reader. {promises}"
    )


def changes(found: Comparison) -> list[str]:
    """What each way takes, with the runners that it is for; of what is not there already, and not a reader of Spark."""
    return _shared([(row.runner, [row.change]) for row in found.rows if row.reader != "spark"], skip=("nothing",))


def notes(found: Comparison) -> list[str]:
    """What the reader of a row should know, once, with the runners that it is for."""
    told = _shared([(row.runner, row.notes) for row in found.rows])
    missing = dict.fromkeys(key for row in found.rows for key in row.missing)
    if missing:
        told.append(f"no price is known for {', '.join(missing)}: what rows with them cost is not guessed")
    return told


def _shared(pairs: Sequence[tuple[str, Sequence[str]]], skip: Sequence[str] = ()) -> list[str]:
    by_text: dict[str, dict[str, None]] = {}
    for runner, texts in pairs:
        for text in texts:
            by_text.setdefault(text, {})[runner] = None
    return [f"{', '.join(runners)}: {text}" for text, runners in by_text.items() if text not in skip]


def prices_line(found: Comparison) -> str:
    oldest = found.book.oldest
    since = f", the oldest of {oldest.isoformat()}" if oldest is not None else ""
    return (
        f"prices: of {found.book.region}, {found.book.origin}{since}; 'ndjctl cost prices' shows each with its source"
    )


def conclusions(found: Comparison) -> list[str]:
    """What is cheapest; of rows without a price nobody knows, and each sentence says how many of its own have none."""
    keeping, on_offer, spare = (_without_price(rows) for rows in (found.keeping, found.on_offer, found.spare))
    lines = []
    if found.in_time is not None:
        lines.append(f"Cheapest that keeps the 30 minutes{_of_known(keeping)}: {_praised(found, found.in_time)}.")
    elif keeping:
        lines.append(f"{counted(keeping, 'row')} in time in every case: no price is known of any of them.")
    else:
        lines.append("None of these keeps the 30 minutes in every case.")
    if found.on_spare is not None:
        told = f"Cheaper on spare capacity, which keeps no promise{_of_known(spare)}"
        lines.append(f"{told}: {_praised(found, found.on_spare)}.")
    elif spare:
        they = "it" if spare == 1 else "they"
        lines.append(f"No price is known of {counted(spare, 'row')} on spare capacity: {they} may be cheaper.")
    if found.deployable is not None:
        told = f"Cheapest of these that ndjctl can deploy today{_of_known(on_offer)}"
        lines.append(f"{told}: {_praised(found, found.deployable)}.")
    elif on_offer:
        lines.append(f"{counted(on_offer, 'row')} of these can be deployed today: no price is known of any of them.")
    else:
        lines.append("None that ndjctl can deploy today keeps the 30 minutes in every case.")
    if found.untested is not None:
        lines.append(f"Cheaper, but not tested on its Spark: {_praised(found, found.untested)}.")
    return lines


def _without_price(rows: Sequence[Row]) -> int:
    return sum(row.usd_per_day is None for row in rows)


def _of_known(unpriced: int) -> str:
    if not unpriced:
        return ""
    return f", of those with a known price ({counted(unpriced, 'row')} {'has' if unpriced == 1 else 'have'} none)"


def next_lines(found: Comparison, commands: Mapping[str, str]) -> list[str]:
    if found.deployable is None:
        return []
    command = commands.get(found.deployable.code)
    return [f"next: {command}" if command else "next: nothing; that is what is set already"]


def _praised(found: Comparison, row: Row) -> str:
    reader = {"ours": " with our reader", "spark": " with Spark's reader", "own": ""}[row.reader]
    than = times_cheaper(row, found.today)
    low, expected, high = (_money(row.cases[case].usd_per_day, DAYS_OF_A_MONTH) for case in CASES)
    over = ", ".join(
        f"{use.needed:,.0f} {use.quota.unit} at once instead of {use.quota.default:,}"
        for use in row.uses
        if use.is_over and use.needed is not None
    )
    month = f"{row.runner}{reader}, ${expected} a month ({low} to {high})"
    if than is None:
        return month
    spread = f"{_ratio(than.low)} to {_ratio(than.high)}"
    asks = f"; it needs a quota of {over}" if over else ""
    return f"{month}, {_ratio(than.expected)} times cheaper ({spread}) than today's settings with Spark's reader{asks}"


def usd_per_tb(found: Comparison, row: Row) -> str:
    usd = per_tb(found, row)
    return "no price" if usd is None else _dollars(usd)


def hours(row: Row) -> str:
    used = row.expected.units_per_day
    return "-" if used is None else f"{used:,.0f} {row.unit}" if used >= 10 else f"{used:,.2f} {row.unit}"


def lag(figures: Figures) -> str:
    if figures.lag_s is not None:
        return f"{figures.lag_s / 60:,.1f}"
    return "grows" if figures.run_s is not None else "-"


def at_once(row: Row) -> str:
    return ", ".join(
        f"{'?' if use.needed is None else f'{use.needed:,.0f}'} of {use.quota.default:,} {use.quota.unit}"
        for use in row.uses
    )


def times(found: Comparison, row: Row, *, with_range: bool) -> str:
    than = times_cheaper(row, found.today)
    if than is None:
        return "-"
    return f"{_ratio(than.expected)} ({_ratio(than.low)}-{_ratio(than.high)})" if with_range else _ratio(than.expected)


def _ratio(value: Decimal) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if round(value, 1) >= 1 else f"{value:.2f}"


def _money(usd_per_day: Decimal | None, days: Decimal | int) -> str:
    if usd_per_day is None:
        return "no price"
    return _dollars(usd_per_day * days)


def _dollars(usd: Decimal) -> str:
    """Dollars alone from a hundred on; of less than a cent two digits that are not 0."""
    if usd >= 100:
        return f"{usd:,.0f}"
    return f"{usd:,.2f}" if usd >= Decimal("0.01") or not usd else f"{float(usd):.1g}"


def _rate(files_per_hour: float) -> str:
    return f"{files_per_hour:,.0f}" if files_per_hour >= 10 else f"{files_per_hour:.2g}"


def per_tb(found: Comparison, row: Row) -> Decimal | None:
    """USD for a TB of 10**12 bytes of input."""
    return None if row.usd_per_day is None else row.usd_per_day / found.work.tb_per_day
