"""A file into the ledger as pending, where that has none: as the function would enter it, but for the size rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambda_handler.dynamo import ABSENT, file_key, key_request, put_request, size_mb
from ndjctl.contracts import PENDING, TTL_DAYS, Attr, iso_utc
from ndjctl.redrive.moves import Facts, transact


@dataclass(frozen=True)
class Entering:
    dynamodb: Any
    table: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def enter(self, bucket: str, key: str, facts: Facts, date: str, dates: Sequence[str] = ()) -> bool:
        """False where the ledger has the key, under `date` or one of `dates`. facts: of the version that is entered.
        Raises CloudError where other writers do not let it."""
        now = self.clock()
        item = {
            **file_key(date, key),
            Attr.STATUS: PENDING,
            Attr.BUCKET: bucket,
            Attr.SIZE_BYTES: facts.size_bytes,
            Attr.FILE_SIZE_MB: size_mb(facts.size_bytes),
            Attr.ETAG: facts.etag,
            # None is known: a late event has to look at the object itself.
            Attr.SEQUENCER: "",
            Attr.UPLOAD_TIME: iso_utc(now),
            Attr.UPDATED_AT: iso_utc(now),
            Attr.ATTEMPT: 0,
            Attr.TTL: int((now + timedelta(days=TTL_DAYS)).timestamp()),
        }
        put = {"Put": put_request(self.table, item, {Attr.DATE_PREFIX: ABSENT})}
        checks = [
            {"ConditionCheck": key_request(self.table, file_key(other, key), {Attr.DATE_PREFIX: ABSENT})}
            for other in dates
            if other != date
        ]
        return transact(self.dynamodb, [put, *checks], self.sleep)
