"""Sends events like those of S3 to the pipeline's queue: so there is one way into the ledger, the function's, and what
comes twice is a duplicate like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import quote_plus

from ndjctl.contracts import iso_utc
from ndjctl.errors import WorkFailed
from ndjctl.reconcile.streams import Listed

_MESSAGES_PER_CALL = 10  # of the service
_ROUNDS = 8


def event_body(listed: Listed, region: str) -> str:
    """The notification that S3 would have sent, but for a sequencer, which only S3 knows."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": iso_utc(listed.modified),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "ndjctl-backfill"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": listed.bucket, "arn": f"arn:aws:s3:::{listed.bucket}"},
            # S3 encodes keys as an HTML form does: a space goes as a plus sign.
            "object": {"key": quote_plus(listed.key, safe="/"), "size": listed.size_bytes, "eTag": listed.etag},
        },
    }
    return json.dumps({"Records": [record]})


def send_events(
    sqs: Any,
    queue: str,
    region: str,
    objects: Iterable[Listed],
    *,
    rate_per_s: float | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    report: Callable[[int], None],
) -> int:
    """How many were sent: all. rate_per_s: most messages a second, None for no limit. clock: seconds, monotonic.
    report: told of so many more. Raises WorkFailed when the queue keeps refusing some, and what boto3 raises."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    begun = clock()
    sent = 0
    remaining = iter(objects)
    while batch := list(islice(remaining, _MESSAGES_PER_CALL)):
        if rate_per_s is not None:
            sleep(max(0.0, begun + sent / rate_per_s - clock()))
        entries = [{"Id": str(n), "MessageBody": event_body(each, region)} for n, each in enumerate(batch)]
        pause_s = 0.2
        for _ in range(_ROUNDS):
            failed = sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
            if not failed:
                break
            refused = {each["Id"] for each in failed}
            entries = [entry for entry in entries if entry["Id"] in refused]
            sleep(pause_s)
            pause_s = min(2 * pause_s, 5.0)
        else:
            why = failed[0].get("Message") or failed[0].get("Code") or "no reason given"
            raise WorkFailed(
                f"The queue {queue} keeps refusing events ({why}) after {sent} were sent: "
                f"run the same command again for the rest."
            )
        sent += len(batch)
        report(len(batch))
    return sent
