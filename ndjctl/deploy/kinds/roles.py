"""IAM roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ndjctl.deploy.desired.access import INLINE_POLICY
from ndjctl.deploy.desired.common import by_sid, trust
from ndjctl.deploy.kinds.base import (
    Aws,
    FieldChange,
    Kind,
    Observed,
    Resource,
    changed,
    foreign,
    found,
    tag_list,
    tag_map,
)
from ndjctl.deploy.kinds.documents import whole_policy
from ndjctl.deploy.model import ABSENT
from ndjctl.deploy.policies import VERSION, to_json


class RoleKind(Kind):
    """A role with one inline policy of ours. Other policies on it are left alone."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        iam, name = aws.client("iam"), resource.name
        role = found(lambda: iam.get_role(RoleName=name)["Role"])
        if role is None:
            return None
        policy = found(lambda: iam.get_role_policy(RoleName=name, PolicyName=INLINE_POLICY)["PolicyDocument"])
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        tags = tag_map(role.get("Tags", []))
        fields = {
            "Trust": trust(role.get("AssumeRolePolicyDocument") or {}),
            "Policy": by_sid(policy or {}),
            "PermissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ABSENT),
            "Tags": tags,
        }
        others = (
            *foreign([each["PolicyName"] for each in attached], {}, "attached policies"),
            *foreign(inline, {INLINE_POLICY: ()}, "inline policies"),
            *foreign(tags, resource.fields["Tags"], "tags"),
        )
        return Observed(fields, others)

    def create(self, aws: Aws, resource: Resource) -> None:
        fields = resource.fields
        boundary = fields.get("PermissionsBoundary")
        aws.client("iam").create_role(
            RoleName=resource.name,
            AssumeRolePolicyDocument=_trust_text(fields),
            Tags=tag_list(fields["Tags"]),
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        self._set(aws, resource, {"Policy"})

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        self._set(aws, resource, changed(changes))

    def _set(self, aws: Aws, resource: Resource, parts: set[str]) -> None:
        iam, name, fields = aws.client("iam"), resource.name, resource.fields
        if "Tags" in parts:
            iam.tag_role(RoleName=name, Tags=tag_list(fields["Tags"]))
        if "PermissionsBoundary" in parts:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=fields["PermissionsBoundary"])
        if "Trust" in parts:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=_trust_text(fields))
        if "Policy" in parts:
            document = whole_policy(fields["Policy"])
            iam.put_role_policy(RoleName=name, PolicyName=INLINE_POLICY, PolicyDocument=document)

    def delete(self, aws: Aws, resource: Resource) -> None:
        """With our policy. A role that others have given policies stays, and IAM says why (DeleteConflict)."""
        iam, name = aws.client("iam"), resource.name
        found(lambda: iam.delete_role_policy(RoleName=name, PolicyName=INLINE_POLICY))
        found(lambda: iam.delete_role(RoleName=name))


def _trust_text(fields: Mapping[str, Any]) -> str:
    return to_json({"Version": VERSION, "Statement": [dict(fields["Trust"])]})
