"""Whether a KMS key can be what encrypts the environment. Pure.

Principals of the account get their rights from their roles; services such as S3 only from the key's own policy, and
where that is silent they fail in silence: S3 drops the event, CloudWatch the alarm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ndjctl.advice.findings import NO_KEY, AccountFacts, Finding
from ndjctl.settings import Profile

_PATH = "security.kms_key_arn"
_DATA_KEYS = ("kms:GenerateDataKey", "kms:Decrypt")
_OF_LOGS = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
)


def key_findings(profile: Profile, facts: AccountFacts) -> Iterator[Finding]:
    arn = profile.security.kms_key_arn
    if arn is None:
        return
    region = arn.split(":")[3]
    if region != profile.region:
        yield Finding(
            "key-region",
            "error",
            _PATH,
            f"{_PATH} is a key of {region}, and region is {profile.region}: queue, tables and logs take a key of "
            f"their own region only; name one of {profile.region}",
        )
    key = facts.key
    if key is None:
        return
    if key.state != "Enabled":
        is_gone = key.state == NO_KEY
        what = "that KMS does not know" if is_gone else f"whose state is {key.state!r}, not Enabled"
        yield Finding(
            "key-state",
            "error",
            _PATH,
            f"{_PATH} is a key {what}: nothing can be encrypted with it or read; "
            f"{'name another' if is_gone else 'enable it, or name another'}",
        )
    if (key.usage, key.spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        yield Finding(
            "key-kind",
            "error",
            _PATH,
            f"{_PATH} is a key of the kind {key.spec!r} for {key.usage!r}, and services encrypt with "
            f"SYMMETRIC_DEFAULT keys for ENCRYPT_DECRYPT only; name one of these",
        )
    if key.policy is not None:
        for principal, actions, what in _needs(profile, arn):
            missing = [action for action in actions if not allows(key.policy, principal, action)]
            if missing:
                yield Finding(
                    "key-policy",
                    "error",
                    _PATH,
                    f"{_PATH} is a key whose policy does not let {principal} use it ({', '.join(missing)}): {what}; "
                    f"add a statement with that service as principal and these actions to the key's policy",
                )


def _needs(profile: Profile, arn: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Service principals, the actions they need, and what happens without."""
    domain = "amazonaws.com.cn" if arn.startswith("arn:aws-cn:") else "amazonaws.com"
    yield "s3.amazonaws.com", _DATA_KEYS, "S3 cannot send file events to the encrypted queue"
    if profile.alarms.enabled:
        yield "cloudwatch.amazonaws.com", _DATA_KEYS, "alarms do not reach the encrypted topic"
    yield f"logs.{profile.region}.{domain}", _OF_LOGS, "the encrypted log group is refused"


def allows(policy: Mapping[str, Any], principal: str, action: str) -> bool:
    """Whether a key policy lets a service do it.

    A condition on a statement that names the service counts as met (a source account, an encryption context); one on a
    statement for everybody does not (kms:ViaService and kms:CallerAccount are never met by a service itself).
    """
    statements = policy.get("Statement", [])
    allowed = False
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, Mapping) or not _concerns(statement, action):
            continue
        who = _who(statement, principal)
        conditional = bool(statement.get("Condition"))
        if statement.get("Effect") == "Deny":
            if who is not None and not conditional:
                return False
        elif who == "named" or (who == "everybody" and not conditional):
            allowed = True
    return allowed


def _who(statement: Mapping[str, Any], principal: str) -> str | None:
    """How a statement means the service: 'named', 'everybody', or None for not at all."""
    if "NotPrincipal" in statement:
        excepted = _services(statement["NotPrincipal"])
        return None if principal in excepted else "everybody"
    given = statement.get("Principal")
    if principal in _services(given):
        return "named"
    if given == "*" or (isinstance(given, Mapping) and "*" in _listed(given.get("AWS"))):
        return "everybody"
    return None


def _services(principal: object) -> list[str]:
    return _listed(principal.get("Service")) if isinstance(principal, Mapping) else []


def _concerns(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(_matches(pattern, action) for pattern in _listed(statement["NotAction"]))
    return any(_matches(pattern, action) for pattern in _listed(statement.get("Action")))


def _matches(pattern: str, action: str) -> bool:
    parts = re.split(r"([*?])", pattern)
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]
