"""The model of DynamoDB for a day: items at rest are packed, so that hundreds of thousands of them fit in memory."""

from __future__ import annotations

import json

from ndjctl.contracts import COMPLETED, Attr
from tests.simulator.dynamo import DynamoDB
from tests.simulator.tables import Key, Stored, Table

_DONE = {"S": COMPLETED}


class CompactTable(Table):
    def get(self, key: Key) -> Stored | None:
        stored = super().get(key)
        if stored is not None and isinstance(stored.item, bytes):
            return Stored(json.loads(stored.item), stored.size_bytes)
        return stored


class CompactDynamoDB(DynamoDB):
    """Nobody may query the completed files, of which there are the most: the model fails if anybody does."""

    table_type = CompactTable

    def _store(self, name: str, key: Key, stored: Stored | None) -> None:
        super()._store(name, key, stored)
        if stored is not None and stored.item.get(Attr.STATUS) == _DONE:
            table = self.tables[name]
            packed = Stored(json.dumps(stored.item).encode(), stored.size_bytes)  # type: ignore[arg-type]
            table.partitions[key[0]].entries[key[1]] = packed
            place = table.places[key]
            table.index[place[0]].entries[place[1]] = packed
