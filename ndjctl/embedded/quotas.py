"""The limits of an account that the embedded cloud enforces, under the names and codes that AWS has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_RUNS_PER_ACCOUNT = "NDJ_GLUE_MAX_RUNS_PER_ACCOUNT"
MAX_RUNS_PER_JOB = "NDJ_GLUE_MAX_RUNS_PER_JOB"
MAX_DPUS = "NDJ_GLUE_MAX_DPUS"
LAMBDA_CONCURRENCY = "NDJ_LAMBDA_CONCURRENCY"
"""Environment variables of the embedded cloud that set a limit; read when it starts."""

VARIABLES = (MAX_RUNS_PER_ACCOUNT, MAX_RUNS_PER_JOB, MAX_DPUS, LAMBDA_CONCURRENCY)


@dataclass(frozen=True)
class Quota:
    """One limit. default: what AWS gives a new account."""

    service: str
    code: str
    name: str
    default: float
    description: str


RUNS_PER_ACCOUNT = Quota(
    "glue",
    "L-5E4153CA",
    "Max concurrent job runs per account",
    200,
    "The maximum number of concurrent job runs in the account.",
)
RUNS_PER_JOB = Quota(
    "glue",
    "L-F574AED9",
    "Max concurrent job runs per job",
    1000,
    "The maximum number of concurrent job runs of a job.",
)
DPUS = Quota(
    "glue", "L-08F3B322", "Max task DPUs per account", 1000, "The maximum number of DPUs that runs may have at once."
)
CONCURRENT_EXECUTIONS = Quota(
    "lambda",
    "L-B99A9384",
    "Concurrent executions",
    1000,
    "The maximum number of events that functions can process at once in the region.",
)

QUOTAS = (RUNS_PER_ACCOUNT, RUNS_PER_JOB, DPUS, CONCURRENT_EXECUTIONS)


@dataclass(frozen=True)
class Limits:
    """What the Glue endpoint enforces for each account and region."""

    runs_per_account: int = int(RUNS_PER_ACCOUNT.default)
    runs_per_job: int = int(RUNS_PER_JOB.default)
    dpus: int = int(DPUS.default)

    def by_code(self) -> dict[str, float]:
        """The values by the codes of their quotas."""
        return {
            RUNS_PER_ACCOUNT.code: self.runs_per_account,
            RUNS_PER_JOB.code: self.runs_per_job,
            DPUS.code: self.dpus,
        }


def limits_of(environ: Mapping[str, str]) -> Limits:
    """The limits of Glue that an environment sets: whole numbers from 1; anything else counts as not set."""
    return Limits(
        runs_per_account=_number(environ, MAX_RUNS_PER_ACCOUNT, RUNS_PER_ACCOUNT),
        runs_per_job=_number(environ, MAX_RUNS_PER_JOB, RUNS_PER_JOB),
        dpus=_number(environ, MAX_DPUS, DPUS),
    )


def lambda_concurrency(environ: Mapping[str, str]) -> int:
    """How many functions may run at once: NDJ_LAMBDA_CONCURRENCY, else what AWS allows a new account."""
    return _number(environ, LAMBDA_CONCURRENCY, CONCURRENT_EXECUTIONS)


def _number(environ: Mapping[str, str], name: str, quota: Quota) -> int:
    text = environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else int(quota.default)
