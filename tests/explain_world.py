"""One file of an environment in which all is well, made by hand, so that one thing of it can be made wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ndjctl.budget import NOTHING_SPENT
from ndjctl.contracts import (
    COMPLETED,
    DONE,
    FILE_SUFFIX,
    OPEN_MANIFESTS_PARTITION,
    RUNNING,
    Attr,
    ManifestFile,
    Names,
    closed_manifests_partition,
    iso_utc,
    manifest_item_key,
    s3_uri,
)
from ndjctl.explain.facts import FileFacts, FileLog, InputObject, ManifestFacts, Parts
from ndjctl.glue_runs import GlueRun
from ndjctl.health.facts import (
    Clock,
    Facts,
    Function,
    Job,
    LogLines,
    OpenManifests,
    Queue,
    Rule,
    Runs,
    Sample,
    SourceMapping,
    Wiring,
)
from ndjctl.logs.lines import RawEvent, line_of
from ndjctl.profiles import load_profile
from ndjctl.reading import Reading

NAMES = Names("123456789012")
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=timezone.utc)
DAY = "2026-11-27"
KEY = f"{DAY}-a [1].ndjson"
ETAG = "e1"
MANIFEST = "20261127T110000000Z-0000000a"
RUN = "jr_" + "1" * 64
PROFILE = load_profile("prod", working_dir=Path("/nonexistent")).profile
DENIED: Reading[Any] = Reading(None, "denied", "AWS refused it; ask for that permission.")
ABSENT: Reading[Any] = Reading(None, "absent", "AWS refused it (not there).")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def environment(**parts: Any) -> Facts:
    """parts: readings, or their values, instead of those of a healthy environment."""
    arn = f"arn:aws:lambda:us-east-1:{NAMES.account_id}:function:{NAMES.live_function}"
    policy = {"Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
    queue = Queue("url", {"Policy": json.dumps(policy)})
    rule = Rule("r", True, "rate(1 minute)", (arn,))
    values: dict[str, Any] = {
        "clock": Clock(0.0),
        "queue": queue,
        "dead_letters": Queue("dlq", {}),
        "function": Function("1", "Active", "", "python3.13", 1024, 300, {}, 10, None),
        "mappings": (SourceMapping("m", arn, "Enabled", "OK", 10),),
        "wirings": (Wiring(f"arn:aws:sqs:us-east-1:1:{NAMES.queue}", ("s3:ObjectCreated:*",), "", FILE_SUFFIX),),
        "sweep_rule": rule,
        "run_state_rule": rule,
        "job": Job("glueetl", "4.0", "G.2X", 20, 30, 120, 2, "s3://x/y.py", {}),
        "runs": Runs((), True),
        "open_manifests": OpenManifests((), True),
        "failed": None,
        "quarantined": None,
        "locks": (),
        "errors": LogLines((), True, ago(900)),
        "metrics": {},
        "sample": Sample(0, (), True),
        "missing_tables": (),
        "missing_buckets": (),
        "budget": NOTHING_SPENT,
    } | parts
    readings = {name: value if isinstance(value, Reading) else Reading(value) for name, value in values.items()}
    return Facts(at=NOW, names=NAMES, profile=PROFILE, region="us-east-1", oldest={}, **readings)


def file_facts(
    status: str = "",
    *,
    key: str = KEY,
    age_s: float = 3600.0,
    etag: str = ETAG,
    size_bytes: int = 4_000_000_000,
    is_there: bool = True,
    attributes: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    **parts: Any,
) -> FileFacts:
    """A file that was uploaded age_s ago, with an item of that status, or without one. etag, size_bytes: of the object.
    attributes: of the item. env: as environment(). parts: readings, or their values."""
    item = {
        Attr.DATE_PREFIX: DAY,
        Attr.FILE_KEY: key,
        Attr.STATUS: status,
        Attr.ETAG: ETAG,
        Attr.SIZE_BYTES: size_bytes,
        Attr.UPLOAD_TIME: iso_utc(ago(age_s)),
        Attr.UPDATED_AT: iso_utc(ago(age_s)),
        **(attributes or {}),
    }
    values: dict[str, Any] = {
        "object": InputObject(size_bytes, etag, ago(age_s)) if is_there else None,
        "versions": (),
        "items": (item,) if status else (),
        "log": FileLog((), True),
        **dict.fromkeys(
            ("letter", "manifest", "report", "forgotten", "parts", "set_aside", "bad_lines", "released", "counted")
        ),
        "runs": (),
    } | parts
    readings = {name: value if isinstance(value, Reading) else Reading(value) for name, value in values.items()}
    bucket = NAMES.input_bucket
    return FileFacts(key=key, bucket=bucket, at=NOW, event_s=60.0, env=environment(**(env or {})), **readings)


def converted(**changes: Any) -> FileFacts:
    """A file that is converted: 10 lines, 9 rows and a bad line."""
    counts = {Attr.LINES: 10, Attr.ROWS: 9, Attr.BAD_LINES: 1, Attr.BATCH_ID: MANIFEST, Attr.RUN_ID: RUN}
    closed = manifest(DONE, **{Attr.PARTS: 2})
    values: dict[str, Any] = {"manifest": closed, "runs": (run("SUCCEEDED"),), "parts": Parts(2, 1000)} | changes
    attributes = counts | dict(values.pop("attributes", {}))
    return file_facts(COMPLETED, attributes=attributes, **values)


def manifest(state: str, *, age_s: float = 1800.0, **attributes: Any) -> ManifestFacts:
    is_open = state in ("claiming", "ready", "started", RUNNING)
    item = {
        Attr.DATE_PREFIX: OPEN_MANIFESTS_PARTITION if is_open else closed_manifests_partition(DAY),
        Attr.FILE_KEY: manifest_item_key(MANIFEST),
        Attr.STATE: state,
        Attr.CREATED_AT: iso_utc(ago(age_s)),
        Attr.UPDATED_AT: iso_utc(ago(age_s)),
        Attr.RUN_ID: RUN,
        **attributes,
    }
    return ManifestFacts(MANIFEST, DAY, item, True, ManifestFile(NAMES.input_bucket, KEY, 8, ETAG))


def lost(facts: ManifestFacts, damage: str = "") -> ManifestFacts:
    """Its object is gone, or damaged."""
    return replace(facts, has_object=bool(damage), entry=None, damage=damage)


def run(state: str, error: str = "", ended_s: float | None = 900.0) -> GlueRun:
    """ended_s: how long ago it ended; None while it runs."""
    completed = None if ended_s is None else ago(ended_s)
    return GlueRun(RUN, state, ago(1700), completed, 300, 100.0, error)


def said(event: str, level: str = "INFO", **fields: Any) -> FileLog:
    """The function's log with one line about the file."""
    at_ms = int(ago(100).timestamp() * 1000)
    message = json.dumps({"level": level, "event": event, "file_key": KEY, **fields})
    return FileLog((line_of(RawEvent("1", at_ms, "g", "s", message)),), True)


def without_item(facts: FileFacts) -> FileFacts:
    return replace(facts, items=Reading(()))


URI = s3_uri(NAMES.input_bucket, KEY)
