"""The function, the version of it that is live, and who may invoke that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from ndjctl.deploy.kinds.base import (
    Aws,
    FieldChange,
    Kind,
    Observed,
    Resource,
    changed,
    foreign,
    found,
    parsed,
    poll,
    until_accepted,
)

UNPUBLISHED = "$LATEST"
"""What Lambda calls the function as it is: an alias on that moves with every change, before anybody looked at it."""

# A role of a moment ago is not assumable yet; a key's grant neither.
_NEW_ROLE = {"InvalidParameterValueException": "role"}
_UNDER_UPDATE = {"ResourceConflictException": "in progress", "CodeVerificationFailedException": ""}
_SETTINGS = ("Runtime", "Role", "Handler", "MemorySize", "Timeout", "Environment", "VpcConfig", "KMSKeyArn")


class FunctionKind(Kind):
    """What is there is $LATEST; what runs is the version behind the alias. Variables marked as kept stay."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        lambda_, name = aws.client("lambda"), resource.name
        function = found(lambda: lambda_.get_function(FunctionName=name))
        if function is None:
            return None
        tags = function.get("Tags", {})
        fields = {
            **configuration_fields(function["Configuration"]),
            "ReservedConcurrentExecutions": function.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "Tags": tags,
        }
        variables = fields["Environment"]["Variables"]
        kept = [each for each in variables if any(fnmatchcase(each, pattern) for pattern in resource.keep)]
        others = (
            *foreign(kept, resource.fields["Environment"]["Variables"], "kept variables"),
            *foreign(tags, resource.fields["Tags"], "tags"),
        )
        return Observed(fields, others)

    def create(self, aws: Aws, resource: Resource) -> None:
        lambda_, fields = aws.client("lambda"), resource.fields
        settings = {part: _plain(fields[part]) for part in _SETTINGS if fields[part]}
        until_accepted(
            lambda: lambda_.create_function(
                FunctionName=resource.name,
                Code=_code(resource),
                Tags=dict(fields["Tags"]),
                **settings,
            ),
            _NEW_ROLE,
            aws.sleep,
        )
        wait_ready(aws, resource.name)
        self._reserve(aws, resource)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        lambda_, name, fields, parts = aws.client("lambda"), resource.name, resource.fields, changed(changes)
        if "Tags" in parts:
            arn = aws.arn("lambda", f"function:{name}")
            lambda_.tag_resource(Resource=arn, Tags=dict(fields["Tags"]))
        settings = {part: _plain(fields[part]) for part in _SETTINGS if part in parts}
        if "Environment" in settings:
            there = lambda_.get_function_configuration(FunctionName=name).get("Environment", {}).get("Variables", {})
            kept = {k: v for k, v in there.items() if any(fnmatchcase(k, pattern) for pattern in resource.keep)}
            settings["Environment"] = {"Variables": {**kept, **fields["Environment"]["Variables"]}}
        if settings:
            wait_ready(aws, name)
            until_accepted(
                lambda: lambda_.update_function_configuration(FunctionName=name, **settings),
                {**_NEW_ROLE, **_UNDER_UPDATE},
                aws.sleep,
            )
        if "CodeSha256" in parts:
            wait_ready(aws, name)
            until_accepted(
                lambda: lambda_.update_function_code(FunctionName=name, **_code(resource)), _UNDER_UPDATE, aws.sleep
            )
        if "ReservedConcurrentExecutions" in parts:
            self._reserve(aws, resource)
        wait_ready(aws, name)

    def _reserve(self, aws: Aws, resource: Resource) -> None:
        aws.client("lambda").put_function_concurrency(
            FunctionName=resource.name,
            ReservedConcurrentExecutions=resource.fields["ReservedConcurrentExecutions"],
        )

    def delete(self, aws: Aws, resource: Resource) -> None:
        """With all its versions and aliases."""
        found(lambda: aws.client("lambda").delete_function(FunctionName=resource.name))


class AliasKind(Kind):
    """The live version is one published from the function as it is desired. An alias is moved to it in one call. facts:
    `version`, its number, where the alias is not on the function's unpublished code."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        lambda_ = aws.client("lambda")
        name, alias = resource.name.rsplit(":", 1)
        there = found(lambda: lambda_.get_alias(FunctionName=name, Name=alias))
        if there is None:
            return None
        version = found(lambda: lambda_.get_function_configuration(FunctionName=name, Qualifier=alias))
        weights = there.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        number = str(there["FunctionVersion"])
        fields = {
            "Version": configuration_fields(version) if version else {},
            "Weights": weights,
            "Published": number != UNPUBLISHED,
        }
        return Observed(fields, (), {"version": int(number)} if number.isdigit() else {})

    def create(self, aws: Aws, resource: Resource) -> None:
        name, alias = resource.name.rsplit(":", 1)
        version = self._publish(aws, resource, name)
        aws.client("lambda").create_alias(FunctionName=name, Name=alias, FunctionVersion=version)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        name, alias = resource.name.rsplit(":", 1)
        version = self._publish(aws, resource, name)
        aws.client("lambda").update_alias(
            FunctionName=name, Name=alias, FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": {}}
        )

    def _publish(self, aws: Aws, resource: Resource, name: str) -> str:
        """A version of the function as it is now; the last one again where nothing changed since."""
        lambda_ = aws.client("lambda")
        wait_ready(aws, name)
        version = until_accepted(
            lambda: lambda_.publish_version(
                FunctionName=name, CodeSha256=resource.fields["Version"]["CodeSha256"], Description="ndjctl"
            )["Version"],
            _UNDER_UPDATE,
            aws.sleep,
        )
        wait_ready(aws, name, str(version))
        return str(version)

    def delete(self, aws: Aws, resource: Resource) -> None:
        name, alias = resource.name.rsplit(":", 1)
        found(lambda: aws.client("lambda").delete_alias(FunctionName=name, Name=alias))


class PermissionKind(Kind):
    """One statement of the alias's policy; its name is function:alias:statement. One of another id that says the same
    is as good: CloudFormation makes ids up."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        name, alias, statement_id = resource.name.split(":")
        text = found(lambda: aws.client("lambda").get_policy(FunctionName=name, Qualifier=alias)["Policy"])
        statements = parsed(text).get("Statement", [])
        ours = [each for each in statements if each.get("Sid") == statement_id]
        alike = [each for each in statements if all(each.get(key) == value for key, value in resource.fields.items())]
        found_one = next(iter(ours + alike), None)
        return None if found_one is None else Observed(found_one)

    def create(self, aws: Aws, resource: Resource) -> None:
        name, alias, statement_id = resource.name.split(":")
        aws.client("lambda").add_permission(
            FunctionName=name,
            Qualifier=alias,
            StatementId=statement_id,
            Action=resource.fields["Action"],
            Principal=resource.fields["Principal"]["Service"],
            SourceArn=resource.fields["Condition"]["ArnLike"]["AWS:SourceArn"],
        )

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        # A statement cannot be changed; between the two calls events are refused, and EventBridge tries them again.
        self.delete(aws, resource)
        self.create(aws, resource)

    def delete(self, aws: Aws, resource: Resource) -> None:
        name, alias, statement_id = resource.name.split(":")
        lambda_ = aws.client("lambda")
        found(lambda: lambda_.remove_permission(FunctionName=name, Qualifier=alias, StatementId=statement_id))


class MappingKind(Kind):
    """The queue feeds the live version. A mapping of that queue to any version of the function is ours, and where there
    are several, that to the live one."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        mappings = self._mappings(aws, resource)
        if not mappings:
            return None
        mapping, *others = mappings
        is_enabled = mapping.get("State") not in ("Disabled", "Disabling")
        told = foreign([str(each["UUID"]) for each in others], {}, "other mappings of the queue to the function")
        return Observed({**mapping, "Enabled": is_enabled}, told)

    def create(self, aws: Aws, resource: Resource) -> None:
        until_accepted(
            lambda: aws.client("lambda").create_event_source_mapping(
                EventSourceArn=self._queue(aws), **self._arguments(resource)
            ),
            {**_NEW_ROLE, "InvalidParameterValueException": ""},  # the role's rights on the queue, as well
            aws.sleep,
            timeout_s=60,
        )

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        mappings = self._mappings(aws, resource)
        if not mappings:
            self.create(aws, resource)
            return
        id_ = mappings[0]["UUID"]
        until_accepted(
            lambda: aws.client("lambda").update_event_source_mapping(UUID=id_, **self._arguments(resource)),
            {"ResourceInUseException": "", "ResourceConflictException": ""},
            aws.sleep,
        )

    def delete(self, aws: Aws, resource: Resource) -> None:
        lambda_ = aws.client("lambda")
        for mapping in self._mappings(aws, resource):
            delete = partial(lambda_.delete_event_source_mapping, UUID=mapping["UUID"])
            found(partial(until_accepted, delete, {"ResourceInUseException": ""}, aws.sleep))

    def _arguments(self, resource: Resource) -> dict[str, Any]:
        fields = dict(resource.fields)
        return {"FunctionName": fields.pop("FunctionArn"), **{key: _plain(value) for key, value in fields.items()}}

    def _queue(self, aws: Aws) -> str:
        return aws.arn("sqs", aws.names.queue)

    def _mappings(self, aws: Aws, resource: Resource) -> list[dict[str, Any]]:
        """All of the queue to the function, that to the live version first."""
        pages = aws.client("lambda").get_paginator("list_event_source_mappings")
        function = aws.arn("lambda", f"function:{resource.name}")
        mappings: list[dict[str, Any]] = []
        for page in pages.paginate(EventSourceArn=self._queue(aws)):
            for mapping in page["EventSourceMappings"]:
                arn = str(mapping.get("FunctionArn", ""))
                if (arn == function or arn.startswith(f"{function}:")) and mapping.get("State") != "Deleting":
                    mappings.append(dict(mapping))
        return sorted(mappings, key=lambda each: each["FunctionArn"] != resource.fields["FunctionArn"])


def configuration_fields(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What GetFunctionConfiguration gives, in the shape of the desired fields."""
    network = configuration.get("VpcConfig", {})
    return {
        "Runtime": configuration.get("Runtime"),
        "Role": configuration.get("Role"),
        "Handler": configuration.get("Handler"),
        "MemorySize": configuration.get("MemorySize"),
        "Timeout": configuration.get("Timeout"),
        "Environment": {"Variables": configuration.get("Environment", {}).get("Variables", {})},
        "VpcConfig": {
            "SubnetIds": sorted(network.get("SubnetIds", [])),
            "SecurityGroupIds": sorted(network.get("SecurityGroupIds", [])),
        },
        "KMSKeyArn": configuration.get("KMSKeyArn", ""),
        "CodeSha256": configuration.get("CodeSha256"),
    }


def wait_ready(aws: Aws, name: str, version: str | None = None) -> None:
    """Returns once the function (or one version of it) can be used and changed."""
    qualifier = {"Qualifier": version} if version else {}

    def ready() -> bool:
        state = aws.client("lambda").get_function_configuration(FunctionName=name, **qualifier)
        return bool(state.get("State", "Active") == "Active" and state.get("LastUpdateStatus") != "InProgress")

    poll(ready, f"The function {name}", aws.sleep)


def _code(resource: Resource) -> dict[str, str]:
    """The function's zip in the scripts bucket: among what the function needs there is one such artifact."""
    place = next(need for need in resource.needs if need.startswith("artifact/")).removeprefix("artifact/")
    bucket, key = place.split("/", 1)
    return {"S3Bucket": bucket, "S3Key": key}


def _plain(value: Any) -> Any:
    """A copy that boto3 takes: dicts and lists only."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, (list, tuple)) else value
