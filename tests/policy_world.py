"""Judges AWS calls by the policies of roles, with the evaluator that the embedded cloud has for IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from ndjctl.aws import is_not_found
from ndjctl.contracts import METRIC_NAMESPACE, Names
from ndjctl.deploy.desired.access import INLINE_POLICY

REGION = "us-east-1"
_PLAIN = Names("000000000000")


@dataclass(frozen=True)
class Call:
    """What IAM checks for one call of the function or the job. role: whose policies count."""

    account: str
    role: str
    action: str
    resource: str


def is_allowed(document: Mapping[str, Any], action: str, resource: str, **context: str) -> bool:
    """Whether a role with this policy alone may do it. context: keys of the service, such as namespace of CloudWatch,
    without the service's name."""
    service = action.partition(":")[0]
    keys = {f"{service}:{key}": value for key, value in context.items()}
    request = EvalContext(
        principal_arn="arn:aws:sts::123456789012:assumed-role/r/s",
        principal_type="AssumedRole",
        principal_account="123456789012",
        action=action,
        # IAM's * takes any character; the evaluator's ends at a line end, which a key may have.
        resource_arn=resource.replace("\n", " ").replace("\r", " "),
        region=REGION,
        secure_transport=True,
        source_ip="10.0.0.1",
        service_context=keys,
    )
    return bool(evaluate(request, [_parsed(json.dumps(document, sort_keys=True))]).decision == "Allow")


@cache
def _parsed(document: str) -> Any:
    return parse_policy_document(document)


def pipeline_calls(path: Path) -> Iterator[Call]:
    """The calls that functions and jobs of this project made, from a record of the embedded cloud."""
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        caller = entry["caller"]
        role = _role(str(caller.get("function") or caller.get("job") or ""))
        if role is not None:
            yield Call(entry["account"], role, entry["action"], entry["resource"])
        assert entry["action"] != "unknown", "the record has a hole"


def _role(name: str) -> str | None:
    """The role of a function or job of ours, by its name; None for those of others."""
    for base, role in ((_PLAIN.function, "function_role"), (_PLAIN.job, "job_role")):
        if name == base or name.startswith(f"{base}-"):
            return str(getattr(Names("0" * 12, name.removeprefix(base).removeprefix("-")), role))
    return None


def iam_of(endpoint_url: str | None) -> Callable[[str], Any]:
    """Account -> the IAM client of that account of an embedded cloud."""

    def client(account: str) -> Any:
        return boto3.client(
            "iam",
            region_name=REGION,
            endpoint_url=endpoint_url,
            aws_access_key_id=account,
            aws_secret_access_key="x",
        )

    return client


def refused(calls: Iterator[Call], iam: Callable[[str], Any]) -> tuple[set[Call], set[Call]]:
    """Calls that the role's policy, as it is deployed now, does not allow; and all that were judged. iam: account ->
    client. Roles that are gone are left out."""

    @cache
    def policy(account: str, role: str) -> Mapping[str, Any] | None:
        try:
            answer = iam(account).get_role_policy(RoleName=role, PolicyName=INLINE_POLICY)
        except Exception as error:
            if not is_not_found(error):
                raise
            return None
        return dict(answer["PolicyDocument"])

    judged, denied = set(), set()
    for call in set(calls):
        document = policy(call.account, call.role)
        if document is None:
            continue
        judged.add(call)
        context = {"namespace": METRIC_NAMESPACE} if call.action == "cloudwatch:PutMetricData" else {}
        if not is_allowed(document, call.action, call.resource, **context):
            denied.add(call)
    return denied, judged
