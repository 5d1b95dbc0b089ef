"""Takes messages out of the dead-letter queue that announce no file: exactly those that were listed, each only after it
is on disk."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ndjctl.errors import UsageError
from ndjctl.redrive.dlq import MOVE_HIDDEN_S, DeadLetters
from ndjctl.redrive.messages import Letter
from ndjctl.redrive.work import Progress


@dataclass
class Deleted:
    """messages: deleted, and saved before. kept: saved, but the queue did not delete them, with its reasons. not_met:
    ids of those that were not in view, or became events."""

    messages: int = 0
    kept: list[tuple[Letter, str]] = field(default_factory=list)
    not_met: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.kept and not self.not_met


class Saved:
    """A new file of JSON lines, one for each message. A context manager. Raises UsageError where it cannot be made, or
    is there already: it holds what was deleted before."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("x", encoding="utf-8")
        except FileExistsError as error:
            raise UsageError(f"{path} is there already: name a new file to save the messages in.") from error
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}): name another file.") from error

    def put(self, letters: Collection[Letter]) -> None:
        """Returns when they are on disk."""
        for letter in letters:
            self._file.write(json.dumps(_document(letter)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Saved:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def delete_garbage(letters: DeadLetters, message_ids: Collection[str], saved: Saved, progress: Progress) -> Deleted:
    """Deletes those of the messages that still announce no file. A death leaves each of them in the queue, or in the
    file, or in both."""
    wanted = set(message_ids)
    deleted = Deleted()
    hidden: list[str] = []
    try:
        for received in letters.received(MOVE_HIDDEN_S):
            found = [letter for letter in received if letter.message_id in wanted and not letter.is_event]
            hidden += [letter.receipt for letter in received if letter not in found]
            if found:
                saved.put(found)
                hidden += _delete(letters, found, deleted)
                wanted -= {letter.message_id for letter in found}
                progress(len(found))
            if not wanted:
                break
    finally:
        letters.show(hidden)
    deleted.not_met = sorted(wanted)
    return deleted


def _delete(letters: DeadLetters, found: list[Letter], deleted: Deleted) -> list[str]:
    """Receipts of those that are still there."""
    entries = [{"Id": str(number), "ReceiptHandle": letter.receipt} for number, letter in enumerate(found)]
    answer = letters.sqs.delete_message_batch(QueueUrl=letters.dlq_url, Entries=entries)
    failed = {int(each["Id"]): str(each.get("Message") or each["Code"]) for each in answer.get("Failed", [])}
    deleted.kept += [(found[number], why) for number, why in failed.items()]
    deleted.messages += len(found) - len(failed)
    return [found[number].receipt for number in failed]


def _document(letter: Letter) -> dict[str, Any]:
    return {
        "message_id": letter.message_id,
        "reason": letter.why,
        "receives": letter.receives,
        "body": letter.body,
        "attributes": {name: _attribute(value) for name, value in letter.attributes.items()},
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, str]:
    kind = str(value.get("DataType", ""))
    if "BinaryValue" in value:
        return {"type": kind, "base64": base64.b64encode(value["BinaryValue"]).decode()}
    return {"type": kind, "text": str(value.get("StringValue", ""))}
