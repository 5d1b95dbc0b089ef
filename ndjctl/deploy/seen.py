"""What a plan saw of the resources that the advice is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ndjctl.advice import Observed as Seen
from ndjctl.contracts import Names
from ndjctl.deploy.model import ABSENT, Plan


def seen_of(plan: Plan, names: Names) -> Seen:
    """None for what is not there."""
    there = {step.resource.id: step.observed.fields for step in plan.steps if step.observed is not None}
    queue = there.get(f"queue/{names.queue}", {})
    function = there.get(f"function/{names.function}", {})
    job = there.get(f"job/{names.job}", {})
    arguments = {k: v for k, v in _mapping(job.get("DefaultArguments")).items() if v is not ABSENT}
    return Seen(
        queue_visibility_timeout_s=_number(queue.get("VisibilityTimeout")),
        queue_max_receives=_number(_mapping(queue.get("RedrivePolicy")).get("maxReceiveCount")),
        function_runtime=_text(function.get("Runtime")),
        job_command=_text(_mapping(job.get("Command")).get("Name")),
        job_glue_version=_text(job.get("GlueVersion")),
        job_arguments={k: v for k, v in arguments.items() if v is not ABSENT}
        if isinstance(arguments, Mapping)
        else None,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
