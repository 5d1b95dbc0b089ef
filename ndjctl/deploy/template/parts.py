"""What a template's resources are made of, whatever they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ndjctl.contracts import FUNCTION_ALIAS, Names
from ndjctl.deploy.model import ABSENT
from ndjctl.deploy.policies import VERSION


@dataclass(frozen=True)
class Part:
    """One resource of a template. properties: with marks for what CloudFormation fills in. leaving: what becomes of it
    when it leaves the stack, or the stack goes; None where it holds nothing and the question does not arise."""

    type: str
    properties: Mapping[str, Any]
    leaving: Literal["Retain", "Delete"] | None = None


Parts = dict[str, Part]
"""Parts by their logical id."""


def logical_id(resource_id: str, names: Names) -> str:
    """What a resource of the desired state is called in the template: letters and digits, the same whatever the
    environment's suffix. Raises KeyError for one that has no place in it."""
    kind, name = resource_id.split("/", 1)
    if kind == "connection":
        return "Connection" + _camel(name.removeprefix(names.connection("")))
    if kind == "alarm":
        return _camel(name.removeprefix(names.alarm(""))) + "Alarm"
    if kind == "permission":
        about = name.removeprefix(f"{names.live_function}:ndjctl-").removesuffix(f"-{FUNCTION_ALIAS}")
        return _camel(about) + "Permission"
    return _fixed(names)[resource_id]


def _fixed(names: Names) -> dict[str, str]:
    return {
        f"bucket/{names.input_bucket}": "InputBucket",
        f"bucket/{names.manifest_bucket}": "ManifestBucket",
        f"bucket/{names.output_bucket}": "OutputBucket",
        f"bucket/{names.quarantine_bucket}": "QuarantineBucket",
        f"bucket/{names.scripts_bucket}": "ScriptsBucket",
        f"notification/{names.input_bucket}": "InputBucket",
        f"queue/{names.queue}": "EventQueue",
        f"queue/{names.dead_letter_queue}": "DeadLetterQueue",
        f"table/{names.tracking_table}": "TrackingTable",
        f"table/{names.metrics_table}": "MetricsTable",
        f"role/{names.job_role}": "JobRole",
        f"role/{names.function_role}": "FunctionRole",
        f"log-group/{names.function_log_group}": "FunctionLogGroup",
        f"job/{names.job}": "Job",
        f"function/{names.function}": "Function",
        f"alias/{names.live_function}": "FunctionAlias",
        f"mapping/{names.function}": "FunctionEvents",
        f"rule/{names.sweep_rule}": "SweepRule",
        f"rule/{names.run_state_rule}": "RunStateRule",
        f"topic/{names.alarm_topic}": "AlarmTopic",
        f"dashboard/{names.dashboard}": "Dashboard",
    }


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are to be there. What must not be there is left out: CloudFormation then sets its default."""
    return {key: value for key, value in fields.items() if value is not ABSENT}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def document(statements: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A policy of statements by their Sid."""
    return {"Version": VERSION, "Statement": [{"Sid": sid, **statement} for sid, statement in statements.items()]}


def references(value: Any) -> Iterator[str]:
    """The names that a Ref or Fn::GetAtt anywhere in `value` refers to."""
    if isinstance(value, Mapping):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
