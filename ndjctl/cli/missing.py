"""What a command says when the environment was not deployed yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ndjctl.cli.invocation import Invocation
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.contracts import Names


@contextmanager
def told_when_missing(invocation: Invocation, bucket: str) -> Iterator[None]:
    """A bucket that is not there means that nothing was deployed yet: UsageError with the command that does it."""
    from ndjctl.aws import error_code

    try:
        yield
    except Exception as error:
        if error_code(error) != "NoSuchBucket":
            raise
        raise UsageError(f"There is no bucket {bucket}: '{invocation.typed('deploy')}' makes it.") from error


_MISSING = frozenset(
    {
        "NoSuchBucket",
        "ResourceNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "EntityNotFoundException",
    }
)
"""Codes for a bucket, a table or function, a queue or a job that is not there. An object that is gone has none of
these: that is dealt with where it is read."""


@contextmanager
def told_when_not_deployed(invocation: Invocation) -> Iterator[None]:
    """The same for an environment of which anything is not there: it is not deployed, or not whole."""
    from ndjctl.aws import error_code

    try:
        yield
    except Exception as error:
        if error_code(error) not in _MISSING:
            raise
        what = _absent(error, invocation)
        raise UsageError(
            f"The environment {invocation.env} is not deployed, or not whole{what}: run '{invocation.typed('deploy')}' "
            f"first."
        ) from error


def _absent(error: Exception, invocation: Invocation) -> str:
    """' (there is no job x)', as far as AWS's refusal tells; else nothing."""
    from ndjctl.aws import error_code

    names = invocation.cloud.names
    told = getattr(error, "response", {}).get("Error", {})
    kind, name = {
        "NoSuchBucket": ("bucket", str(told.get("BucketName", ""))),
        "EntityNotFoundException": ("job", names.job),
        "AWS.SimpleQueueService.NonExistentQueue": ("queue", ""),
        "QueueDoesNotExist": ("queue", ""),
    }.get(error_code(error), _by_operation(str(getattr(error, "operation_name", "")), names))
    if not kind:
        return ""
    return f" (there is no {kind} {name})" if name else f" (a {kind} is not there)"


def _by_operation(operation: str, names: Names) -> tuple[str, str]:
    """ResourceNotFoundException is the word of several services."""
    if operation in (
        "Query",
        "GetItem",
        "BatchGetItem",
        "PutItem",
        "UpdateItem",
        "TransactWriteItems",
        "DescribeTable",
    ):
        return "table", names.tracking_table
    return ("function", names.function) if "Function" in operation or operation == "Invoke" else ("", "")
