"""What a user is told when something cannot be done, and the exit code that goes with it.

Every error that reaches a user is one of these: one sentence that says what, where and what to do.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CLOUD = 3
EXIT_BUG = 4
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class NdjctlError(Exception):
    """Base of all errors that are told in one sentence. str() is that sentence, without a trailing newline."""

    exit_code = EXIT_FAILED
    kind = "failed"


class WorkFailed(NdjctlError):
    """The command was understood and tried, and its work failed or its check found something. Exit code 1."""


class UsageError(NdjctlError):
    """What was typed or configured cannot be used as it is. Exit code 2."""

    exit_code = EXIT_USAGE
    kind = "usage"


class CloudError(NdjctlError):
    """AWS (or the embedded cloud) refused or could not be reached. Exit code 3."""

    exit_code = EXIT_CLOUD
    kind = "cloud"
