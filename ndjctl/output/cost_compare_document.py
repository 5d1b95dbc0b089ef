"""A comparison as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ndjctl.advice.throughput import LATENCY_S
from ndjctl.compare.by_volume import usd_per_day
from ndjctl.compare.comparison import Comparison, how_sure
from ndjctl.compare.model import Figures, amount
from ndjctl.compare.readers import READERS
from ndjctl.compare.row import Row, times_cheaper
from ndjctl.compare.sizes import Ask
from ndjctl.cost.line import DAYS_OF_A_MONTH
from ndjctl.output.cost_compare import per_tb
from ndjctl.prices.book import Price
from ndjctl.prices.catalogue import ITEMS


def comparison_document(found: Comparison, commands: Mapping[str, str], warnings: Sequence[str]) -> dict[str, Any]:
    """What --json prints: every figure of every row, with what went into it."""
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
        "rows_without_price": sum(row.usd_per_day is None for row in found.rows),
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
        "usd_per_tb": _number(per_tb(found, row)),
        "unit": row.unit or None,
        "cases": {case: _figures_document(figures) for case, figures in row.cases.items()},
        "slots": row.slots or None,
        "billed": [
            {
                "key": ask.key,
                "quantity": round(ask.quantity, 8),
                "unit": ITEMS[ask.key].unit,
                "per": row.per,
                "usd": None if price is None else _number(_usd_of_one(price, ask, row)),
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


def _usd_of_one(price: Price, ask: Ask, row: Row) -> Decimal:
    """What one unit comes to: of a volume, the mean of the tiers that a month's is in."""
    is_tiered = row.per == "day" and len(price.tiers) > 1 and ask.quantity
    quantity = amount(ask.quantity)
    return usd_per_day(price, quantity) / quantity if is_tiered else price.usd


def _figures_document(each: Figures) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "mb_per_s_per_vcpu": number(each.mb_per_s_per_vcpu),
        "start_s": number(each.start_s),
        "run_s": number(each.run_s),
        "billed_s": number(each.billed_s),
        "units_per_day": number(each.units_per_day),
        "usd_per_day": _number(each.usd_per_day),
        "lag_s": number(each.lag_s),
        "at_once": number(each.at_once),
    }


def _number(value: Decimal | None) -> float | None:
    """As a number of JSON, of eight digits behind the point: prices have as many."""
    return None if value is None else float(round(value, 8))
