"""What is asked for against what the account may have. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ndjctl.advice.findings import AccountFacts, Finding
from ndjctl.settings import Profile

RUNS_PER_ACCOUNT = "Max concurrent job runs per account"
RUNS_PER_JOB = "Max concurrent job runs per job"
TASK_DPUS = "Max task DPUs per account"

QUOTA_CODES = {RUNS_PER_ACCOUNT: "L-5E4153CA", RUNS_PER_JOB: "L-F574AED9", TASK_DPUS: "L-08F3B322"}
"""Quotas of Glue by name, and the codes they are known by. The name decides: the predecessor's code for the first one,
L-5D963659, was another quota's."""

ALWAYS_UNRESERVED = 100
"""Concurrent executions that Lambda keeps for functions without a reservation (AWS Lambda developer guide, "Configuring
reserved concurrency")."""


def quota_findings(profile: Profile, facts: AccountFacts) -> Iterator[Finding]:
    """Nothing for a quota that could not be asked."""
    yield from _concurrency(profile, facts)
    yield from _runs(profile, facts)
    yield from _dpus(profile, facts)


def _concurrency(profile: Profile, facts: AccountFacts) -> Iterator[Finding]:
    if facts.unreserved_concurrency is None or facts.own_concurrency is None:
        return
    wanted = profile.function.reserved_concurrency
    free = max(facts.unreserved_concurrency + facts.own_concurrency - ALWAYS_UNRESERVED, 0)
    if wanted <= free:
        return
    path, remedy = "function.reserved_concurrency", "ask AWS for more concurrent executions"
    if facts.concurrency_limit is not None:
        others = facts.concurrency_limit - facts.unreserved_concurrency - facts.own_concurrency
        remedy += (
            f" (Service Quotas, lambda, 'Concurrent executions': {wanted + others + ALWAYS_UNRESERVED} instead of "
            f"{facts.concurrency_limit})"
        )
    remedy += f", or set it to {free} or less" if free else ""
    yield Finding(
        "concurrency-quota",
        "error",
        path,
        f"{path} is {wanted}, and the account has {free} left to reserve beside the {ALWAYS_UNRESERVED} that must stay "
        f"unreserved: AWS refuses the reservation; {remedy}",
    )


def _runs(profile: Profile, facts: AccountFacts) -> Iterator[Finding]:
    path, wanted = "job.max_concurrent_runs", profile.job.max_concurrent_runs
    for name, quota, code, whose in (
        (RUNS_PER_ACCOUNT, facts.glue_runs_per_account, "runs-per-account", "all jobs of the account together"),
        (RUNS_PER_JOB, facts.glue_runs_per_job, "runs-per-job", "one job"),
    ):
        if quota is not None and wanted > quota:
            yield Finding(
                code,
                "warning",
                path,
                f"{path} is {wanted}, and the account's quota '{name}' is {quota} in this region, for {whose}: Glue "
                f"refuses the runs beyond it, and their manifests wait; ask AWS for {wanted} (Service Quotas, glue), "
                f"or set it to {quota} or less",
            )


def _dpus(profile: Profile, facts: AccountFacts) -> Iterator[Finding]:
    job, quota = profile.job, facts.glue_task_dpus
    needed = job.max_concurrent_runs * job.dpus
    if quota is None or needed <= quota:
        return
    path, fitting = "job.max_concurrent_runs", int(quota // job.dpus)
    lower = f"set it to {fitting} or less" if fitting else "lower job.workers"
    yield Finding(
        "dpus",
        "warning",
        path,
        f"{path} is {job.max_concurrent_runs} with {job.dpus:g} DPUs each (job.workers is {job.workers}, "
        f"job.worker_type {job.worker_type}), {needed:g} together, and the account's quota '{TASK_DPUS}' is {quota:g} "
        f"in this region: Glue refuses the runs beyond it, and their manifests wait; ask AWS for {needed:g} (Service "
        f"Quotas, glue), or {lower}",
    )
