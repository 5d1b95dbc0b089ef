"""Who may do what: the roles of the function and the job."""

from __future__ import annotations

from typing import Any

from ndjctl.deploy import policies
from ndjctl.deploy.desired.common import Setting, by_sid, trust
from ndjctl.deploy.model import Resource

INLINE_POLICY = "ndjctl"
"""The name of the roles' inline policy. Other policies on a role are left alone."""


def roles(setting: Setting) -> tuple[Resource, ...]:
    names, arns, profile = setting.names, setting.arns, setting.profile
    function = policies.function_policy(arns, profile.security, profile.network)
    job = policies.job_policy(arns, profile.security, profile.network, metrics=profile.job.metrics)
    return (
        _role(setting, names.job_role, "glue", job),
        _role(setting, names.function_role, "lambda", function),
    )


def _role(setting: Setting, name: str, service: str, policy: dict[str, Any]) -> Resource:
    fields: dict[str, Any] = {
        "Trust": trust(policies.trust_policy(f"{service}.amazonaws.com")),
        "Policy": by_sid(policy),
        "Tags": setting.global_tags,
    }
    # Without one in the profile a boundary that the account's rules have put on the role is none of ours.
    if setting.profile.security.permissions_boundary_arn is not None:
        fields["PermissionsBoundary"] = setting.profile.security.permissions_boundary_arn
    return Resource("role", name, fields, whole=(("Trust",), ("Policy",)))
