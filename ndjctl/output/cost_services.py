"""How it looks what each service has cost: line by line beside the estimate, and AWS's own bill where it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from ndjctl.output.cost_words import CENT, are, lasting, quantum_of, right_aligned, styled, usd
from ndjctl.output.progress import counted
from ndjctl.output.times import shown
from ndjctl.spent.billed import ZERO
from ndjctl.spent.looking import Actual
from ndjctl.spent.waste import shared_out

if TYPE_CHECKING:
    from rich.table import Table

_GLUE = ("AWS Glue", "")
_Lines = Mapping[tuple[str, str], Decimal]


def services_table(found: Actual) -> Table:
    """A row for each service, the lines of it below, and all together. Lines of nothing are left out."""
    estimated, spent, unknown = _estimated(found), _spent(found), _unknown(found)
    bill = None if found.bill is None else found.bill.value
    billed = {} if bill is None else bill.usd
    table = right_aligned("service", "estimated", "spent", *(["Cost Explorer"] if bill is not None else []))
    marked = {(each.service, each.name) for each in found.period.services if each.is_estimated}
    lines = [*dict.fromkeys((*spent, *unknown, *estimated))]
    quantum = min(quantum_of(sum(amounts.values(), ZERO)) for amounts in (estimated, spent))
    told_estimated, told_spent = _rounded(estimated, quantum), _rounded(spent, quantum)
    for service in dict.fromkeys((*(service for service, _ in lines), *billed)):
        own = [line for line in lines if line[0] == service]
        if service not in billed and not any(estimated.get(line) or spent.get(line) or line in unknown for line in own):
            continue
        row = [_sum(told_estimated, own), "not known" if unknown & set(own) else _sum(told_spent, own)]
        row += [] if bill is None else [usd(billed[service]) if service in billed else "-"]
        table.add_row(styled(service), *row)
        for line in own:
            if line != _GLUE and (estimated.get(line) or spent.get(line) or line in unknown):
                mark = " *" if line in marked else ""
                amount = "not known" if line in unknown else _sum(told_spent, [line])
                row = [_sum(told_estimated, [line]), amount, *([""] if bill is not None else [])]
                table.add_row(f"  {line[1]}{mark}", *row, style="dim")
    total = "not known" if _GLUE in unknown else _sum(told_spent, list(spent))
    row = [_sum(told_estimated, list(estimated)), total, *([usd(bill.total)] if bill is not None else [])]
    table.add_row(styled("together"), *row, style="bold")
    return table


def about_services(found: Actual) -> Iterator[str]:
    period = found.period
    there = f"{lasting(period.span.days)} from {shown(period.span.begin)} on"
    if not found.is_first_told:
        there += " (when the environment was first deployed is not known)"
    elif period.span.begin > period.since:
        there += ", since when the environment is known to be there"
    yield f"estimated: for the load that the profile states, {there}; spent: at list prices, before free allowances"
    guessed = [each for each in period.services if each.is_estimated]
    if guessed:
        kept = (
            "; what is kept, as it came since the first that is known" if any(_is_kept(e.unit) for e in guessed) else ""
        )
        yield (
            f"* not measured: the same line of 'ndjctl cost' for the {counted(period.files, 'file')} that came, the "
            f"runs that began, and this time{kept}"
        )
    if period.forgotten:
        yield (
            f"{counted(period.forgotten, 'manifest')} that came in this time {are(period.forgotten)} no longer in the "
            f"ledger: counted with the mean files and bytes of the others"
        )
    if any(each.key == "sqs.requests" and not each.is_estimated for each in period.services):
        yield "Amazon SQS: by CloudWatch's messages, of which a request may take ten: at most"
    if any(each.name == "logs of runs" and not each.is_estimated for each in period.services):
        yield "logs of runs: of all Glue jobs of the account, which share their groups"
    yield from _about_bill(found)


def _about_bill(found: Actual) -> Iterator[str]:
    if found.bill is None:
        return
    bill = found.bill.value
    if bill is None:
        yield f"Cost Explorer did not answer: {found.bill.sentence}"
        return
    what = (
        "what has the environment's tag"
        if bill.by_tag
        else "the whole account in this region, because nothing with the environment's tag was billed"
    )
    yield (
        f"Cost Explorer: {what}, {bill.from_date} until before {bill.to_date}, {bill.currency}; it is up to a day "
        f"behind; {counted(bill.requests, 'request')}, ${bill.requests * CENT:,}"
    )


def _spent(found: Actual) -> dict[tuple[str, str], Decimal]:
    """What is known, Glue as one line."""
    glue = found.period.glue_usd
    lines = {} if glue is None else {_GLUE: glue}
    return {**lines, **{(e.service, e.name): e.usd for e in found.period.services if e.usd is not None}}


def _unknown(found: Actual) -> set[tuple[str, str]]:
    lines = {(each.service, each.name) for each in found.period.services if each.usd is None}
    return lines | ({_GLUE} if found.period.glue_usd is None else set())


def _estimated(found: Actual) -> dict[tuple[str, str], Decimal]:
    """Of the profile's load, for as long as the environment was there in the time asked for."""
    beside = found.beside
    if beside is None:
        return {}
    days = found.period.span.days
    others = {line: usd_a_day * days for line, usd_a_day in beside.others_a_day.items()}
    return {_GLUE: beside.stated.glue_usd / beside.days * days, **others}


def _rounded(amounts: _Lines, quantum: Decimal) -> dict[tuple[str, str], Decimal]:
    """So that what is shown adds up."""
    rounded = shared_out({str(number): usd for number, usd in enumerate(amounts.values())}, quantum)
    return dict(zip(amounts, rounded.values(), strict=True))


def _sum(amounts: _Lines, lines: list[tuple[str, str]]) -> str:
    found = [amounts[line] for line in lines if line in amounts]
    return f"${sum(found, ZERO):,}" if found else "-"


def _is_kept(unit: str) -> bool:
    return unit == "GB months"
