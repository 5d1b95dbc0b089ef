"""The job as the ledger knows it: its real half of the ledger, without converting anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from glue_job.ledger import Ledger, Outcome
from ndjctl.contracts import Manifest, report_key, split_s3_uri

_REPORT_BYTES_PER_FILE = 250


class LedgerJob:
    """One run. s3, dynamodb: its clients."""

    def __init__(
        self, s3: Any, dynamodb: Any, table: str, path: str, run_id: str, clock: Callable[[], datetime]
    ) -> None:
        self._s3 = s3
        bucket, key = split_s3_uri(path)
        self._bucket = bucket
        self.manifest = Manifest.from_json(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), path)
        self._ledger = Ledger(dynamodb, table, self.manifest, run_id, clock)

    def begin(self) -> None:
        assert self._ledger.take(lambda run_id: False) is Outcome.TAKEN
        assert self._ledger.claim_files() == {}
        self._ledger.pin_parts(32)

    def end(self) -> None:
        assert self._ledger.is_holder()
        self._ledger.settle([(file, 4_000_000, 4_000_000, 0) for file in self.manifest.files], [])
        report = b"x" * (_REPORT_BYTES_PER_FILE * len(self.manifest.files))
        key = report_key(self.manifest.date, self.manifest.manifest_id)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=report)
        self._ledger.close()
