"""What is seen of the resources that the advice is about: by a plan, or by a look at them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ndjctl.advice import Observed as Seen
from ndjctl.contracts import Names
from ndjctl.deploy.kinds.base import Aws, Kind
from ndjctl.deploy.model import ABSENT, Observed, Plan, Resource
from ndjctl.deploy.patience import patient
from ndjctl.reading import attempt

NOTHING = Seen()


def seen_of(plan: Plan, names: Names) -> Seen:
    """None for what is not there."""
    return _seen({step.resource.id: step.observed for step in plan.steps}, names)


def look_at_advised(
    resources: Sequence[Resource], aws: Aws, kinds: Mapping[str, Kind], environment: str
) -> tuple[Seen, tuple[str, ...]]:
    """The queue, the function and the job of `resources`, read once each, and a remark for each that could not be
    read: a missing right stops nobody. None for what is not there, or was not read."""
    advised = {f"queue/{aws.names.queue}", f"function/{aws.names.function}", f"job/{aws.names.job}"}
    asking = patient(aws)
    there: dict[str, Observed | None] = {}
    remarks: list[str] = []
    for resource in resources:
        if resource.id in advised:
            read: Callable[[], Observed | None] = partial(kinds[resource.kind].observe, asking, resource)
            reading = attempt(read, environment)
            there[resource.id] = reading.value
            if not reading.was_read:
                remarks.append(f"not checked: the {resource.kind} {resource.name}: {reading.sentence}")
    return _seen(there, aws.names), tuple(remarks)


def _seen(observed: Mapping[str, Observed | None], names: Names) -> Seen:
    there = {id_: each.fields for id_, each in observed.items() if each is not None}
    queue = there.get(f"queue/{names.queue}", {})
    function = there.get(f"function/{names.function}", {})
    job = there.get(f"job/{names.job}", {})
    arguments = job.get("DefaultArguments")
    return Seen(
        queue_visibility_timeout_s=_number(queue.get("VisibilityTimeout")),
        queue_max_receives=_number(_mapping(queue.get("RedrivePolicy")).get("maxReceiveCount")),
        function_runtime=_text(function.get("Runtime")),
        job_command=_text(_mapping(job.get("Command")).get("Name")),
        job_glue_version=_text(job.get("GlueVersion")),
        job_arguments={name: value for name, value in arguments.items() if value is not ABSENT}
        if isinstance(arguments, Mapping)
        else None,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
