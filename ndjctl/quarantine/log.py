"""The log of releases and purges, in the ledger: an item each, written before anything is done and completed at the
end. It stays for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lambda_handler.dynamo import put_request, update_request
from ndjctl.contracts import QUARANTINE_LOG_PARTITION, Attr, iso_utc, new_manifest_id, quarantine_log_key
from ndjctl.items import Item, plain

RELEASE = "release"
RELEASE_MENDED = "release-mended"
PURGE = "purge"

UNDER_WAY = "under way"
DONE = "done"

_ACTION, _BY, _BEGAN_AT, _ENDED_AT, _WHAT, _COUNTS = "action", "by", "began_at", "ended_at", "what", "counts"


@dataclass(frozen=True)
class Logged:
    """One release or purge. by: the caller's ARN without the account. what: the words that chose it. state: DONE, or
    UNDER_WAY also where it died or was interrupted. counts: by name, as of then."""

    action_id: str
    action: str
    by: str
    began_at: str
    what: str
    state: str = UNDER_WAY
    ended_at: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


class ActionLog:
    """by: as of Logged. entropy(): eight random hex digits."""

    def __init__(
        self, dynamodb: Any, table: str, by: str, clock: Callable[[], datetime], entropy: Callable[[], str]
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._by = by
        self._clock = clock
        self._entropy = entropy

    @property
    def by(self) -> str:
        return self._by

    def begin(self, action: str, what: str) -> Logged:
        """Raises what boto3 raises; then nothing is to be done."""
        now = self._clock()
        logged = Logged(new_manifest_id(now, self._entropy()), action, self._by, iso_utc(now), what)
        item = {
            **_key(logged.action_id),
            _ACTION: action,
            _BY: logged.by,
            _BEGAN_AT: logged.began_at,
            _WHAT: what,
            Attr.STATE: UNDER_WAY,
        }
        self._dynamodb.put_item(**put_request(self._table, item))
        return logged

    def end(self, logged: Logged, counts: Mapping[str, int]) -> None:
        change = {Attr.STATE: DONE, _ENDED_AT: iso_utc(self._clock()), _COUNTS: dict(counts)}
        when = {_BEGAN_AT: logged.began_at}
        self._dynamodb.update_item(**update_request(self._table, _key(logged.action_id), change, when))


def history(dynamodb: Any, table: str) -> Iterator[Logged]:
    """All of them, the newest first, page by page."""
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#partition = :partition",
        "ExpressionAttributeNames": {"#partition": Attr.DATE_PREFIX},
        "ExpressionAttributeValues": {":partition": {"S": QUARANTINE_LOG_PARTITION}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
    }
    while True:
        answer = dynamodb.query(**request)
        yield from (_logged(plain(item)) for item in answer["Items"])
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _key(action_id: str) -> Item:
    return {Attr.DATE_PREFIX: QUARANTINE_LOG_PARTITION, Attr.FILE_KEY: quarantine_log_key(action_id)}


def _logged(item: Item) -> Logged:
    texts = {name: str(item.get(name) or "") for name in (_ACTION, _BY, _BEGAN_AT, _WHAT, Attr.STATE, _ENDED_AT)}
    counts = {str(name): int(count) for name, count in (item.get(_COUNTS) or {}).items()}
    return Logged(str(item[Attr.FILE_KEY]).removesuffix("#"), **texts, counts=counts)
