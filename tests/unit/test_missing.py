"""What is not there is named, as far as AWS's refusal tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from ndjctl.cli.invocation import Invocation
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.contracts import Names
from ndjctl.errors import UsageError

NAMES = Names("123456789012")
INVOCATION = cast(
    Invocation,
    SimpleNamespace(env="dev", cloud=SimpleNamespace(names=NAMES), typed=lambda *words: f"ndjctl {' '.join(words)}"),
)


def refused(code: str, operation: str, **about: str) -> None:
    error: Any = {"Error": {"Code": code, "Message": "m", **about}}
    with told_when_not_deployed(INVOCATION):
        raise ClientError(error, operation)


@pytest.mark.parametrize(
    ("code", "operation", "about", "what"),
    [
        ("NoSuchBucket", "ListObjectsV2", {"BucketName": "b"}, "(there is no bucket b)"),
        ("NoSuchBucket", "ListObjectsV2", {}, "(a bucket is not there)"),
        ("EntityNotFoundException", "GetJobRuns", {}, f"(there is no job {NAMES.job})"),
        ("ResourceNotFoundException", "Query", {}, f"(there is no table {NAMES.tracking_table})"),
        ("ResourceNotFoundException", "Invoke", {}, f"(there is no function {NAMES.function})"),
        ("AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", {}, "(a queue is not there)"),
        ("ResourceNotFoundException", "FilterLogEvents", {}, "not whole: run"),
    ],
)
def test_what_is_not_there_is_named(code: str, operation: str, about: dict[str, str], what: str) -> None:
    with pytest.raises(UsageError, match="is not deployed, or not whole") as raised:
        refused(code, operation, **about)
    assert what in str(raised.value)
    assert "run 'ndjctl deploy' first" in str(raised.value)


def test_another_refusal_is_not_touched() -> None:
    with pytest.raises(ClientError):
        refused("AccessDenied", "Query")
