"""How a comparison looks: a document of every figure, a table that fits the screen, and a page for README."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.compare.comparison import Comparison, how_sure
from ndjctl.compare.model import Figures
from ndjctl.compare.readers import READERS
from ndjctl.compare.row import PROMISES, Row, times_cheaper
from ndjctl.cost.line import DAYS_OF_A_MONTH
from ndjctl.output.base import View, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE_COLUMNS = 150
"""From here on every column is shown."""

_STYLES = {"yes": "green", "maybe": "yellow", "no": "red", "open": "yellow", "unknown": "dim"}

_Cell = Callable[[Comparison, Row], str]


def compare_view(found: Comparison, commands: Mapping[str, str], warnings: Sequence[str], markdown: bool) -> View:
    """commands: by a row's code, what deploys it. warnings: of the prices. markdown: the page instead of the screen."""
    from ndjctl.output.cost_compare_page import page

    document = _document(found, commands, warnings)
    text = page(found, commands) if markdown else None
    return View(document, lambda: _screen(found, commands, warnings), text)


def columns(found: Comparison, width: int | None) -> list[tuple[str, bool, _Cell]]:
    """(heading, whether it is of numbers, the text of a row), those that fit; all of them where width is None."""
    wide = width is None or width >= WIDE_COLUMNS
    listed: list[tuple[str, bool, bool, _Cell]] = [
        ("runner", False, True, lambda _, row: row.runner),
        ("reader", False, True, lambda _, row: row.reader),
        ("$ a day", True, wide, lambda _, row: _money(row.usd_per_day, 1)),
        ("$ a month", True, True, lambda _, row: _money(row.usd_per_day, DAYS_OF_A_MONTH)),
        ("$ a TB", True, wide, lambda each, row: usd_per_tb(each, row)),
        ("hours a day", True, wide, lambda _, row: hours(row)),
        ("min", True, True, lambda _, row: lag(row.expected)),
        ("in 30", False, True, lambda _, row: row.promise),
        ("at once, of the quota", False, wide, lambda _, row: at_once(row)),
        ("times", True, True, lambda each, row: times(each, row, with_range=wide)),
    ]
    return [(heading, is_number, cell) for heading, is_number, is_shown, cell in listed if is_shown]


def _screen(found: Comparison, commands: Mapping[str, str], warnings: Sequence[str]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ndjctl.output.base import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = columns(found, console().width)
    for heading, is_number, _ in shown:
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "at once, of the quota")
    for row in found.rows:
        cells = [Text(one_line(cell(found, row))) for _, _, cell in shown]
        place = next(i for i, (heading, _, _) in enumerate(shown) if heading == "in 30")
        cells[place].stylize(_STYLES[row.promise])
        table.add_row(*cells)
    blocks: list[RenderableType] = [Text(one_line(load_line(found)), style="bold"), table]
    blocks.append(Text(one_line(legend(found)), style="dim"))
    blocks += [Text(one_line(f"to change: {text}")) for text in changes(found)]
    blocks += [Text(one_line(f"note: {text}"), style="dim") for text in notes(found)]
    blocks += [Text(one_line(text), style="dim") for text in (*how_sure(found), prices_line(found))]
    blocks += [Text(one_line(f"warning: {text}"), style="yellow") for text in warnings]
    blocks += [Text(one_line(text), style="bold") for text in conclusions(found)]
    blocks += [Text(one_line(text)) for text in next_lines(found, commands)]
    return Group(*blocks)


def load_line(found: Comparison) -> str:
    work = found.work
    size_gb = work.file_mb * 2**20 / 10**9
    return (
        f"{work.files_per_day:,} files of {size_gb:,.4g} GB a day ({work.tb_per_day:,.1f} TB), {work.peak:,.0f} in the "
        f"busiest hour, {found.region}; dollars and times of the expected case, a month of {DAYS_OF_A_MONTH} days"
    )


def legend(found: Comparison) -> str:
    used = dict.fromkeys(row.promise for row in found.rows)
    promises = "; ".join(f"{each}: {PROMISES[each]}" for each in PROMISES if each in used)
    return (
        "min: minutes from upload to Parquet for the worst file. at once: in the slowest case, of AWS's default quotas. "
        f"times: cheaper than today's settings with Spark's reader. {promises}"
    )


def changes(found: Comparison) -> list[str]:
    """What each way takes, with the runners that it is for; of what is not there already, and not a reader of Spark."""
    return _shared([(row.runner, [row.change]) for row in found.rows if row.reader != "spark"], skip=("nothing",))


def notes(found: Comparison) -> list[str]:
    """What the reader of a row should know, once, with the runners that it is for."""
    missing = [
        (row.runner, [f"no price for {', '.join(row.missing)}: what it costs is not known"] if row.missing else [])
        for row in found.rows
    ]
    return _shared([*((row.runner, row.notes) for row in found.rows), *missing])


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
    lines = []
    if found.in_time is None:
        lines.append("None of these with a known price keeps the 30 minutes in every case.")
    else:
        lines.append(f"Cheapest that keeps the 30 minutes: {_praised(found, found.in_time)}.")
    if found.on_spare is not None:
        lines.append(f"Cheaper on spare capacity, which keeps no promise: {_praised(found, found.on_spare)}.")
    if found.deployable is None:
        lines.append("None that ndjctl can deploy today keeps the 30 minutes in every case.")
    else:
        lines.append(f"Cheapest of these that ndjctl can deploy today: {_praised(found, found.deployable)}.")
    if found.untested is not None:
        lines.append(f"Cheaper, but not tested on its Spark: {_praised(found, found.untested)}.")
    return lines


def next_lines(found: Comparison, commands: Mapping[str, str]) -> list[str]:
    if found.deployable is None:
        return []
    command = commands.get(found.deployable.code)
    return [f"next: {command}" if command else "next: nothing; that is what is set already"]


def _praised(found: Comparison, row: Row) -> str:
    reader = {"ours": " with our reader", "spark": " with Spark's reader", "own": ""}[row.reader]
    than = times_cheaper(row, found.today)
    how = "" if than is None else f", {_ratio(than.expected)} times cheaper than today's settings with Spark's reader "
    spread = "" if than is None else f"({_ratio(than.low)} to {_ratio(than.high)})"
    return f"{row.runner}{reader}, ${_money(row.usd_per_day, DAYS_OF_A_MONTH)} a month{how}{spread}"


def usd_per_tb(found: Comparison, row: Row) -> str:
    usd = _per_tb(found, row)
    return "no price" if usd is None else f"{usd:,.2f}"


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
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _money(usd_per_day: Decimal | None, days: Decimal | int) -> str:
    if usd_per_day is None:
        return "no price"
    usd = usd_per_day * days
    return f"{usd:,.0f}" if usd >= 100 else f"{usd:,.2f}"


def _per_tb(found: Comparison, row: Row) -> Decimal | None:
    return None if row.usd_per_day is None else row.usd_per_day / found.work.tb_per_day


def _document(found: Comparison, commands: Mapping[str, str], warnings: Sequence[str]) -> dict[str, Any]:
    work = found.work
    code = {
        name: None if row is None else row.code
        for name, row in (
            ("cheapest_in_time", found.in_time),
            ("cheaper_on_spare_capacity", found.on_spare),
            ("cheapest_deployable", found.deployable),
            ("cheaper_untested", found.untested),
        )
    }
    return {
        "env": found.environment,
        "region": found.region,
        "load": {
            "files_per_day": work.files_per_day,
            "file_mb": round(work.file_mb, 4),
            "tb_per_day": _number(work.tb_per_day),
            "peak_files_per_hour": round(work.peak, 2),
            "files_per_manifest": work.usual.files,
            "days_of_a_month": int(DAYS_OF_A_MONTH),
        },
        "promise_s": LATENCY_S,
        "rates": {
            case: {
                "mb_per_s_per_vcpu": round(rate.mb_per_s_per_vcpu, 4),
                "start_s": rate.start_s,
                "source": rate.source,
            }
            for case, rate in found.rates
        },
        "readers": {
            reader.code: {
                "times_slower": {case: round(value, 4) for case, value in reader.slower},
                "gb_per_vcpu": reader.gb_per_vcpu,
                "source": reader.source,
            }
            for reader in READERS
        },
        "prices": {
            "origin": found.book.origin,
            "oldest": None if found.book.oldest is None else found.book.oldest.isoformat(),
        },
        "rows": [_row_document(found, row, commands) for row in found.rows],
        "today": found.today.code,
        **code,
        "next": None if found.deployable is None else commands.get(found.deployable.code),
        "how_sure": list(how_sure(found)),
        "warnings": list(warnings),
    }


def _row_document(found: Comparison, row: Row, commands: Mapping[str, str]) -> dict[str, Any]:
    than = times_cheaper(row, found.today)
    asks = [(ask, found.book.find(ask.key)) for ask in row.asks]
    usd = row.usd_per_day
    return {
        "code": row.code,
        "group": row.group,
        "runner": row.runner,
        "reader": row.reader,
        "usd_per_day": _number(usd),
        "usd_per_month": None if usd is None else _number(usd * DAYS_OF_A_MONTH),
        "usd_per_tb": _number(_per_tb(found, row)),
        "unit": row.unit or None,
        "cases": {case: _figures_document(figures) for case, figures in row.cases.items()},
        "slots": row.slots or None,
        "billed": [
            {
                "key": ask.key,
                "quantity": round(ask.quantity, 4),
                "per": row.per,
                "usd": None if price is None else _number(price.usd),
                "as_of": None if price is None else price.as_of.isoformat(),
                "source": None if price is None else price.source,
            }
            for ask, price in asks
        ],
        "missing_prices": list(row.missing),
        "promise": row.promise,
        "at_once": [
            {
                "quota": use.quota.name,
                "unit": use.quota.unit,
                "needed": None if use.needed is None else round(use.needed, 2),
                "default": use.quota.default,
                "source": use.quota.source,
            }
            for use in row.uses
        ],
        "times_cheaper": None
        if than is None
        else {"low": _number(than.low), "expected": _number(than.expected), "high": _number(than.high)},
        "change": row.change,
        "command": commands.get(row.code),
        "is_untested": row.is_untested,
        "notes": list(row.notes),
    }


def _figures_document(each: Figures) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "mb_per_s_per_vcpu": number(each.mb_per_s_per_vcpu),
        "start_s": number(each.start_s),
        "run_s": number(each.run_s),
        "units_per_day": number(each.units_per_day),
        "usd_per_day": _number(each.usd_per_day),
        "lag_s": number(each.lag_s),
        "at_once": number(each.at_once),
    }


def _number(value: Decimal | None) -> float | None:
    """As a number of JSON, of eight digits behind the point: prices have as many."""
    return None if value is None else float(round(value, 8))
