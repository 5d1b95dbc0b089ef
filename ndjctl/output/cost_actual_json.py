"""The JSON form of what an environment has cost. Amounts of one list add up, to the millionth of a dollar."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ndjctl.output.times import told
from ndjctl.spent.beside import Beside
from ndjctl.spent.difference import Came, Expected
from ndjctl.spent.looking import Actual
from ndjctl.spent.summing import Period
from ndjctl.spent.waste import MICRO, WASTE, shared_out


def actual_document(env: str, found: Actual) -> dict[str, Any]:
    each, known, forecast = found.each, found.known, found.forecast
    bill = found.bill
    return {
        "env": env,
        "region": found.region,
        "at": told(found.at),
        "since": told(found.period.since),
        "first_deployment_known": found.is_first_told,
        "spent": period_document(found.period),
        "today": period_document(found.today),
        "month": period_document(found.month),
        "forecast": {
            "usd": usd(forecast.usd),
            "full_days": forecast.days,
            "mean_usd_per_day": usd(forecast.mean_usd),
            "days_left": number(forecast.days_left),
        },
        "each": {
            "manifests": each.manifests,
            "manifests_not_in_ledger": each.unknown,
            "files": each.files,
            "size_bytes": each.size_bytes,
            "glue_usd": usd(each.usd),
            "usd_per_manifest": usd(each.usd_per_manifest),
            "usd_per_file": None if each.usd_per_file is None else float(each.usd_per_file.quantize(MICRO / 1000)),
            "usd_per_tb": usd(each.usd_per_tb),
        },
        "runs": {
            "all_read": known.runs_whole,
            "later_attempts": found.later_attempts,
            "starts_told": known.starts_told,
            "starts_assumed": known.starts_assumed,
            "assumed_start_s": number(known.assumed_start_s),
            "assumed_start": known.start_source,
            "idle_told": known.idle_told,
            "worked": known.worked,
            "duplicates_unsure": known.unsure,
            "without_dpu_seconds": known.unbilled,
        },
        "beside_estimate": None if found.beside is None else _beside(found.beside),
        "cost_explorer": None if bill is None else _bill(found),
        "prices": {
            "origin": found.book.origin,
            "oldest": None if found.book.oldest is None else str(found.book.oldest),
        },
        "refused": [{"source": source, "why": why} for source, why in found.refused],
    }


def period_document(period: Period) -> dict[str, Any]:
    amounts = {name: part.usd for name, part in period.parts.items() if part.usd is not None}
    shared = {} if period.glue_usd is None else _shared(amounts)
    return {
        "since": told(period.since),
        "runs": period.runs if period.is_known else None,
        "dpu_s": number(period.dpu_s) if period.is_known else None,
        "glue_usd": usd(period.glue_usd),
        "usd": usd(period.usd),
        "waste_usd": usd(period.waste_usd),
        "waste_share": number(period.waste_share),
        "parts": {
            name: {
                "dpu_s": number(part.dpu_s),
                "usd": shared.get(name),
                "runs": part.runs,
                "is_waste": name in WASTE,
            }
            for name, part in period.parts.items()
        },
        "prices_missing": list(period.unpriced),
        "files_completed": period.files,
        "manifests_forgotten": period.forgotten,
        "environment_since": told(period.span.begin),
        "environment_days": number(period.span.days),
        "services_usd": usd(period.services_usd),
        "services": _lines(period),
    }


def _lines(period: Period) -> list[dict[str, Any]]:
    """Each with its formula and inputs, or the metric that it was measured by."""
    shared = _shared({str(number): each.usd for number, each in enumerate(period.services) if each.usd is not None})
    return [
        {
            "service": each.service,
            "name": each.name,
            "quantity": float(each.quantity),
            "unit": each.unit,
            "usd": shared.get(str(number)),
            "is_estimated": each.is_estimated,
            "formula": each.formula or None,
            "inputs": [
                {"name": given.name, "value": float(given.value), "unit": given.unit, "source": given.source}
                for given in each.inputs
            ],
            "metric": each.metric or None,
        }
        for number, each in enumerate(period.services)
    ]


def _beside(found: Beside) -> dict[str, Any]:
    amounts = {str(number): reason.usd for number, reason in enumerate(found.difference.reasons)}
    reasons = _shared(amounts)
    return {
        "since": told(found.since),
        "days": number(found.days),
        "stated": _expected(found.stated),
        "for_what_came": _expected(found.for_what_came),
        "came": _came(found.came),
        "estimated_usd": usd(found.difference.estimated_usd),
        "spent_usd": usd(found.difference.actual_usd),
        "difference_usd": usd(found.difference.usd),
        "reasons": [
            {
                "code": reason.code,
                "service": reason.service or None,
                "usd": reasons[str(number)],
                "text": reason.text,
            }
            for number, reason in enumerate(found.difference.reasons)
        ],
        "runs_not_in_ledger": found.unknown_runs,
        "rate": found.source,
    }


def _expected(expected: Expected) -> dict[str, Any]:
    return {
        "files": number(expected.files),
        "size_bytes": number(expected.size_bytes),
        "runs": number(expected.runs),
        "run_s": number(expected.run_s),
        "dpus": number(expected.dpus),
        "glue_usd": usd(expected.glue_usd),
        "other_usd": usd(expected.other_usd),
        "others_usd": {service: usd(amount) for service, amount in expected.others.items()},
    }


def _came(came: Came) -> dict[str, Any]:
    return {
        "files": number(came.files),
        "size_bytes": number(came.size_bytes),
        "runs": number(came.runs),
        "run_s": number(came.run_s),
        "dpu_s": number(came.dpu_s),
        "other_usd": usd(came.other_usd),
        "others_usd": {service: usd(amount) for service, amount in came.others.items()},
    }


def _bill(found: Actual) -> dict[str, Any]:
    reading = found.bill
    if reading is None or reading.value is None:
        return {"answered": False, "why": "" if reading is None else reading.sentence}
    bill = reading.value
    return {
        "answered": True,
        "by": "tag" if bill.by_tag else "service",
        "from": bill.from_date,
        "to": bill.to_date,
        "currency": bill.currency,
        "total": float(bill.total),
        "services": {service: float(amount) for service, amount in bill.usd.items()},
        "requests": bill.requests,
        "all_read": bill.is_whole,
    }


def _shared(amounts: Mapping[str, Decimal]) -> dict[str, float]:
    return {name: float(amount) for name, amount in shared_out(amounts, MICRO).items()}


def usd(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount.quantize(MICRO))


def number(amount: Decimal) -> float:
    return float(round(amount, 6))
