"""SQS with its event source mapping: at least once, in no order, hidden while in flight, to the dead-letter queue after
too many receipts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Message:
    number: int
    body: str
    visible_at_s: float
    receipts: int = 0

    def as_record(self) -> dict[str, str]:
        return {"messageId": f"message-{self.number}", "eventSource": "aws:sqs", "body": self.body}


class Queue:
    """visibility_s: how long a received message stays hidden. max_receipts: after so many it goes to `dead`."""

    def __init__(self, visibility_s: float, max_receipts: int) -> None:
        self.visibility_s, self.max_receipts = visibility_s, max_receipts
        self.messages: dict[int, Message] = {}
        self.dead: list[Message] = []
        self.sent = 0
        self._numbers = itertools.count(1)

    def send(self, body: str, visible_at_s: float) -> None:
        self.sent += 1
        number = next(self._numbers)
        self.messages[number] = Message(number, body, visible_at_s)

    def receive(self, now_s: float, most: int, chance: random.Random) -> list[Message]:
        """Some of the visible messages, in any order."""
        visible = [message for message in self.messages.values() if message.visible_at_s <= now_s]
        taken = []
        for message in chance.sample(visible, min(len(visible), most)):
            message.receipts += 1
            if message.receipts > self.max_receipts:
                del self.messages[message.number]
                self.dead.append(message)
                continue
            message.visible_at_s = now_s + self.visibility_s
            taken.append(message)
        return taken

    def delete(self, messages: Iterable[Message], but: frozenset[str] = frozenset()) -> None:
        """but: ids of the messages that come back."""
        for message in messages:
            if f"message-{message.number}" not in but:
                self.messages.pop(message.number, None)

    def redrive(self, now_s: float) -> int:
        """Sends the dead letters again; how many there were."""
        dead, self.dead = self.dead, []
        for message in dead:
            self.send(message.body, now_s)
        return len(dead)

    def next_s(self) -> float:
        return min((message.visible_at_s for message in self.messages.values()), default=float("inf"))
