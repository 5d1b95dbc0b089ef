"""Profiles for templates, and what CloudFormation makes of a template, told apart from how ours is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ndjctl.bundles import Code, glue_bundle, lambda_bundle
from ndjctl.contracts import Names
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.model import Resource
from ndjctl.deploy.template import Template, cloudformation
from ndjctl.profiles import load_profile
from ndjctl.settings import PRESETS, Profile

ACCOUNT, REGION, CODE_BUCKET = "123456789012", "us-east-1", "releases-of-ours"
NO_VALUE = object()

EVERYTHING = (
    "suffix=all",
    f"security.kms_key_arn=arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-0123456789ab",
    f"security.permissions_boundary_arn=arn:aws:iam::{ACCOUNT}:policy/boundary",
    "network.subnets={subnet-0a1b2c3d: us-east-1a, subnet-0a1b2c3e: us-east-1b}",
    "network.security_group_ids=[sg-0a1b2c3d, sg-0a1b2c3e]",
    "alarms.email=operators@example.com",
    "tags.team=data",
    "tags.odd='K\u00f6ln: 50/50'",
    "job.spark_conf.spark.driver.extraJavaOptions=-Dx=${x} -Dy=$1",
    "retention.quarantine_days=30",
    "job.max_bad_lines=10",
    "job.max_bad_percent=1.5",
    "size_rule.min_file_size_mb=1",
    "queue.visibility_timeout_s=2000",
    "function.keep_variables=[OTHER_*]",
)
"""Assignments that set every optional setting."""

PROFILES: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    "local": ("local", None, ()),
    "dev": ("dev", None, ()),
    "prod": ("prod", None, ()),
    **{preset: ("prod", preset, ()) for preset in PRESETS},
    "everything": ("prod", None, EVERYTHING),
    "no alarms": ("dev", None, ("alarms.enabled=false", "retention.manifests_days=null", "retention.logs_days=null")),
}
"""Environment, preset and assignments."""


@cache
def profile(about: str, *more: str) -> Profile:
    env, preset, assignments = PROFILES[about]
    return load_profile(env, working_dir=Path("/nonexistent"), preset=preset, assignments=[*assignments, *more]).profile


@cache
def code() -> Code:
    return Code(lambda_bundle().index, glue_bundle().index)


@cache
def template(about: str, *more: str) -> Template:
    return cloudformation(profile(about, *more), code())


@cache
def desired(about: str) -> tuple[Resource, ...]:
    wanted = profile(about)
    return desired_state(wanted, Names(ACCOUNT, wanted.suffix), code())


def deployed(document: Mapping[str, Any], code_bucket: str = CODE_BUCKET, account_id: str = ACCOUNT) -> dict[str, Any]:
    """The template's resources with everything filled in that does not depend on other resources."""
    values = {"AWS::AccountId": account_id, "AWS::Region": REGION, "AWS::Partition": "aws", "CodeBucket": code_bucket}
    conditions = {name: _filled(value, values, {}) for name, value in document["Conditions"].items()}
    return dict(_filled(document["Resources"], values, conditions))


def _filled(value: Any, values: Mapping[str, str], conditions: Mapping[str, bool]) -> Any:
    if isinstance(value, list):
        return [each for each in (_filled(inner, values, conditions) for inner in value) if each is not NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref" and argument == "AWS::NoValue":
            return NO_VALUE
        if function == "Ref" and argument in values:
            return values[argument]
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]*)\}", lambda found: values[found[1]], argument)
        if function == "Fn::Join":
            return argument[0].join(_filled(argument[1], values, conditions))
        if function == "Fn::Equals":
            one, other = _filled(argument, values, conditions)
            return one == other
        if function == "Fn::Not":
            return not _filled(argument[0], values, conditions)
        if function == "Fn::If":
            return _filled(argument[1 if conditions[argument[0]] else 2], values, conditions)
    return {key: _filled(inner, values, conditions) for key, inner in value.items()}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar (and empty mapping or list) with its path; elements of a list by their number."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    entries = list(inner)
    if not entries:
        yield path, value
    for key, each in entries:
        yield from leaves(each, (*path, str(key)))
