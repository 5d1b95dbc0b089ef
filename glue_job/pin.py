"""The pinned schema of a dataset: versions on S3 that are written once and never changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from glue_job import schema
from glue_job.clients import error_code
from glue_job.infer import Observer, with_new_fields
from glue_job.schema import EMPTY, Struct
from ndjctl.contracts import SCHEMA_FORMAT, SCHEMA_VERSION, FormatError, iso_utc, read_document, s3_uri, schema_key

_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ATTEMPTS = 20


@dataclass(frozen=True)
class StoredVersion:
    """A schema version as it is stored. created_at: ISO 8601 in UTC. manifest_id: of the manifest that it was first
    needed for; empty for a schema that was declared."""

    version: int
    created_at: str
    manifest_id: str


@dataclass(frozen=True)
class Pinned:
    """version: from 1; 0 means that nothing is pinned."""

    version: int
    root: Struct

    @staticmethod
    def nothing() -> Pinned:
        return Pinned(0, EMPTY)


class SchemaStore:
    """The schema versions of one dataset in the manifest bucket."""

    def __init__(self, s3: Any, bucket: str, dataset: str, clock: Callable[[], datetime]) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.dataset = dataset
        self._clock = clock

    def latest(self) -> Pinned:
        """The newest version, or nothing. Raises FormatError if what is stored cannot be read."""
        versions = self.versions()
        return self.read(versions[-1]) if versions else Pinned.nothing()

    def versions(self) -> list[int]:
        """Those that there are, from the oldest on."""
        first = schema_key(self.dataset, 1)
        prefix = first[: first.rindex("-") + 1]
        name = re.compile(re.escape(prefix) + r"(\d{6,})\.json")
        return sorted(
            int(match.group(1))
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for item in page.get("Contents", [])
            if (match := name.fullmatch(item["Key"]))
        )

    def read(self, version: int) -> Pinned:
        """A version that is there. Raises FormatError if it cannot be read."""
        document = self._document(version)
        where = s3_uri(self._bucket, schema_key(self.dataset, version))
        return Pinned(version, schema.from_json({"struct": document.get("fields")}, where))

    def about(self, version: int) -> StoredVersion:
        """When and by whom a version was stored. Raises FormatError if it cannot be read."""
        document = self._document(version)
        return StoredVersion(version, str(document.get("created_at", "")), str(document.get("manifest_id", "")))

    def _document(self, version: int) -> dict[str, Any]:
        key = schema_key(self.dataset, version)
        where = s3_uri(self._bucket, key)
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        document = read_document(body, SCHEMA_FORMAT, SCHEMA_VERSION, where)
        if document.get("schema_version") != version:
            raise FormatError(f"{where} says that it is version {document.get('schema_version')!r}")
        return document

    def pin(self, pinned: Pinned, manifest_id: str) -> bool:
        """Writes a version unless it is there already; whether it was written. manifest_id: see StoredVersion."""
        about = {
            "dataset": self.dataset,
            "schema_version": pinned.version,
            "created_at": iso_utc(self._clock()),
            "manifest_id": manifest_id,
        }
        body = json.dumps(schema.document(pinned.root, about), ensure_ascii=False, indent=1).encode()
        try:
            put_if_absent(self._s3, self._bucket, schema_key(self.dataset, pinned.version), body)
        except ClientError as error:
            if error_code(error) in _TAKEN:
                return False
            raise
        return True

    def extend(self, seen: Observer, manifest_id: str, may_add: bool) -> Pinned:
        """The version to write with: pins version 1 from what was seen if there is none; else, if may_add, adds the
        fields that the newest lacks as the next version. Goes on from what another run pins meanwhile, so that two
        that add at once agree."""
        for _ in range(_ATTEMPTS):
            latest = self.latest()
            if latest.version and not may_add:
                return latest
            root = with_new_fields(latest.root, seen) if latest.version else seen.schema()
            if root == latest.root:
                return latest
            wanted = Pinned(latest.version + 1, root)
            if self.pin(wanted, manifest_id):
                return wanted
        raise RuntimeError(f"schema {self.dataset} changed {_ATTEMPTS} times while a version was being added")


def put_if_absent(s3: Any, bucket: str, key: str, body: bytes) -> None:
    """PutObject with If-None-Match: *. Raises ClientError with a code of _TAKEN if the key is taken."""
    arguments: dict[str, Any] = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": "application/json"}
    if "IfNoneMatch" in s3.meta.service_model.operation_model("PutObject").input_shape.members:
        s3.put_object(**arguments, IfNoneMatch="*")
        return

    # The boto3 that comes with Glue 4.0 and 5.0 is older than the parameter; S3 itself is not.
    def add_header(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["If-None-Match"] = "*"

    s3.meta.events.register("before-call.s3.PutObject", add_header)
    try:
        s3.put_object(**arguments)
    finally:
        s3.meta.events.unregister("before-call.s3.PutObject", add_header)
