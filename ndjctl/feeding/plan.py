"""Which files of a test are uploaded and which are copied on the server, in how many requests, for how much. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any

from ndjctl.prices import built_in_book

COPY_LIMIT_BYTES = 5 * 2**30
"""The largest object that one CopyObject takes; also the largest part of a copy in parts (S3 User Guide, "Copying,
moving, and renaming objects")."""

COPY_PART_BYTES = 2**30
"""Of a copy in parts: several parts are copied at once, which is quicker than few large ones."""

UPLOAD_PART_BYTES = 16 * 2**20
"""Of an upload: some of these are in memory for each file that is being uploaded."""

MAX_PARTS = 10_000
"""Of an object, which S3 takes (S3 User Guide, "Multipart upload limits"). Larger files get larger parts."""

PRICED_REGION = "us-east-1"
"""Whose prices of S3 Standard are taken, whatever the region. A multipart upload is one request to begin, one for each
part, one to complete, all of them at the price of a PUT. DELETE and aborting cost nothing; data into S3 and between
buckets of a region costs nothing (Amazon S3 pricing page, 'Requests & data retrievals')."""

_DAYS_OF_A_MONTH = 30


@dataclass(frozen=True)
class FeedLimits:
    """Sizes in bytes from which and in which parts are used; smaller ones for tests."""

    copy_limit_bytes: int = COPY_LIMIT_BYTES
    copy_part_bytes: int = COPY_PART_BYTES
    upload_part_bytes: int = UPLOAD_PART_BYTES


@dataclass(frozen=True)
class PlannedFile:
    """One object to be made. number: in the order of feeding, from 0. unique: number of the generated content that it
    has. is_copy: made by the server from the key of the uploaded file `unique`. parts: 0 where one request does it."""

    number: int
    key: str
    size_bytes: int
    unique: int
    is_copy: bool
    parts: int

    @property
    def requests(self) -> int:
        return self.parts + 2 if self.parts else 1


@dataclass(frozen=True)
class FeedPlan:
    """files: in the order of feeding; the uploaded ones come first, file n of them with the content n. marker: kept in
    the metadata of every object, so that those of this plan are known again."""

    bucket: str
    marker: str
    files: tuple[PlannedFile, ...]
    limits: FeedLimits = FeedLimits()

    @property
    def uploads(self) -> int:
        return sum(not file.is_copy for file in self.files)

    @property
    def copies(self) -> int:
        return sum(file.is_copy for file in self.files)

    @property
    def uploaded_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files if not file.is_copy)

    @property
    def copied_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files if file.is_copy)

    @property
    def upload_requests(self) -> int:
        return sum(file.requests for file in self.files if not file.is_copy)

    @property
    def copy_requests(self) -> int:
        return sum(file.requests for file in self.files if file.is_copy)

    @property
    def cost_usd(self) -> float:
        """Of the requests that make the objects."""
        return _usd("s3.put_requests", Decimal(self.upload_requests + self.copy_requests))

    @property
    def storage_usd_per_day(self) -> float:
        """Of the objects, while they are there."""
        return _usd("s3.storage_gb_month", Decimal(self.uploaded_bytes + self.copied_bytes) / 2**30) / _DAYS_OF_A_MONTH

    def to_dict(self) -> dict[str, Any]:
        return {
            "bucket": self.bucket,
            "files": len(self.files),
            "uploads": self.uploads,
            "uploaded_bytes": self.uploaded_bytes,
            "upload_requests": self.upload_requests,
            "copies": self.copies,
            "copied_bytes": self.copied_bytes,
            "copy_requests": self.copy_requests,
            "requests": self.upload_requests + self.copy_requests,
            "cost_usd": round(self.cost_usd, 6),
            "storage_usd_per_day": round(self.storage_usd_per_day, 6),
        }


def _usd(key: str, quantity: Decimal) -> float:
    """Of a month's quantity, at the prices that are built in."""
    book = built_in_book(PRICED_REGION)
    assert book is not None  # noqa: S101 - it is built in
    return float(book.price(key).cost(quantity))


def plan_feed(
    bucket: str, marker: str, keys: Sequence[str], unique_sizes: Sequence[int], limits: FeedLimits | None = None
) -> FeedPlan:
    """keys: of all objects, in the order of feeding. unique_sizes: bytes of each content that is uploaded, at least one
    unless there is no key; file n has the content n modulo their number."""
    limits = limits or FeedLimits()
    files = []
    for number, key in enumerate(keys):
        unique = number % len(unique_sizes)
        is_copy = number >= len(unique_sizes)
        parts = _parts(unique_sizes[unique], is_copy, limits)
        files.append(PlannedFile(number, key, unique_sizes[unique], unique, is_copy, parts))
    return FeedPlan(bucket, marker, tuple(files), limits)


def _parts(size_bytes: int, is_copy: bool, limits: FeedLimits) -> int:
    if is_copy:
        return ceil(size_bytes / limits.copy_part_bytes) if size_bytes > limits.copy_limit_bytes else 0
    return ceil(size_bytes / upload_part(size_bytes, limits)) if size_bytes > limits.upload_part_bytes else 0


def upload_part(size_bytes: int, limits: FeedLimits) -> int:
    """Bytes of a part of an upload of that size."""
    return max(limits.upload_part_bytes, ceil(size_bytes / MAX_PARTS))
