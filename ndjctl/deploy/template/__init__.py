"""The desired state as a CloudFormation template: a pure function of a profile and the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ndjctl.bundles import Code
from ndjctl.contracts import Names
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.model import Resource
from ndjctl.deploy.template import compute, storage, watching
from ndjctl.deploy.template.marks import ACCOUNT, CODE_BUCKET_PARAMETER, REGION, resolved
from ndjctl.deploy.template.parts import Part, Parts, references
from ndjctl.settings import Profile

LEFT_OUT: Final[Mapping[str, str]] = {
    "artifact": "CloudFormation writes no objects: the bundles are uploaded before, and the parameter "
    f"{CODE_BUCKET_PARAMETER} says where; the job's script and library are read from there.",
    "function.keep_variables": "CloudFormation sets a function's environment variables whole: those of others go.",
    "permission.name": "CloudFormation makes up the statement id of a permission.",
    "notification.id": "CloudFormation makes up the id of a notification, and sets a bucket's notifications whole.",
}
"""What of the desired state CloudFormation cannot express, and why. All else is in the template."""

_BUILDERS: Final[Mapping[str, Callable[[Resource, Names], Parts]]] = {
    "bucket": storage.bucket,
    "notification": storage.notification,
    "queue": storage.queue,
    "table": storage.table,
    "role": compute.role,
    "connection": compute.connection,
    "job": compute.job,
    "function": compute.function,
    "alias": compute.alias,
    "mapping": compute.mapping,
    "rule": compute.rule,
    "permission": compute.permission,
    "log-group": watching.log_group,
    "topic": watching.topic,
    "subscription": watching.subscription,
    "alarm": watching.alarm,
    "dashboard": watching.dashboard,
}


@dataclass(frozen=True)
class Template:
    """document: the template. stack: what the stack is called. code: name of a bundle's file -> the key under which it
    has to be in the bucket that the parameter names."""

    document: dict[str, Any]
    stack: str
    code: dict[str, str]

    @property
    def resources(self) -> int:
        return len(self.document["Resources"])


def cloudformation(profile: Profile, code: Code) -> Template:
    """The template of the environment of `profile`, for any account, running `code`."""
    names = Names(ACCOUNT, profile.suffix)
    desired = desired_state(_anywhere(profile), names, code)
    artifacts = [resource.name for resource in desired if resource.kind == "artifact"]
    keys = [place.removeprefix(f"{names.scripts_bucket}/") for place in artifacts]
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"ndjctl environment {profile.environment} in {profile.region}: NDJSON on S3 to Parquet",
        "Metadata": {"ndjctl": {"environment": profile.environment, "left out": dict(LEFT_OUT)}},
        "Parameters": {
            CODE_BUCKET_PARAMETER: {
                "Type": "String",
                "Default": "",
                "Description": f"Bucket that holds the bundles under {names.stack}/; empty: the scripts bucket does",
                "AllowedPattern": "^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
                "ConstraintDescription": "the name of a bucket in the stack's region, or nothing",
            }
        },
        "Rules": {
            "Region": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Equals": [{"Ref": "AWS::Region"}, profile.region]},
                        "AssertDescription": f"The profile {profile.environment} is for {profile.region}",
                    }
                ]
            }
        },
        "Conditions": {compute.CODE_IS_ELSEWHERE: {"Fn::Not": [{"Fn::Equals": [{"Ref": CODE_BUCKET_PARAMETER}, ""]}]}},
        "Resources": _resources(desired, names),
    }
    return Template(resolved(document), names.stack, {key.rsplit("/", 1)[-1]: key for key in keys})


def _anywhere(profile: Profile) -> Profile:
    """`profile` with the mark in place of its region. It was checked before; a copy is not."""
    subnets = {
        subnet: REGION + zone.removeprefix(profile.region) if zone.startswith(profile.region) else zone
        for subnet, zone in profile.network.subnets.items()
    }
    network = profile.network.model_copy(update={"subnets": subnets})
    return profile.model_copy(update={"region": REGION, "network": network})


def parts_of(resource: Resource, names: Names) -> Parts:
    """What `resource` is in a template; nothing for one that is to be gone or that CloudFormation cannot make. Raises
    KeyError for a kind that is not known here."""
    return {} if resource.kind == "artifact" or not resource.wanted else _BUILDERS[resource.kind](resource, names)


def _resources(desired: Sequence[Resource], names: Names) -> dict[str, Any]:
    made = {resource.id: parts_of(resource, names) for resource in desired}
    found: dict[str, Part] = {}
    needed: dict[str, set[str]] = {}
    for resource in desired:
        needs = {part for need in resource.needs for part in made[need]}
        for name, part in made[resource.id].items():
            if name in found:  # a bucket and its notification are one resource there
                part = Part(part.type, {**found[name].properties, **part.properties}, part.leaving)
            found[name] = part
            needed[name] = needed.get(name, set()) | needs
    return {name: _entry(part, needed[name] - {name, f"{name}Policy"}) for name, part in found.items()}


def _entry(part: Part, needs: set[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"Type": part.type}
    # Whoever refers to another waits for it anyway.
    waits = sorted(needs - set(references(part.properties)))
    if waits:
        entry["DependsOn"] = waits
    if part.leaving is not None:
        entry |= {"DeletionPolicy": part.leaving, "UpdateReplacePolicy": part.leaving}
    return {**entry, "Properties": part.properties}
