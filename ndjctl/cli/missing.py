"""What a command says when the environment was not deployed yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ndjctl.cli.invocation import Invocation
from ndjctl.errors import UsageError


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
        raise UsageError(
            f"The environment {invocation.env} is not deployed, or not whole: run '{invocation.typed('deploy')}' first."
        ) from error
