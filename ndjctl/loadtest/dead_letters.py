"""Messages of the dead-letter queue that a test has made: those that announce its files, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lambda_handler.events import BadMessage, decode
from ndjctl.contracts import Names
from ndjctl.errors import CloudError
from ndjctl.loadtest.observing import messages

_AT_ONCE = 10  # of SQS
_HIDDEN_S = 120
"""What was received is out of view until all were looked at: then none comes twice."""
_WAIT_S = 1
"""A receive that does not wait asks some of SQS's servers only, and may see nothing where there is something."""
_EMPTY_RECEIVES = 2


def delete_own(sqs: Any, names: Names, prefix: str) -> int:
    """Deletes the messages that announce input objects whose keys begin so, and nothing else; how many. All others are
    in view again afterwards, at the latest after two minutes. Raises CloudError where SQS refuses one, and what boto3
    raises."""
    url = str(sqs.get_queue_url(QueueName=names.dead_letter_queue)["QueueUrl"])
    deleted, others = 0, list[str]()
    try:
        for found in _received(sqs, url):
            own = [message for message in found if is_own(str(message.get("Body", "")), names.input_bucket, prefix)]
            others += [str(message["ReceiptHandle"]) for message in found if message not in own]
            if own:
                entries = _entries([str(message["ReceiptHandle"]) for message in own])
                failed = sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
                if failed:
                    raise CloudError(
                        f"SQS refused to delete {len(failed)} messages of {names.dead_letter_queue}: "
                        f"{failed[0].get('Message') or failed[0].get('Code')}."
                    )
                deleted += len(own)
    finally:
        _show(sqs, url, others)
    return deleted


def find_letters(sqs: Any, names: Names, prefix: str, before: int) -> dict[str, int]:
    """dead_letters: that there are; own_dead_letters: of these, about files whose keys begin so. They are read only if
    there are more than before the test."""
    there = messages(sqs, names.dead_letter_queue)
    return {"dead_letters": there, "own_dead_letters": _count_own(sqs, names, prefix) if there > before else 0}


def _count_own(sqs: Any, names: Names, prefix: str) -> int:
    """How many messages announce input objects whose keys begin so, and nothing else. All are in view again afterwards,
    at the latest after two minutes. Raises what boto3 raises."""
    url = str(sqs.get_queue_url(QueueName=names.dead_letter_queue)["QueueUrl"])
    count, receipts = 0, list[str]()
    try:
        for found in _received(sqs, url):
            count += sum(is_own(str(message.get("Body", "")), names.input_bucket, prefix) for message in found)
            receipts += [str(message["ReceiptHandle"]) for message in found]
    finally:
        _show(sqs, url, receipts)
    return count


def is_own(body: str, bucket: str, prefix: str) -> bool:
    """Whether a message announces files of the test and nothing else. One that is not understood is not."""
    try:
        decoded = decode(body)
    except BadMessage:
        return False
    if decoded.problems or decoded.ignored or not decoded.created:
        return False
    return all(each.bucket == bucket and each.key.startswith(prefix) for each in decoded.created)


def _received(sqs: Any, url: str) -> Iterator[Sequence[Any]]:
    """Messages that were not received before, up to 10 at a time, until there are none left in view."""
    known: set[str] = set()
    empty = 0
    while empty < _EMPTY_RECEIVES:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, VisibilityTimeout=_HIDDEN_S, WaitTimeSeconds=_WAIT_S
        )
        fresh = [message for message in answer.get("Messages", []) if message["MessageId"] not in known]
        known.update(message["MessageId"] for message in fresh)
        empty = 0 if fresh else empty + 1
        if fresh:
            yield fresh


def _show(sqs: Any, url: str, receipts: Sequence[str]) -> None:
    """Messages that were received are in view again."""
    for start in range(0, len(receipts), _AT_ONCE):
        entries = [{**each, "VisibilityTimeout": 0} for each in _entries(receipts[start : start + _AT_ONCE])]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _entries(receipts: Sequence[str]) -> list[dict[str, Any]]:
    return [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
