"""Which keys can be what encrypts an environment: the rules for a KMS key and for its policy."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ndjctl.advice import AccountFacts, KeyFacts
from ndjctl.advice.keys import allows
from tests.unit.test_advice import KEY, codes, found

S3_LETS = {
    "Effect": "Allow",
    "Principal": {"Service": ["s3.amazonaws.com", "cloudwatch.amazonaws.com"]},
    "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
}
LOGS_LETS = {
    "Effect": "Allow",
    "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
    "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
    "Resource": "*",
}
ROOT_LETS = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
    "Resource": "*",
}
VIA_SQS = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
    "Resource": "*",
    "Condition": {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}},
}
DENIED = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}


def _policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("policy", "lacking"),
    [
        (_policy(ROOT_LETS, S3_LETS, LOGS_LETS), []),
        (_policy(ROOT_LETS), ["s3", "cloudwatch", "logs"]),
        (_policy(ROOT_LETS, S3_LETS), ["logs"]),
        (_policy(ROOT_LETS, LOGS_LETS), ["s3", "cloudwatch"]),
        (_policy(VIA_SQS, LOGS_LETS), ["s3", "cloudwatch"]),
        (_policy({**ROOT_LETS, "Principal": "*"}), []),
        (_policy({**ROOT_LETS, "Principal": {"AWS": ["*"]}}), []),
        ({"Statement": {**ROOT_LETS, "Principal": "*"}}, []),
        (_policy(S3_LETS, LOGS_LETS, DENIED), ["s3", "cloudwatch", "logs"]),
        (_policy(S3_LETS, LOGS_LETS, {**DENIED, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}), []),
        (
            _policy(S3_LETS, LOGS_LETS, {**DENIED, "NotPrincipal": {"Service": "s3.amazonaws.com"}}),
            ["cloudwatch", "logs"],
        ),
        (_policy({**S3_LETS, "Action": "KMS:*"}, LOGS_LETS), []),
        (_policy({**S3_LETS, "Action": "kms:Decryp?"}, LOGS_LETS), ["s3", "cloudwatch"]),
        (_policy("no statement", 7), ["s3", "cloudwatch", "logs"]),
        ({}, ["s3", "cloudwatch", "logs"]),
    ],
)
def test_a_keys_policy_has_to_let_the_services_in(policy: Any, lacking: list[str]) -> None:
    findings = found(f"security.kms_key_arn={KEY}", facts=AccountFacts(key=KeyFacts("Enabled", policy=policy)))
    assert [re.search(r"does not let (\w+)\.", each.sentence)[1] for each in findings] == lacking  # type: ignore[index]
    assert codes(findings) <= {"key-policy"}


def test_an_alarm_that_is_off_needs_no_key() -> None:
    facts = AccountFacts(
        key=KeyFacts("Enabled", policy=_policy(LOGS_LETS, {**S3_LETS, "Principal": {"Service": "s3.amazonaws.com"}}))
    )
    assert codes(found(f"security.kms_key_arn={KEY}", facts=facts)) == {"key-policy"}
    assert found(f"security.kms_key_arn={KEY}", "alarms.enabled=false", facts=facts) == []


def test_not_action_is_all_but_these() -> None:
    policy = _policy({"Effect": "Allow", "Principal": "*", "NotAction": ["kms:ScheduleKeyDeletion", "kms:Decrypt"]})
    assert allows(policy, "s3.amazonaws.com", "kms:GenerateDataKey")
    assert not allows(policy, "s3.amazonaws.com", "kms:Decrypt")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (KeyFacts("Enabled"), set()),
        (KeyFacts("Disabled"), {"key-state"}),
        (KeyFacts("PendingDeletion"), {"key-state"}),
        (KeyFacts("NotFound"), {"key-state"}),
        (KeyFacts("Enabled", spec="RSA_2048"), {"key-kind"}),
        (KeyFacts("Enabled", usage="SIGN_VERIFY"), {"key-kind"}),
    ],
)
def test_a_key_has_to_be_there_enabled_and_of_the_right_kind(key: KeyFacts, expected: set[str]) -> None:
    assert codes(found(f"security.kms_key_arn={KEY}", facts=AccountFacts(key=key))) == expected
    assert found(facts=AccountFacts(key=key)) == []
