"""What writes an output again that holds less or more than it should: that depends on its inputs being there still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from ndjctl.contracts import s3_uri, split_s3_uri
from ndjctl.reconcile.findings import Example, Remedy
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.unseen import heads

_MOST_KEYS = 5
"""Named in a command; of more, a command that finds them by itself is named."""

_ANY_TIME = datetime(1970, 1, 1, tzinfo=timezone.utc)

PUT_BACK = (
    "inputs are gone, and without them their rows cannot be written again: put each object back with the same "
    "content (an older version of the bucket, a backup)"
)


def rewriting(manifest_id: str, date: str, is_gone: bool, newer: Sequence[str]) -> Remedy:
    """What writes the parts of a manifest again. is_gone: whether any input of it is. newer: keys of inputs that were
    overwritten: each gets a manifest of its own first, and is none of this one's any more."""
    again = ("reprocess", "--manifest", manifest_id)
    words: tuple[str, ...] = ()
    if newer:
        words = ("reprocess", *newer) if len(newer) <= _MOST_KEYS else ("reprocess", "--superseded", "--date", date)
    if is_gone:
        return Remedy(words, hint=PUT_BACK, then=again, otherwise=(*again, "--accept-loss"))
    return Remedy(words, then=again) if words else Remedy(again)


def look_at_inputs(
    s3: Any, readers: ThreadPoolExecutor, inputs: Mapping[str, str]
) -> tuple[list[Example], list[str], bool]:
    """(what is wrong with them, keys of those that were overwritten, whether any is gone). inputs: ETags of the
    versions that were converted, by URI."""
    wanted = {uri: Listed(*split_s3_uri(uri), 0, etag, _ANY_TIME) for uri, etag in inputs.items()}
    there = heads(s3, readers, wanted.values())
    gone, newer, examples = False, [], []
    for listed in wanted.values():
        now = there.get(listed)
        if now is not None and now.etag == listed.etag:
            continue
        why = "its object is gone" if now is None else "its object was overwritten after it was converted"
        examples.append(Example(s3_uri(listed.bucket, listed.key), why))
        if now is None:
            gone = True
        else:
            # A key that begins like an option is no argument.
            newer.append(s3_uri(listed.bucket, listed.key) if listed.key.startswith("-") else listed.key)
    return examples, newer, gone
