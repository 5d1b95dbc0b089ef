"""From the body of an SQS message to the objects that it announces. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from ndjctl.contracts import FILE_SUFFIX, parse_iso_utc


class BadMessage(ValueError):
    """The body is not an S3 notification; str() says what is missing, without the body."""


@dataclass(frozen=True)
class ObjectCreated:
    """One object as its event tells it. size_bytes and etag (without quotes) are None, and sequencer is empty, where
    the event lacks them."""

    bucket: str
    key: str
    size_bytes: int | None
    etag: str | None
    sequencer: str
    event_time: datetime


@dataclass(frozen=True)
class Ignored:
    """A record that is none of ours, and why."""

    event_name: str
    file_key: str
    why: str


@dataclass
class Decoded:
    created: list[ObjectCreated] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """One sentence for each record that cannot be understood; the others of the body are still good."""


def decode(body: str) -> Decoded:
    """What an SQS body holds. Raises BadMessage when it is no S3 notification at all."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage("the body is not JSON") from error
    if not isinstance(document, dict):
        raise BadMessage("the body is not a JSON object")
    decoded = Decoded()
    if document.get("Event") == "s3:TestEvent":
        decoded.ignored.append(Ignored("s3:TestEvent", "", "a test event announces no object"))
        return decoded
    records = document.get("Records")
    if not isinstance(records, list) or not records:
        raise BadMessage("the body has no Records: it is no S3 notification")
    for number, record in enumerate(records):
        try:
            _decode_record(record, decoded)
        except (KeyError, TypeError, ValueError) as error:
            decoded.problems.append(f"record {number} is no S3 event: {type(error).__name__} {error}")
    return decoded


def _decode_record(record: Any, decoded: Decoded) -> None:
    event_name = _text(record["eventName"]).removeprefix("s3:")
    if record.get("eventSource", "aws:s3") != "aws:s3":
        raise ValueError("eventSource is not aws:s3")
    # S3 encodes keys as an HTML form does: a space comes as a plus sign.
    key = unquote_plus(_text(record["s3"]["object"]["key"]), errors="strict")
    if not event_name.startswith("ObjectCreated:"):
        decoded.ignored.append(Ignored(event_name, key, "only created objects are tracked"))
        return
    if not key.endswith(FILE_SUFFIX):
        decoded.ignored.append(Ignored(event_name, key, f"the key does not end with {FILE_SUFFIX}"))
        return
    details = record["s3"]["object"]
    size = details.get("size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise ValueError("size is no number of bytes")
    decoded.created.append(
        ObjectCreated(
            bucket=_text(record["s3"]["bucket"]["name"]),
            key=key,
            size_bytes=size,
            etag=str(details.get("eTag") or "").strip('"') or None,
            sequencer=str(details.get("sequencer") or ""),
            event_time=_time(record["eventTime"]),
        )
    )


def _time(value: Any) -> datetime:
    try:
        return parse_iso_utc(_text(value))
    except ValueError:
        raise ValueError("eventTime is no time") from None  # the message of the other would quote the body


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def later_sequencer(one: str, two: str) -> str:
    """The later of two; empty, which is unknown, when either is missing."""
    return one if is_newer(one, two) else two if one else ""


def is_newer(sequencer: str, than: str) -> bool | None:
    """Whether an event of the same key came later, by S3's sequencers: hex numbers of differing length. None when
    either is missing."""
    if not sequencer or not than:
        return None
    width = max(len(sequencer), len(than))
    return sequencer.upper().rjust(width, "0") > than.upper().rjust(width, "0")
