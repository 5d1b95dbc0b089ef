"""What S3 asks: storage by what is kept how long, and requests; and why data transfer costs nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from ndjctl.contracts import MIB
from ndjctl.cost import figures
from ndjctl.cost.bill import GB, Item
from ndjctl.cost.function import each
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.usage import BYTES, FILES, RUNS, Usage
from ndjctl.settings import Profile

S3 = "Amazon S3"
_STORAGE, _PUTS, _GETS = "s3.storage_gb_month", "s3.put_requests", "s3.get_requests"
_STEADY = "once the buckets hold so many days; the first months cost less"


def items(usage: Usage, profile: Profile) -> Iterator[Item]:
    yield from _storage(usage, profile)
    yield from _requests(usage, profile)
    yield _transfer(usage, bool(profile.network.subnets))


def _storage(usage: Usage, profile: Profile) -> Iterator[Item]:
    files, file_bytes = usage.input("files", "files a day"), usage.input("file_bytes", "bytes")
    share, manifests = usage.input("output_share", "of the input"), usage.input("manifests", "a day")
    input_days = usage.kept(usage.input("input_days", "days kept"), BYTES)
    output_days = usage.kept(usage.input("output_days", "days kept"), BYTES)
    steady = _STEADY if usage.standing_days is None else ""
    yield Item(
        S3,
        "input kept",
        _STORAGE,
        usage.input_bytes * input_days.value / GB,
        "GB months",
        "files x file_bytes x input_days / 2**30",
        (files, file_bytes, input_days),
        steady,
    )
    yield Item(
        S3,
        "Parquet kept",
        _STORAGE,
        usage.output_bytes * output_days.value / GB,
        "GB months",
        "files x file_bytes x output_share x output_days / 2**30",
        (files, file_bytes, share, output_days),
        steady,
    )
    retention = profile.retention
    kept = usage.kept(_kept("retention.manifests_days", retention.manifests_days), FILES)
    manifest = Input("manifest_bytes", figures.MANIFEST_BYTES_PER_FILE, "bytes a file", "measured in the simulator")
    report = Input("report_bytes", figures.REPORT_BYTES_PER_FILE, "bytes a file", "assumed")
    for_ever = Input("report_days", figures.FOREVER_DAYS, "days", "reports are never deleted: a year of them")
    always = usage.kept(for_ever, FILES)
    yield Item(
        S3,
        "manifests kept",
        _STORAGE,
        files.value * (manifest.value * kept.value + report.value * always.value) / GB,
        "GB months",
        "files x (manifest_bytes x kept_days + report_bytes x report_days) / 2**30",
        (files, manifest, kept, report, always),
    )
    bad = Input("quarantined_share", figures.QUARANTINED_SHARE, "of the input", "assumed")
    bad_days = usage.kept(_kept("retention.quarantine_days", retention.quarantine_days), BYTES)
    yield Item(
        S3,
        "quarantine kept",
        _STORAGE,
        usage.input_bytes * bad.value * bad_days.value / GB,
        "GB months",
        "files x file_bytes x quarantined_share x kept_days / 2**30",
        (files, file_bytes, bad, bad_days),
    )
    if profile.job.spark_ui:
        events = Input("events_bytes", figures.SPARK_EVENTS_BYTES_PER_RUN, "bytes a run", "assumed")
        event_days = usage.kept(_kept("retention.spark_events_days", retention.spark_events_days), RUNS)
        yield Item(
            S3,
            "Spark's events kept",
            _STORAGE,
            manifests.value * events.value * event_days.value / GB,
            "GB months",
            "manifests x events_bytes x kept_days / 2**30",
            (manifests, events, event_days),
            "job.spark_ui",
        )


def _requests(usage: Usage, profile: Profile) -> Iterator[Item]:
    files, file_bytes = usage.input("files", "files a day"), usage.input("file_bytes", "bytes")
    sent = Input("upload_part", figures.UPLOAD_PART_BYTES, "bytes", "assumed: the aws CLI's default, 8 MiB")
    yield Item(
        S3,
        "input uploads",
        _PUTS,
        files.value * uploads(file_bytes.value, sent.value) * DAYS_OF_A_MONTH,
        "requests",
        "files x (1, or file_bytes / upload_part rounded up and 2 more) x 30",
        (files, file_bytes, sent),
        "whoever uploads chooses the size of a part: eight times as large costs an eighth",
    )
    share, manifests = usage.input("output_share", "of the input"), usage.input("manifests", "a day")
    size = Input("part_bytes", Decimal(profile.job.part_size_mb) * MIB, "bytes of a Parquet part", "job.part_size_mb")
    part = Input("write_part", figures.WRITE_PART_BYTES, "bytes of an upload's part", "glue_job/sink.py")
    # A manifest has a part at least.
    parts = max(usage.output_bytes / size.value, manifests.value)
    # A quotient of a quotient may be a hair above the size it stands for.
    each_bytes = min(usage.output_bytes / parts, size.value) if parts else Decimal(0)
    blocks = (each_bytes / part.value).quantize(Decimal(1), ROUND_CEILING)
    control, _ = each(usage, "s3_puts")
    controlled = Input("control", control, "manifests and reports written a day", figures.CONTROL_SOURCE)
    yield Item(
        S3,
        "job's writes",
        _PUTS,
        (parts * (max(blocks, Decimal(1)) + 2) + control) * DAYS_OF_A_MONTH,
        "requests",
        "(parts x (bytes of one / write_part rounded up + 2) + control) x 30, where parts = the larger of manifests "
        "and files x file_bytes x output_share / part_bytes",
        (files, file_bytes, share, manifests, size, part, controlled),
    )
    block = Input("read_block", figures.READ_BLOCK_BYTES, "bytes of a read", "glue_job/store.py")
    more = Input("more_reads", figures.READS_PER_FILE, "a file besides", "glue_job: counted in the code")
    verify = Input("verified", figures.READS_PER_PART, "a Parquet part", "glue_job/verify.py")
    read, _ = each(usage, "s3_gets")
    controlled = Input("control", read, "manifests read a day", figures.CONTROL_SOURCE)
    file_reads = (file_bytes.value / block.value).quantize(Decimal(1), ROUND_CEILING) + more.value
    yield Item(
        S3,
        "job's reads",
        _GETS,
        (files.value * file_reads + parts * verify.value + read) * DAYS_OF_A_MONTH,
        "requests",
        "(files x (file_bytes / read_block rounded up + more_reads) + parts x verified + control) x 30",
        (files, file_bytes, block, more, verify, controlled),
    )


def uploads(size_bytes: Decimal, part_bytes: Decimal) -> Decimal:
    """Requests of one upload: one PUT, or each part, its beginning and its end."""
    if size_bytes <= part_bytes:
        return Decimal(1)
    return (size_bytes / part_bytes).quantize(Decimal(1), ROUND_CEILING) + 2


def _kept(path: str, days: int | None) -> Input:
    if days is None:
        return Input("kept_days", figures.FOREVER_DAYS, "days", f"{path} is null, for ever: a year of it")
    return Input("kept_days", Decimal(days), "days", path)


def _transfer(usage: Usage, has_subnets: bool) -> Item:
    nat = (
        "; from your own subnets by a gateway endpoint, which is free: a NAT gateway asks for every GB"
        if has_subnets
        else ""
    )
    return Item(
        "transfer",
        "within the region",
        None,
        (usage.input_bytes + usage.output_bytes) * DAYS_OF_A_MONTH / GB,
        "GB",
        "(files x file_bytes) x (1 + output_share) x 30 / 2**30",
        (
            usage.input("files", "files a day"),
            usage.input("file_bytes", "bytes"),
            usage.input("output_share", "of the input"),
        ),
        f"free: buckets, function and job are in one region (Amazon S3 pricing, 'Data transfer'){nat}",
    )
