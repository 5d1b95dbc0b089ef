"""Rows about the roles: what they may, and who may take them."""

from __future__ import annotations

from tests.drift.hands import Hands
from tests.drift.row import row

JOB_ROLE, FUNCTION_ROLE = "role/{n.job_role}", "role/{n.function_role}"
PUT_POLICY, TRUST = "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"


def widen(hands: Hands, actions: str) -> None:
    """The job's rights on objects, on more than the reading."""
    hands.role_policy(
        hands.names.job_role, lambda statements: statements["ReadObjects"].update(Action=["s3:GetObject", actions])
    )


ROWS = [
    row(
        "statement with one action more", JOB_ROLE, "Policy.ReadObjects.Action", PUT_POLICY, lambda h: widen(h, "s3:*")
    ),
    row(
        "statement with a condition",
        JOB_ROLE,
        "Policy.WriteObjects.Condition",
        PUT_POLICY,
        lambda h: h.role_policy(
            h.names.job_role, lambda s: s["WriteObjects"].update(Condition={"Bool": {"aws:SecureTransport": "true"}})
        ),
    ),
    row(
        "statement denied",
        FUNCTION_ROLE,
        "Policy.Ledger.Effect",
        PUT_POLICY,
        lambda h: h.role_policy(h.names.function_role, lambda s: s["Ledger"].update(Effect="Deny")),
    ),
    row(
        "statement removed",
        FUNCTION_ROLE,
        "Policy.Queue",
        PUT_POLICY,
        lambda h: h.role_policy(h.names.function_role, lambda s: s.pop("Queue")),
    ),
    row(
        "statement added",
        FUNCTION_ROLE,
        "Policy.Everything",
        PUT_POLICY,
        lambda h: h.role_policy(
            h.names.function_role,
            lambda s: s.update(x={"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}),
        ),
    ),
    row(
        "policy deleted",
        FUNCTION_ROLE,
        "Policy.*",
        PUT_POLICY,
        lambda h: h.iam.delete_role_policy(RoleName=h.names.function_role, PolicyName="ndjctl"),
    ),
    row(
        "trust in another service",
        JOB_ROLE,
        "Trust.Principal.Service",
        TRUST,
        lambda h: h.trust(h.names.job_role, lambda s: s[0].update(Principal={"Service": "ec2.amazonaws.com"})),
    ),
    row(
        "trust in an account as well",
        JOB_ROLE,
        "Trust.Principal.AWS",
        TRUST,
        lambda h: h.trust(h.names.job_role, lambda s: s[0]["Principal"].update(AWS="999999999999")),
    ),
    row(
        "trust with one statement more",
        FUNCTION_ROLE,
        "Trust.statement 2",
        TRUST,
        lambda h: h.trust(
            h.names.function_role,
            lambda s: s.append({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        ),
    ),
    row(
        "role's tag",
        JOB_ROLE,
        "Tags.ndjctl:environment",
        "iam:TagRole",
        lambda h: h.iam.untag_role(RoleName=h.names.job_role, TagKeys=["ndjctl:environment"]),
    ),
]
