"""The dead-letter queue: looked at without keeping anything from view for long, and sent back to the queue.

A message is deleted only after the queue has acknowledged it. So a death in between leaves it in both, which does no
harm: the function enters a file once, however often it is told.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ndjctl.redrive.choice import Choice, Reasons
from ndjctl.redrive.messages import Announcements, Letter, letters_of
from ndjctl.redrive.pacing import Pacer
from ndjctl.redrive.tracking import Tracking
from ndjctl.redrive.work import EXAMPLES, Progress

PREVIEWED = 10_000
"""Messages that a preview looks at, at most: all of them are out of view until it ends."""

_PREVIEW_HIDDEN_S = 30
MOVE_HIDDEN_S = 120
_AT_ONCE = 10
_WAIT_S = 1
"""A receive that does not wait asks some of SQS's servers only, and may see nothing where there is something."""

_EMPTY_RECEIVES = 2
_MOST_BATCH_BYTES = 240 * 1024
_MOST_GARBAGE = 1_000


@dataclass(kw_only=True)
class _OfFiles:
    """announced: the files that messages are about."""

    announced: Announcements = field(default_factory=Announcements)

    @property
    def files(self) -> int:
        return self.announced.files

    @property
    def size_bytes(self) -> int:
        return self.announced.size_bytes


@dataclass(kw_only=True)
class DlqPreview(_OfFiles):
    """messages: of the whole queue, by its own count, which is approximate. seen: that were looked at. chosen: of
    those, about what is announced. not_chosen: that do not match what was asked for. garbage:
    messages that match and are no S3 event of a new file; garbage_count: also of those that are too many to keep."""

    messages: int = 0
    seen: int = 0
    chosen: int = 0
    not_chosen: int = 0
    reasons: Reasons = field(default_factory=Reasons)
    examples: list[Letter] = field(default_factory=list)
    garbage: list[Letter] = field(default_factory=list)
    garbage_count: int = 0

    def add(self, letter: Letter, choice: Choice) -> None:
        self.seen += 1
        if letter.is_listed(choice):
            self.garbage_count += 1
            _append(self.garbage, letter)
        elif letter.is_chosen(choice):
            self.chosen += 1
            self.announced.add(letter)
            self.reasons.add(letter.why)
            if len(self.examples) < EXAMPLES:
                self.examples.append(letter)
        else:
            self.not_chosen += 1


@dataclass(kw_only=True)
class DlqOutcome(_OfFiles):
    """messages: sent to the queue. announced: the files that these are about. twice: of the messages, how many could
    not be deleted here and may be sent again. passed: that were not chosen. refused: that the queue did not take, with
    its reasons."""

    messages: int = 0
    twice: int = 0
    passed: int = 0
    garbage: list[Letter] = field(default_factory=list)
    refused: list[tuple[Letter, str]] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.refused


@dataclass
class DeadLetters:
    """sqs: boto3 client. dlq_url, queue_url: the dead-letter queue and the one that its messages came from."""

    sqs: Any
    dlq_url: str
    queue_url: str
    tracking: Tracking
    choice: Choice

    def look(self, progress: Progress) -> DlqPreview:
        """What is there, and what of it is chosen. All that was looked at is in view again afterwards, at the latest
        after half a minute."""
        preview = DlqPreview(messages=self._count())
        with closing(self._seen(PREVIEWED)) as pages:
            for letters in pages:
                for letter in letters:
                    preview.add(letter, self.choice)
                progress(len(letters))
        return preview

    def peek(self, most: int) -> list[Letter]:
        """The first `most` messages that come, or a few less where two receives in a row gave none. All that was looked
        at is in view again afterwards."""
        with closing(self._seen(most)) as pages:
            return [letter for letters in pages for letter in letters][:most]

    def _seen(self, most: int) -> Generator[list[Letter], None, None]:
        """About `most` messages, put back into view when the iteration ends, however it does."""
        hidden: list[str] = []
        received = self.received(_PREVIEW_HIDDEN_S)
        try:
            while len(hidden) < most and (letters := next(received, None)) is not None:
                hidden += [letter.receipt for letter in letters]
                yield letters
        finally:
            self.show(hidden)

    def move(self, pacer: Pacer, progress: Progress) -> DlqOutcome:
        """Sends what is chosen to the queue and then deletes it here; the rest stays."""
        outcome = DlqOutcome()
        hidden: list[str] = []
        try:
            for letters in self.received(MOVE_HIDDEN_S):
                chosen = [letter for letter in letters if letter.is_chosen(self.choice)]
                for letter in letters:
                    if letter.is_listed(self.choice):
                        _append(outcome.garbage, letter)
                    elif letter not in chosen:
                        outcome.passed += 1
                hidden += [letter.receipt for letter in letters if letter not in chosen]
                for batch in _batches(chosen):
                    pacer.wait(sum(len(letter.objects) for letter in batch))
                    hidden += self._send(batch, outcome)
                    progress(len(batch))
        finally:
            self.show(hidden)
        return outcome

    def _send(self, batch: Sequence[Letter], outcome: DlqOutcome) -> list[str]:
        """Receipts of those that could not be sent."""
        entries = [
            {"Id": str(number), "MessageBody": letter.body, "MessageAttributes": _sendable(letter.attributes)}
            for number, letter in enumerate(batch)
        ]
        answer = self.sqs.send_message_batch(QueueUrl=self.queue_url, Entries=entries)
        refused = {int(each["Id"]): str(each.get("Message") or each["Code"]) for each in answer.get("Failed", [])}
        sent = [letter for number, letter in enumerate(batch) if number not in refused]
        outcome.refused += [(batch[number], why) for number, why in refused.items()]
        outcome.messages += len(sent)
        for letter in sent:
            outcome.announced.add(letter)
        if sent:
            receipts = [{"Id": str(number), "ReceiptHandle": letter.receipt} for number, letter in enumerate(sent)]
            deleted = self.sqs.delete_message_batch(QueueUrl=self.dlq_url, Entries=receipts)
            outcome.twice += len(deleted.get("Failed", []))
        return [batch[number].receipt for number in refused]

    def received(self, hidden_s: int) -> Iterator[list[Letter]]:
        """Messages that were not received before, up to 10 at a time, until there are none left in view."""
        known: set[str] = set()
        empty = 0
        while empty < _EMPTY_RECEIVES:
            answer = self.sqs.receive_message(
                QueueUrl=self.dlq_url,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=hidden_s,
                WaitTimeSeconds=_WAIT_S,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            fresh = [message for message in answer.get("Messages", []) if message["MessageId"] not in known]
            known.update(message["MessageId"] for message in fresh)
            empty = 0 if fresh else empty + 1
            if fresh:
                yield letters_of(fresh, self.tracking)

    def show(self, receipts: Sequence[str]) -> None:
        """Puts messages back into view. Those for which that fails come back by themselves."""
        for start in range(0, len(receipts), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _AT_ONCE])
            ]
            self.sqs.change_message_visibility_batch(QueueUrl=self.dlq_url, Entries=entries)

    def _count(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.dlq_url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)


def _append(letters: list[Letter], letter: Letter) -> None:
    if len(letters) < _MOST_GARBAGE:
        letters.append(letter)


def _batches(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """As many as one request may hold, by their size."""
    batch: list[Letter] = []
    size_bytes = 0
    for letter in letters:
        length = len(letter.body.encode())
        if batch and size_bytes + length > _MOST_BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(letter)
        size_bytes += length
    if batch:
        yield batch


def _sendable(attributes: Any) -> dict[str, Any]:
    """Message attributes as they are sent: of what is received, only type and value."""
    names = ("DataType", "StringValue", "BinaryValue")
    return {name: {each: value[each] for each in names if each in value} for name, value in attributes.items()}
