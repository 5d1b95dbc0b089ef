"""How many objects are made at once, and how long a plan takes by that. Pure; a forecast."""

from __future__ import annotations

from math import ceil

from ndjctl.feeding.plan import FeedPlan

AT_ONCE = 16
"""Objects that one request makes."""

LARGE_AT_ONCE = 2
"""Uploads in parts: each has several of its parts in memory, and sends them at once."""

PARTS_AT_ONCE = 4
"""Of each object in parts."""

UPLOAD_BYTES_PER_S = 125_000_000
"""Of all uploads together: a line of 1 Gbit/s. Assumed: the line of whoever tests is not known."""

COPY_BYTES_PER_S = 85_000_000
"""Of one copy in progress. Assumed: AWS states nothing of copies. It is what AWS counts on for one GET (Amazon S3 User
Guide, "Performance guidelines": a request for each 85-90 MB/s)."""

REQUEST_S = 0.1
"""Of one request beside its bytes. Assumed: 100 to 200 ms until a first byte (Amazon S3 User Guide, "Performance design
patterns")."""

BASIS = (
    f"feeding assumed at {UPLOAD_BYTES_PER_S / 1e6:g} MB/s up (1 Gbit/s) and {COPY_BYTES_PER_S / 1e6:g} MB/s a copy, "
    f"{AT_ONCE} at once"
)


def feeding_seconds(plan: FeedPlan) -> float:
    """Until the last object is there, as fast as it goes: the uploads, and then the copies of them."""
    return _upload_seconds(plan) + _copy_seconds(plan)


def _upload_seconds(plan: FeedPlan) -> float:
    is_large = plan.upload_requests > plan.uploads
    at_once = LARGE_AT_ONCE * PARTS_AT_ONCE if is_large else AT_ONCE
    return plan.uploaded_bytes / UPLOAD_BYTES_PER_S + ceil(plan.upload_requests / at_once) * REQUEST_S


def _copy_seconds(plan: FeedPlan) -> float:
    """Of copies of one size: as many rounds as it takes, each as long as a copy."""
    if not plan.copies:
        return 0.0
    requests, size_bytes = plan.copy_requests / plan.copies, plan.copied_bytes / plan.copies
    at_once = min(PARTS_AT_ONCE, requests)
    one_s = size_bytes / COPY_BYTES_PER_S / at_once + ceil(requests / at_once) * REQUEST_S
    return ceil(plan.copies / AT_ONCE) * one_s
