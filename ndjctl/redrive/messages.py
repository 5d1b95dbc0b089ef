"""What a message of the dead-letter queue is about, and why it is there, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from lambda_handler.events import BadMessage, ObjectCreated, decode
from ndjctl.contracts import date_prefix
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.tracking import Entry, Tracking

_MOST_SHOWN = 200


class Announced(NamedTuple):
    """An object that a message announces. etag: empty where the event has none."""

    date: str
    key: str
    size_bytes: int
    etag: str


@dataclass(frozen=True)
class Letter:
    """A message as it was received. objects: of S3 events of new files; none where it is no such thing. why: it is in
    this queue, one sentence. receives: how often it was received, approximately."""

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, Any]
    objects: tuple[Announced, ...]
    why: str
    receives: int
    begins: str = ""

    @property
    def is_event(self) -> bool:
        return bool(self.objects)

    def is_chosen(self, choice: Choice) -> bool:
        """Whether it is an event and is asked for."""
        return self.is_event and any(choice.takes(self.why, each.date) for each in self.objects)

    def is_listed(self, choice: Choice) -> bool:
        """Whether it announces no file and is asked for: it has no date."""
        return not self.is_event and choice.date is None and choice.takes_reason(self.why)


class Announcements:
    """The files that messages announce, each once however many messages are about it."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, int] = {}
        self.size_bytes = 0

    def add(self, letter: Letter) -> None:
        """Of several versions of a file the largest counts: one of them is converted."""
        for each in letter.objects:
            # Digests, so that hundreds of thousands of long keys take no memory.
            name = blake2b(f"{each.date}/{each.key}".encode(errors="surrogatepass"), digest_size=16).digest()
            known = self._sizes.get(name, 0)
            self._sizes[name] = max(known, each.size_bytes)
            self.size_bytes += self._sizes[name] - known

    @property
    def files(self) -> int:
        return len(self._sizes)


def letters_of(messages: Sequence[Mapping[str, Any]], tracking: Tracking) -> list[Letter]:
    """messages: as SQS gives them. What became of their objects is looked up in the ledger, for all of them at once."""
    read = [_read(str(message.get("Body", ""))) for message in messages]
    ids = {(each.date, each.key) for objects, _ in read for each in objects}
    known = tracking.entries(ids) if ids else {}
    return [
        Letter(
            message_id=str(message["MessageId"]),
            receipt=str(message["ReceiptHandle"]),
            body=str(message.get("Body", "")),
            attributes=message.get("MessageAttributes", {}),
            objects=objects,
            why=problem or _why(objects, known),
            receives=int(message.get("Attributes", {}).get("ApproximateReceiveCount", 0)),
            begins="" if objects else str(message.get("Body", ""))[:_MOST_SHOWN],
        )
        for message, (objects, problem) in zip(messages, read, strict=True)
    ]


def _read(body: str) -> tuple[tuple[Announced, ...], str]:
    """(objects, what is wrong with the message itself, if anything is)."""
    try:
        decoded = decode(body)
    except BadMessage as error:
        return (), f"{error}: the function does not understand it"
    objects = tuple(map(_announced, decoded.created))
    if decoded.problems:
        return objects, f"{decoded.problems[0]}: the function does not understand it"
    if not objects:
        why = decoded.ignored[0].why if decoded.ignored else "it has no record"
        return (), f"it announces no file: {why}"
    return objects, ""


def _announced(event: ObjectCreated) -> Announced:
    return Announced(date_prefix(event.key, event.event_time), event.key, event.size_bytes or 0, event.etag or "")


def _why(objects: Sequence[Announced], known: Mapping[tuple[str, str], Entry]) -> str:
    for each in objects:
        entry = known.get((each.date, each.key))
        if entry is None:
            return "never entered in the ledger: the function failed on it each time (its log says why)"
        if each.etag and entry.etag != each.etag:
            return f"of this version nothing is in the ledger, another one is {entry.status} there"
    statuses = sorted({known[each.date, each.key].status for each in objects})
    return f"entered in the ledger all the same, now {' and '.join(statuses)}"
