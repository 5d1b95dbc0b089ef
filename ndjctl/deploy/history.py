"""Who deployed what, when, with which diff: one object a deployment, in the scripts bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from botocore.exceptions import ClientError

from ndjctl.aws import is_not_found, told
from ndjctl.bundles import BundleIndex, Code
from ndjctl.contracts import Names
from ndjctl.deploy.documents import masked, unmasked
from ndjctl.errors import CloudError, UsageError

FORMAT = 1
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-z]{1,32}")
Result = Literal["under way", "done", "failed", "interrupted"]
Status = Literal["under way", "done", "failed", "interrupted", "killed or still under way"]
LONG_AGO = timedelta(hours=6)
"""Longer than a deployment takes: the longest wait in one, for an index that is built, is an hour."""


@dataclass(frozen=True)
class Deployment:
    """One deployment. at: UTC, ISO. by: the caller's ARN without the account, such as user/ann. command: what was
    typed, deploy or rollback. settings: the profile's values. changes: plan_document() of what was to be done. result:
    `under way` also where the deployment was killed. not_done: `kind/name` of what was not done."""

    id: str
    at: str
    by: str
    command: str
    version: str
    environment: str
    source: str
    overrides: tuple[str, ...]
    settings: dict[str, Any]
    code: Code
    changes: list[dict[str, Any]]
    result: Result
    not_done: tuple[str, ...] = ()

    @property
    def planned(self) -> int:
        """How many resources were to be changed."""
        return len(self.changes)

    @property
    def done(self) -> int | None:
        """How many of them were; None where nobody wrote down how it ended."""
        return None if self.result == "under way" else max(0, self.planned - len(self.not_done))

    def status(self, newest_id: str, now: datetime) -> Status:
        """The result; one that is `under way` although a later deployment was begun, or since long ago, is not
        believed. newest_id: of all deployments."""
        if self.result != "under way":
            return self.result
        is_believed = self.id >= newest_id and now - _time_of(self.id) < LONG_AGO
        return "under way" if is_believed else "killed or still under way"

    def is_same_state(self, other: Deployment) -> bool:
        """Whether both asked for the same settings and code."""
        return (self.settings, self.code) == (other.settings, other.code)


def new_id(at: datetime, token: str) -> str:
    """An id that sorts by time, to the millisecond. token: a few random characters."""
    return f"{at:%Y%m%dT%H%M%SZ}-{at.microsecond // 1000:03d}{token}"


def _time_of(id_: str) -> datetime:
    """When the deployment of that id was begun; long ago for what is no id."""
    try:
        return datetime.strptime(id_[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)


class History:
    """The deployments of one environment. Raises boto3's errors."""

    def __init__(self, s3: Any, names: Names) -> None:
        self._s3 = s3
        self._bucket = names.scripts_bucket
        self._prefix = f"{names.stack}/deployments/"
        self._account_id = names.account_id

    def put(self, deployment: Deployment) -> None:
        """Writes a deployment, in place of an earlier form of it. Raises CloudError where AWS refuses that."""
        body = json.dumps(masked(_to_document(deployment), self._account_id), indent=1).encode()
        key = self._key(deployment.id)
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        except ClientError as error:
            raise CloudError(
                f"The history of deployments cannot be written (s3://{self._bucket}/{self._prefix}): "
                f"{told(error, deployment.environment)}"
            ) from error

    def finish(self, deployment: Deployment, result: Result, not_done: tuple[str, ...]) -> Deployment:
        """The deployment as it ended, written."""
        ended = replace(deployment, result=result, not_done=not_done)
        self.put(ended)
        return ended

    def ids(self) -> list[str]:
        """Ids of all deployments, the newest first; empty where none was ever made. What else lies there
        is left out."""
        found: list[str] = []
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
                found += [each["Key"] for each in page.get("Contents", [])]
        except ClientError as error:
            if not is_not_found(error):
                raise
        ids = [key.removeprefix(self._prefix).removesuffix(".json") for key in found if key.endswith(".json")]
        return sorted((id_ for id_ in ids if _ID.fullmatch(id_)), reverse=True)

    def newest(self, environment: str) -> Iterator[Deployment]:
        """Those of one environment, the newest first: another one may have been deployed under the same names. Raises
        UsageError for one that cannot be read."""
        return (each for each in map(self.get, self.ids()) if each.environment == environment)

    def readable(self, ids: Sequence[str]) -> tuple[list[Deployment], list[str]]:
        """The deployments of these ids, and the ids of those that this version cannot read."""
        found: list[Deployment] = []
        unreadable: list[str] = []
        for id_ in ids:
            try:
                found.append(self.get(id_))
            except UsageError:
                unreadable.append(id_)
        return found, unreadable

    def get(self, id_: str) -> Deployment:
        """Raises UsageError where the stored text is no deployment."""
        body = self._s3.get_object(Bucket=self._bucket, Key=self._key(id_))["Body"].read()
        try:
            return _from_document(unmasked(json.loads(body), self._account_id))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(
                f"s3://{self._bucket}/{self._key(id_)} is not a record of a deployment that this version of ndjctl "
                f"reads: use the version that wrote it, or move it away if it is none."
            ) from error

    def find(self, beginning: str) -> Deployment:
        """The deployment whose id begins so. Raises UsageError for none and for several."""
        fitting = [id_ for id_ in self.ids() if id_.startswith(beginning)]
        if len(fitting) != 1:
            what = "There is no deployment" if not fitting else f"There are {len(fitting)} deployments"
            raise UsageError(f"{what} {beginning!r}: 'ndjctl history' lists their ids.")
        return self.get(fitting[0])

    def _key(self, id_: str) -> str:
        return f"{self._prefix}{id_}.json"


def _to_document(deployment: Deployment) -> dict[str, Any]:
    code = {"function": _index(deployment.code.function), "job": _index(deployment.code.job)}
    return {"format": FORMAT, **vars(deployment), "overrides": list(deployment.overrides), "code": code}


def _index(bundle: BundleIndex) -> dict[str, Any]:
    return {"digest": bundle.digest, "sha256": dict(bundle.sha256)}


def _from_document(document: Any) -> Deployment:
    """Raises ValueError, KeyError or TypeError for anything else than a record of this format."""
    from pydantic import TypeAdapter

    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}")
    return TypeAdapter(Deployment).validate_python({key: document[key] for key in document if key != "format"})
