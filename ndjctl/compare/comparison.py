"""The whole comparison: every runner with every reader under one load, the cheapest, and how sure it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from ndjctl.compare.building import Builder
from ndjctl.compare.by_volume import (
    ATHENA_KEY,
    FIREHOSE_KEYS,
    LARGEST_RECORD_BYTES,
    athena_units,
    athena_usd_per_day,
    billed_share,
    firehose_mib_per_s,
    firehose_units,
    firehose_usd_per_day,
)
from ndjctl.compare.cluster import BUSY_SHARE, ON_DEMAND_INSTANCES, SPOT_INSTANCES
from ndjctl.compare.model import Figures, Work
from ndjctl.compare.quotas import ATHENA_QUERIES, FIREHOSE_MIB_S, Use
from ndjctl.compare.readers import BENCH_RATIO, BEST_RATIO, CASES, READERS, SPARK
from ndjctl.compare.row import Group, Row
from ndjctl.compare.sizes import Arch, Ask
from ndjctl.errors import UsageError
from ndjctl.forecast.rate import Rates, stated
from ndjctl.prices import PriceBook
from ndjctl.settings import Profile, WorkerType

TYPES: tuple[WorkerType, ...] = ("G.1X", "G.2X", "G.4X", "G.8X")
FLEX_TYPES: tuple[WorkerType, ...] = ("G.1X", "G.2X")
"""Flex takes no others (AWS Glue API, "Jobs", ExecutionClass)."""
ARCHES: tuple[Arch, ...] = ("x86", "arm")
VERSIONS = ("4.0", "5.1", "6.0")
UNTESTED_VERSION = "6.0"
A_LINE_BYTES = 1000
"""A line of NDJSON to show what Firehose bills for one that is a record by itself."""


@dataclass(frozen=True)
class Comparison:
    """rows: the first is today's settings with Spark's reader, which the others are held against. in_time: the cheapest
    row that keeps the promise. on_spare: the cheapest on spare capacity, if it is cheaper. deployable: the cheapest
    that keeps it and that ndjctl can deploy and was tested with; untested: one that it can deploy, if that is cheaper.
    Each of them None where there is none."""

    environment: str
    region: str
    work: Work
    rates: Rates
    book: PriceBook
    rows: tuple[Row, ...]
    in_time: Row | None
    on_spare: Row | None
    deployable: Row | None
    untested: Row | None

    @property
    def today(self) -> Row:
        return self.rows[0]

    @property
    def keeping(self) -> tuple[Row, ...]:
        """That keep the promise in every case, with a known price or without."""
        return tuple(row for row in self.rows if row.promise == "yes")

    @property
    def on_offer(self) -> tuple[Row, ...]:
        """Of these, that ndjctl can deploy and was tested with."""
        return tuple(row for row in self.keeping if row.options is not None and not row.is_untested)

    @property
    def spare(self) -> tuple[Row, ...]:
        """That are in time when they run, on capacity that AWS takes back."""
        return tuple(row for row in self.rows if row.promise == "open")


def compare(profile: Profile, presets: Mapping[str, Profile], book: PriceBook) -> Comparison:
    """Under the load of the profile; its files are of one size, the middle of what it states. presets: the same profile
    with each preset. Raises UsageError for a load of nothing."""
    if profile.load.files_per_day < 1 or profile.load.max_file_size_mb <= 0:
        raise UsageError(
            f"There is nothing to compare: the load is {profile.load.files_per_day:,} files a day of up to "
            f"{profile.load.max_file_size_mb:g} MB; name one with --files-per-day and --file-size."
        )
    work, rates = Work.of(profile.load, profile.batching), stated(profile.load)
    rows = tuple(_rows(Builder(profile, work, rates, book), presets))
    in_time = _cheapest(row for row in rows if row.promise == "yes")
    on_spare = _cheapest(row for row in rows if row.promise == "open")
    ours = [row for row in rows if row.options is not None and row.promise == "yes"]
    deployable = _cheapest(row for row in ours if not row.is_untested)
    untested = _cheapest(row for row in ours if row.is_untested)
    return Comparison(
        environment=profile.environment,
        region=book.region,
        work=work,
        rates=rates,
        book=book,
        rows=rows,
        in_time=in_time,
        on_spare=on_spare if _is_cheaper(on_spare, in_time) else None,
        deployable=deployable,
        untested=untested if _is_cheaper(untested, deployable) else None,
    )


def _rows(builder: Builder, presets: Mapping[str, Profile]) -> Iterator[Row]:
    version = builder.profile.job.glue_version
    for reader in READERS:
        yield _judged(builder.glue("today", "today", builder.profile, reader, "nothing", ()))
    for name, preset in presets.items():
        for reader in READERS:
            options = ("--preset", name)
            yield _judged(builder.glue(f"preset-{name}", name, preset, reader, "deploy with that preset", options))
    for worker_type in TYPES:
        for reader in READERS:
            yield _judged(builder.glue_best(f"glue-{worker_type}", version, (worker_type,), reader))
    for other in (each for each in VERSIONS if each != version):
        for reader in READERS:
            yield _judged(builder.glue_best(f"glue-{other}", other, TYPES, reader))
    for each in dict.fromkeys((version, UNTESTED_VERSION)):
        for reader in READERS:
            yield _judged(builder.glue_best(f"flex-{each}", each, FLEX_TYPES, reader, flex=True))
    for arch in ARCHES:
        for reader in READERS:
            yield builder.emr_serverless(arch, reader)
    for spot, instances in ((False, ON_DEMAND_INSTANCES), (True, SPOT_INSTANCES)):
        for instance, reader in product(instances, READERS):
            if instance.suits(reader):
                yield builder.emr_cluster(instance, reader, spot=spot)
    for spot in (False, True):
        for arch in ARCHES:
            for reader in READERS:
                yield builder.fargate(arch, reader, spot=spot)
    yield _firehose(builder)
    yield _athena(builder)


def _judged(row: Row) -> Row:
    if not row.runner.startswith(f"Glue {UNTESTED_VERSION}"):
        return row
    note = (
        "Glue 6.0 has Spark 4.1 and pyarrow 23, which --additional-python-modules cannot change: our reader is tested "
        "with that pyarrow on Python 3.13, the job was never run on that Spark"
    )
    return replace(row, is_untested=True, notes=(*row.notes, note))


def _firehose(builder: Builder) -> Row:
    work, book = builder.work, builder.book
    ingested, converted = (book.find(key) for key in FIREHOSE_KEYS)
    usd = (
        None
        if ingested is None or converted is None
        else firehose_usd_per_day(work, LARGEST_RECORD_BYTES, ingested, converted)
    )
    notes = (
        "something has to read the files and send their lines by Firehose's own API, which is not priced here and "
        "decides how late they are; lines are packed into records of 1,000 KiB, because each record is billed in steps "
        f"of 5 KB: a record a line of {A_LINE_BYTES:,} bytes would cost {billed_share(A_LINE_BYTES):.1f} times as much",
        "Firehose drops fields outside its table, writes records that it cannot convert under an error prefix, "
        "delivers at least once, and proves nothing",
    )
    use = Use(FIREHOSE_MIB_S, firehose_mib_per_s(work))
    change = "another way in: whoever uploads calls Firehose instead of S3, not in ndjctl"
    asks = tuple(
        Ask(key, float(firehose_units(work, LARGEST_RECORD_BYTES, price)))
        for key, price in zip(FIREHOSE_KEYS, (ingested, converted), strict=True)
    )
    return _by_volume("firehose", "Firehose conversion", usd, asks, book, use, change, notes)


def _athena(builder: Builder) -> Row:
    price = builder.book.find(ATHENA_KEY)
    usd = None if price is None else athena_usd_per_day(builder.work, price)
    notes = (
        "a bad line fails the whole query, or with ignore.malformed.json becomes a row of nulls; fields outside the "
        "table are dropped; nothing is quarantined, nothing is proven",
        "AWS states no speed: a query waits for room, and is ended after 30 minutes",
    )
    change = "another runner: a table and a query for each manifest, not in ndjctl"
    use = Use(ATHENA_QUERIES, None)
    asks = (Ask(ATHENA_KEY, float(athena_units(builder.work, price))),)
    return _by_volume("athena", "Athena CTAS", usd, asks, builder.book, use, change, notes)


def _by_volume(
    group: Group,
    runner: str,
    usd: Decimal | None,
    asks: tuple[Ask, ...],
    book: PriceBook,
    use: Use,
    change: str,
    notes: tuple[str, ...],
) -> Row:
    same = Figures(None, None, None, None, None, usd, None, None)
    return Row(
        code=f"{group}-own",
        group=group,
        runner=runner,
        reader="own",
        unit="",
        cases=dict.fromkeys(CASES, same),
        grid={(first, second): usd for first in CASES for second in CASES},
        promise="unknown",
        uses=(use,),
        change=change,
        asks=asks,
        per="day",
        notes=notes,
        missing=tuple(ask.key for ask in asks if book.find(ask.key) is None),
    )


def _cheapest(rows: Iterable[Row]) -> Row | None:
    priced = [(row.usd_per_day, place, row) for place, row in enumerate(rows) if row.usd_per_day is not None]
    return min(priced, key=lambda each: each[:2])[2] if priced else None


def _is_cheaper(row: Row | None, than: Row | None) -> bool:
    if row is None or row.usd_per_day is None:
        return False
    return than is None or than.usd_per_day is None or row.usd_per_day < than.usd_per_day


def how_sure(comparison: Comparison) -> tuple[str, ...]:
    """What is measured, what is assumed, what was never run, and what is left out: a sentence each."""
    rates, diluted = comparison.rates, SPARK.slower.low
    cases = "; ".join(
        f"{case}: {rate.source}, {rate.wait_s + rate.start_s:g} s to start, {rate.start_s:g} of them billed"
        for case, rate in rates
    )
    spread = f" ({cases})" if rates.has_spread else ", one figure for all cases"
    return (
        f"rate of our reader: {rates.source}{spread}",
        f"Spark's reader: measured with 'make bench' (nested events, one core), it takes {BENCH_RATIO:g} to "
        f"{BEST_RATIO:g} times the CPU of ours without start-up with the schema given (expected and high case), and "
        "more where it infers it, and on tweets, flat columns, CR LF and small files; if what a job does besides "
        f"reading takes both readers as long, whole jobs are {diluted:.2f} times apart (low case)",
        "assumed: a vCPU converts the same on x86 and ARM, in every case. One of Graviton is a whole core, one of x86 "
        "half of one: if x86 alone were as slow as in the high case, the rows with ARM would stay as expected beside "
        "it. That advantage is not counted",
        "assumed: starts (EMR Serverless as Glue, Fargate 30 to 120 s, a standing cluster 20 to 60 s), that all of "
        "them but the wait for Glue's and EMR Serverless's workers is billed, that a standing cluster is "
        f"{BUSY_SHARE:.0%} busy in its busiest hour, and memory of 4 GB a vCPU for Spark's reader and 2 GB for ours",
        "never run: nothing of this was measured on AWS, and the job was run on no service but an embedded Glue",
        "left out, as the same for all: S3 requests and storage, the function, the queue, the ledger, the logs",
    )
