"""What the function, its queue and its ledger cost: by the file, and by the sweep of every minute. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.contracts import TTL_DAYS
from ndjctl.cost import figures
from ndjctl.cost.bill import GB, Item
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.usage import FILES, Usage
from ndjctl.settings import Profile

LAMBDA, SQS, DYNAMODB = "AWS Lambda", "Amazon SQS", "Amazon DynamoDB"
_MINUTES = Input("minutes", Decimal(figures.MINUTES_OF_A_DAY), "sweeps a day", "the schedule, rate(1 minute)")
_KB = Decimal(1024)


def each(usage: Usage, field: str) -> tuple[Decimal, tuple[Input, ...]]:
    """(a day's amount of a figure of the control path, what it is made of)."""
    of_file, of_minute = getattr(figures.per_file(), field), getattr(figures.IDLE_MINUTE, field)
    inputs = (
        usage.input("files", "files a day"),
        Input("per_file", of_file, f"{field} a file", figures.CONTROL_SOURCE),
        _MINUTES,
        Input("per_sweep", of_minute, f"{field} a sweep", figures.IDLE_SOURCE),
    )
    return usage.files * of_file + _MINUTES.value * of_minute, inputs


def items(usage: Usage, profile: Profile) -> Iterator[Item]:
    yield from _function(usage, profile.function.memory_mb)
    yield from _queue(usage)
    yield from _ledger(usage, profile)


def _function(usage: Usage, memory_mb: int) -> Iterator[Item]:
    milliseconds, inputs = each(usage, "lambda_ms")
    memory = Input("memory_gb", memory_mb / _KB, "GB", "function.memory_mb")
    other = memory_mb != figures.MEASURED_MEMORY_MB
    yield Item(
        LAMBDA,
        "memory",
        "lambda.gb_second_x86",
        milliseconds / 1000 * memory.value * DAYS_OF_A_MONTH,
        "GB seconds",
        "(files x per_file + minutes x per_sweep) / 1,000 x memory_gb x 30",
        (*inputs, memory),
        f"measured with {figures.MEASURED_MEMORY_MB:,} MB; another size has another speed" if other else "",
    )
    requests, inputs = each(usage, "invocations")
    formula = "(files x per_file + minutes x per_sweep) x 30"
    yield Item(LAMBDA, "requests", "lambda.requests", requests * DAYS_OF_A_MONTH, "requests", formula, inputs)


def _queue(usage: Usage) -> Iterator[Item]:
    requests, inputs = each(usage, "sqs_requests")
    polls = Input(
        "polls", figures.SQS_IDLE_POLLS_PER_MINUTE, "empty receives a minute", "five pollers of 20 s (Lambda guide)"
    )
    yield Item(
        SQS,
        "requests",
        "sqs.requests",
        (requests + polls.value * _MINUTES.value) * DAYS_OF_A_MONTH,
        "requests",
        "(files x per_file + minutes x (per_sweep + polls)) x 30",
        (*inputs, polls),
        "a message of a file is far below the 64 KB that count as one request",
    )


def _ledger(usage: Usage, profile: Profile) -> Iterator[Item]:
    formula = "(files x per_file + minutes x per_sweep) x 30"
    for name, field, key, unit in (
        ("writes", "write_units", "dynamodb.write_units", "write units"),
        ("reads", "read_units", "dynamodb.read_units", "read units"),
    ):
        units, inputs = each(usage, field)
        yield Item(DYNAMODB, name, key, units * DAYS_OF_A_MONTH, unit, formula, inputs)
    files = usage.input("files", "files a day")
    days = usage.kept(Input("ttl_days", Decimal(TTL_DAYS), "days", "how long the ledger remembers a file"), FILES)
    item = Input("item_bytes", figures.LEDGER_ITEM_BYTES, "bytes in the table", "measured in the simulator")
    index = Input("index_bytes", figures.LEDGER_INDEX_BYTES, "bytes in the index", "measured in the simulator")
    over = Input("overhead", figures.LEDGER_OVERHEAD_BYTES, "bytes of each", "DynamoDB developer guide")
    table_bytes = files.value * days.value * (item.value + over.value)
    stored_bytes = table_bytes + files.value * days.value * (index.value + over.value)
    yield Item(
        DYNAMODB,
        "storage",
        "dynamodb.storage_gb_month",
        stored_bytes / GB,
        "GB months",
        "files x ttl_days x (item_bytes + index_bytes + 2 x overhead) / 2**30",
        (files, days, item, index, over),
    )
    if profile.tables.point_in_time_recovery:
        yield Item(
            DYNAMODB,
            "recovery",
            "dynamodb.pitr_gb_month",
            table_bytes / GB,
            "GB months",
            "files x ttl_days x (item_bytes + overhead) / 2**30",
            (files, days, item, over),
            "tables.point_in_time_recovery; the table alone, not its index",
        )
