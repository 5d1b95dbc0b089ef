"""Roles, the job, and the function with what feeds and wakes it, as CloudFormation has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ndjctl.contracts import FUNCTION_ALIAS, Names, s3_uri
from ndjctl.deploy.desired.access import INLINE_POLICY
from ndjctl.deploy.model import Resource
from ndjctl.deploy.policies import VERSION
from ndjctl.deploy.template.marks import CODE_BUCKET
from ndjctl.deploy.template.parts import Part, Parts, document, logical_id, present, tag_list

CODE_IS_ELSEWHERE = "CodeIsElsewhere"
"""The template's condition that the code is not in the environment's own scripts bucket."""


def role(resource: Resource, names: Names) -> Parts:
    fields = resource.fields
    policy = {sid: _reading_code(statement, names) for sid, statement in fields["Policy"].items()}
    properties = {
        "RoleName": resource.name,
        "AssumeRolePolicyDocument": {"Version": VERSION, "Statement": [fields["Trust"]]},
        "Policies": [{"PolicyName": INLINE_POLICY, "PolicyDocument": document(policy)}],
        "Tags": tag_list(fields["Tags"]),
    }
    if "PermissionsBoundary" in fields:
        properties["PermissionsBoundary"] = fields["PermissionsBoundary"]
    return {logical_id(resource.id, names): Part("AWS::IAM::Role", properties)}


def _reading_code(statement: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Who may read the scripts bucket may read the bundles where the operator put them."""
    allowed = statement["Resource"]
    if f"arn:aws:s3:::{names.scripts_bucket}/*" not in allowed:
        return dict(statement)
    code = f"arn:aws:s3:::{CODE_BUCKET}/{names.stack}/*"
    condition = {"Fn::If": [CODE_IS_ELSEWHERE, code, {"Ref": "AWS::NoValue"}]}
    return {**statement, "Resource": [*([allowed] if isinstance(allowed, str) else allowed), condition]}


def connection(resource: Resource, names: Names) -> Parts:
    properties = {
        "CatalogId": names.account_id,
        # Glue asks for properties, and one of the type NETWORK has none.
        "ConnectionInput": {"Name": resource.name, "ConnectionProperties": {}, **resource.fields},
    }
    return {logical_id(resource.id, names): Part("AWS::Glue::Connection", properties)}


def job(resource: Resource, names: Names) -> Parts:
    fields = dict(resource.fields)
    fields["Command"] = {key: _moved(value, names) for key, value in fields["Command"].items()}
    arguments = present(fields["DefaultArguments"])
    fields["DefaultArguments"] = {key: _moved(value, names) for key, value in arguments.items()}
    return {logical_id(resource.id, names): Part("AWS::Glue::Job", {"Name": resource.name, **fields})}


def _moved(value: Any, names: Names) -> Any:
    """The place of a bundle's file in the code bucket instead of the scripts bucket, under the same key."""
    ours = s3_uri(names.scripts_bucket, "")
    if not isinstance(value, str) or not value.startswith(ours):
        return value
    return {"Fn::Join": ["/", ["s3:/", _code_bucket(names), value.removeprefix(ours)]]}


def _code_bucket(names: Names) -> dict[str, Any]:
    return {"Fn::If": [CODE_IS_ELSEWHERE, CODE_BUCKET, names.scripts_bucket]}


def function(resource: Resource, names: Names) -> Parts:
    fields = resource.fields
    scripts = f"artifact/{names.scripts_bucket}/"
    (key,) = (need.removeprefix(scripts) for need in resource.needs if need.startswith(scripts))
    properties = {
        "FunctionName": resource.name,
        "Code": {"S3Bucket": _code_bucket(names), "S3Key": key},
        "Runtime": fields["Runtime"],
        "Role": fields["Role"],
        "Handler": fields["Handler"],
        "MemorySize": fields["MemorySize"],
        "Timeout": fields["Timeout"],
        "Environment": fields["Environment"],
        "ReservedConcurrentExecutions": fields["ReservedConcurrentExecutions"],
        "Tags": tag_list(fields["Tags"]),
    }
    # Left out is none of them; a stack that had them takes them away.
    if any(fields["VpcConfig"].values()):
        properties["VpcConfig"] = fields["VpcConfig"]
    if fields["KMSKeyArn"]:
        properties["KmsKeyArn"] = fields["KMSKeyArn"]
    return {logical_id(resource.id, names): Part("AWS::Lambda::Function", properties)}


def alias(resource: Resource, names: Names) -> Parts:
    """A version of what the function is now, and the alias on it. A version never changes: its logical id says what it
    holds, code and configuration, so that a change of either is a version of its own. Older ones stay, to return to."""
    configuration = resource.fields["Version"]
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:16]
    own = {"Ref": logical_id(resource.needs[0], names)}
    version_id = f"FunctionVersion{digest}"
    version = {"FunctionName": own, "CodeSha256": configuration["CodeSha256"]}
    pointing = {
        "FunctionName": own,
        "Name": FUNCTION_ALIAS,
        "FunctionVersion": {"Fn::GetAtt": [version_id, "Version"]},
    }
    return {
        version_id: Part("AWS::Lambda::Version", version, leaving="Retain"),
        logical_id(resource.id, names): Part("AWS::Lambda::Alias", pointing),
    }


def mapping(resource: Resource, names: Names) -> Parts:
    (queue,) = (need for need in resource.needs if need.startswith("queue/"))
    properties = dict(resource.fields)
    properties["FunctionName"] = properties.pop("FunctionArn")
    properties["EventSourceArn"] = {"Fn::GetAtt": [logical_id(queue, names), "Arn"]}
    return {logical_id(resource.id, names): Part("AWS::Lambda::EventSourceMapping", properties)}


def rule(resource: Resource, names: Names) -> Parts:
    fields = dict(resource.fields)
    fields["Targets"] = [{"Id": id_, "Arn": arn} for id_, arn in fields["Targets"].items()]
    fields["Tags"] = tag_list(fields["Tags"])
    return {logical_id(resource.id, names): Part("AWS::Events::Rule", {"Name": resource.name, **fields})}


def permission(resource: Resource, names: Names) -> Parts:
    fields = resource.fields
    (alias_id,) = (need for need in resource.needs if need.startswith("alias/"))
    properties = {
        # What Ref gives of an alias is its ARN.
        "FunctionName": {"Ref": logical_id(alias_id, names)},
        "Action": fields["Action"],
        "Principal": fields["Principal"]["Service"],
        "SourceArn": fields["Condition"]["ArnLike"]["AWS:SourceArn"],
    }
    return {logical_id(resource.id, names): Part("AWS::Lambda::Permission", properties)}
