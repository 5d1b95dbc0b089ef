"""From the command line to a run, and from any failure to one line."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from glue_job.args import ArgumentError, parse_arguments
from glue_job.clients import client
from glue_job.convert import one_line
from glue_job.driver import Job, Services
from glue_job.ledger import LedgerError
from glue_job.log import Log, utc_now
from glue_job.output import JobFailed
from glue_job.rewrite import RewriteFailed
from glue_job.rewrite_lock import LockBusy
from glue_job.spark import run_parts, task_slots
from glue_job.verify import VerificationFailed
from ndjctl.contracts import FormatError

__all__ = ["JobFailed", "main"]

_USAGE = 2

_PLAIN = (JobFailed, LedgerError, VerificationFailed, FormatError, RewriteFailed, LockBusy)
"""Errors whose text is a sentence of ours."""


def main(argv: Sequence[str], services: Services | None = None) -> int:
    """Runs the job. argv: without the script's name. Returns the exit code: 0, also when another run has the manifest
    or it is done already, or 2 for arguments that cannot be used. Raises JobFailed, and nothing else."""
    try:
        arguments = parse_arguments(argv)
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return _USAGE
    log = services.log if services else Log(arguments.log_level)
    log.common.update(job_name=arguments.job_name, run_id=arguments.run_id)
    try:
        if services is None:
            services = Services(
                client("s3"), client("dynamodb"), lambda: client("glue"), run_parts, task_slots, utc_now, log
            )
        Job(arguments, services).run()
    except _PLAIN as error:
        log.error("run failed", error=str(error))
        raise JobFailed(str(error)) from None
    except Exception as error:
        log.error("run failed", error=one_line(error), traceback=traceback.format_exc())
        raise JobFailed(_told(error)) from None
    return 0


def _told(error: Exception) -> str:
    """One line for an error that is not ours."""
    if isinstance(error, (BotoCoreError, ClientError)):
        return f"AWS: {' '.join(str(error).split())}"
    text = one_line(error)
    if "Py4J" in text or "SparkException" in text:
        # Spark repeats the worker's and its own stack in the message; the first sentence is what happened.
        lines = [line.strip() for line in str(error).splitlines() if "Exception" in line or "Error" in line]
        text = f"Spark: {lines[0] if lines else type(error).__name__}"
    return text[:1_000]
