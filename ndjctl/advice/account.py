"""What the account is asked, once. What it does not tell is None with a remark: a missing right stops nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ndjctl.advice.findings import NO_KEY, AccountFacts, KeyFacts
from ndjctl.advice.quotas import QUOTA_CODES, RUNS_PER_ACCOUNT, RUNS_PER_JOB, TASK_DPUS
from ndjctl.aws import error_code, is_not_found, told
from ndjctl.settings import Profile

Client = Callable[[str], Any]


def ask_account(client: Client, profile: Profile, function_name: str) -> AccountFacts:
    """Asks Lambda, Service Quotas and, where the profile names a key, KMS. client: service name -> boto3 client of the
    profile's region. Nothing that AWS answers is raised."""
    remarks: list[str] = []
    limits: Mapping[str, Any] = {}
    own: int | None = None
    quotas: dict[str, float] = {}
    key: KeyFacts | None = None

    with _remarked("concurrent executions", profile, remarks):
        limits = client("lambda").get_account_settings().get("AccountLimit", {})
        own = _reserved(client("lambda"), function_name)
    with _remarked("quotas of Glue", profile, remarks):
        quotas = _quotas(client("service-quotas"), "list_service_quotas")
        if len(quotas) < len(QUOTA_CODES):
            # The first list has no value that was never raised, for some quotas: then AWS's default is the value.
            quotas = _quotas(client("service-quotas"), "list_aws_default_service_quotas") | quotas
        remarks += [
            f"not checked: the quota '{name}': AWS lists none of that name"
            for name in QUOTA_CODES
            if name not in quotas
        ]
    if profile.security.kms_key_arn is not None:
        with _remarked("security.kms_key_arn", profile, remarks):
            key = _key(client("kms"), profile, remarks)

    return AccountFacts(
        concurrency_limit=limits.get("ConcurrentExecutions"),
        unreserved_concurrency=limits.get("UnreservedConcurrentExecutions"),
        own_concurrency=own,
        glue_runs_per_account=_whole(quotas.get(RUNS_PER_ACCOUNT)),
        glue_runs_per_job=_whole(quotas.get(RUNS_PER_JOB)),
        glue_task_dpus=quotas.get(TASK_DPUS),
        key=key,
        remarks=tuple(remarks),
    )


@contextmanager
def _remarked(what: str, profile: Profile, remarks: list[str]) -> Iterator[None]:
    """What AWS refuses inside becomes a remark; what is no error of AWS passes."""
    try:
        yield
    except Exception as error:
        sentence = told(error, profile.environment)
        if sentence is None:
            raise
        remarks.append(f"not checked: {what}: {sentence}")


def _reserved(lambda_: Any, function_name: str) -> int:
    try:
        return int(lambda_.get_function_concurrency(FunctionName=function_name).get("ReservedConcurrentExecutions", 0))
    except Exception as error:
        if not is_not_found(error):
            raise
        return 0


def _quotas(service_quotas: Any, operation: str) -> dict[str, float]:
    """Glue's quotas that are wanted, by our names. By code only one that AWS has given another name."""
    by_name: dict[str, float] = {}
    by_code: dict[str, float] = {}
    for page in service_quotas.get_paginator(operation).paginate(ServiceCode="glue"):
        for quota in page.get("Quotas", []):
            if "Value" in quota:
                by_name[_plain(quota.get("QuotaName", ""))] = quota["Value"]
                by_code[quota.get("QuotaCode", "")] = quota["Value"]
    found = {name: by_name.get(_plain(name), by_code.get(code)) for name, code in QUOTA_CODES.items()}
    return {name: value for name, value in found.items() if value is not None}


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _key(kms: Any, profile: Profile, remarks: list[str]) -> KeyFacts:
    arn = profile.security.kms_key_arn
    try:
        metadata = kms.describe_key(KeyId=arn)["KeyMetadata"]
    except Exception as error:
        if error_code(error) != "NotFoundException":
            raise
        return KeyFacts(NO_KEY)
    policy: Mapping[str, Any] | None = None
    with _remarked("policy of the key in security.kms_key_arn", profile, remarks):
        policy = _document(kms.get_key_policy(KeyId=arn, PolicyName="default").get("Policy", ""))
    return KeyFacts(
        str(metadata.get("KeyState", "")),
        str(metadata.get("KeyUsage", KeyFacts.usage)),
        str(metadata.get("KeySpec", KeyFacts.spec)),
        policy,
    )


def _document(text: str) -> Mapping[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
