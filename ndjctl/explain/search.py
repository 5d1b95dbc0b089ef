"""Finds the file that a text means: a key, or a part of one. Bounded: it says what it did not look through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ndjctl.aws import error_code
from ndjctl.contracts import FILE_SUFFIX, TTL_DAYS, Attr, Names, split_s3_uri
from ndjctl.errors import UsageError
from ndjctl.items import pages_of, projected

MOST_FOUND = 10
"""Candidates that are listed."""
LEDGER_PAGES = 60
"""Of the search for a part: a megabyte of the table each."""
LISTED_PAGES = 30
"""Of the bucket, a thousand keys each."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Found:
    """keys: in the order in which they were met, up to one more than MOST_FOUND. is_exact: `keys` is the very key that
    was named. is_whole: whether everything was looked through. searched: where, a clause each."""

    keys: list[str] = field(default_factory=list)
    is_exact: bool = False
    is_whole: bool = True
    searched: list[str] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        return len(self.keys) > MOST_FOUND

    def add(self, key: str) -> None:
        if key not in self.keys and not self.is_enough:
            self.keys.append(key)


def key_of(text: str, names: Names) -> tuple[str, bool]:
    """(the key, or part of one, that was typed, whether it was typed as a whole URI). Raises UsageError for nothing,
    for what is longer than a key, and for a URI of another bucket."""
    if not text.strip():
        raise UsageError("KEY is empty: name a key, an s3:// URI of the input bucket, or a part of a key.")
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("KEY is not UTF-8, which every key of S3 is.") from error
    if not text.startswith(("s3://", "s3a://")):
        if len(encoded) > 1024:
            raise UsageError("KEY has more than 1,024 bytes, which no key of S3 has.")
        return text, False
    try:
        bucket, key = split_s3_uri(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not s3://bucket/key.") from error
    if bucket != names.input_bucket:
        raise UsageError(
            f"{text!r} is not in this environment's input bucket, which is s3://{names.input_bucket}/: name a file of "
            f"that, or another environment."
        )
    return key, True


def search(s3: Any, dynamodb: Any, names: Names, text: str, now: datetime) -> Found:
    """The keys that `text` may mean: that very key, if there is an object or an item of it; else those that have it in
    them. Raises what boto3 raises."""
    found = Found()
    dates = _dates(text, now)
    if _is_object(s3, names, text) or any(key == text for key in _begun(dynamodb, names, dates, text)):
        return Found([text], is_exact=True)
    for key in _listed(s3, names, text, found, 1):
        found.add(key)
    for key in _begun(dynamodb, names, dates, text):
        found.add(key)
    if not found.keys:
        for key in _containing(dynamodb, names, dates, text, found):
            found.add(key)
        for key in _listed(s3, names, "", found, LISTED_PAGES):
            if text in key:
                found.add(key)
    return found


def is_whole_key(text: str) -> bool:
    """Whether a text that nothing has in it may be a whole key: then that is what is explained."""
    return text.endswith(FILE_SUFFIX)


def _dates(text: str, now: datetime) -> list[str]:
    """The date in the text, if it has one; else those that the ledger remembers, the newest first."""
    named = _DATE.findall(text)
    remembered = [(now + timedelta(days=1 - back)).strftime("%Y-%m-%d") for back in range(TTL_DAYS + 2)]
    return list(dict.fromkeys([*named, *remembered]))


def _is_object(s3: Any, names: Names, key: str) -> bool:
    try:
        s3.head_object(Bucket=names.input_bucket, Key=key)
    except Exception as error:
        if error_code(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
        return False
    return True


def _begun(dynamodb: Any, names: Names, dates: list[str], text: str) -> Iterator[str]:
    """Keys of the ledger that begin so: some of each date."""
    for date in dates:
        request = _request(names, date, "begins_with(#key, :text)", text)
        request["Limit"] = MOST_FOUND + 1
        for item in dynamodb.query(**request).get("Items", []):
            yield str(item[Attr.FILE_KEY]["S"])


def _containing(dynamodb: Any, names: Names, dates: list[str], text: str, found: Found) -> Iterator[str]:
    """Keys of the ledger that have it in them, until there are enough or the bound is met."""
    pages = 0
    for date in dates:
        # A key cannot be filtered on: all of the date are read, and looked at here.
        for items, _ in pages_of(dynamodb, _request(names, date, "", "")):
            yield from (str(item[Attr.FILE_KEY]) for item in items if text in str(item[Attr.FILE_KEY]))
            pages += 1
            if found.is_enough:
                return
            if pages >= LEDGER_PAGES:
                found.is_whole = False
                found.searched.append(f"the ledger, back to {date} in part")
                return
    found.searched.append(f"the ledger's dates {dates[-1]} to {dates[0]}")


def _request(names: Names, date: str, condition: str, text: str) -> dict[str, Any]:
    projection, fields = projected([Attr.FILE_KEY])
    values = {":date": {"S": date}} | ({":text": {"S": text}} if condition else {})
    return {
        "TableName": names.tracking_table,
        "KeyConditionExpression": "#date = :date" + (f" AND {condition}" if condition else ""),
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": fields
        | {"#date": Attr.DATE_PREFIX}
        | ({"#key": Attr.FILE_KEY} if condition else {}),
        "ExpressionAttributeValues": values,
    }


def _listed(s3: Any, names: Names, prefix: str, found: Found, most_pages: int) -> Iterator[str]:
    """Keys of the input bucket under the prefix."""
    request: dict[str, Any] = {"Bucket": names.input_bucket, "Prefix": prefix}
    count = 0
    for _ in range(most_pages):
        answer = s3.list_objects_v2(**request)
        for entry in answer.get("Contents", []):
            count += 1
            yield str(entry["Key"])
        if not answer.get("IsTruncated") or found.is_enough:
            break
        request["ContinuationToken"] = answer["NextContinuationToken"]
    else:
        if not prefix:
            found.is_whole = False
    if not prefix:
        found.searched.append(f"{count:,} keys of the input bucket{'' if found.is_whole else ', of more'}")
