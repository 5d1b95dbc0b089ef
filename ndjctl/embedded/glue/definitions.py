"""What a job definition comes to: defaults, capacity and the rules that Glue has beyond its service model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ndjctl.contracts import split_s3_uri
from ndjctl.embedded.glue.errors import INVALID_INPUT, GlueError

_WORKER_DPUS = {"Standard": 1.0, "G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0, "Z.2X": 2.0}
_WORKER_DPUS |= {"G.12X": 12.0, "G.16X": 16.0, "R.1X": 1.0, "R.2X": 2.0, "R.4X": 4.0, "R.8X": 8.0}
_TWO_WORKERS_AT_LEAST = ("G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X")
_DEFAULT_DPUS = 10.0
_VERSIONS = ("0.9", "1.0", "2.0", "3.0", "4.0", "5.0", "5.1", "6.0")
_CAPACITY_FIELDS = ("WorkerType", "NumberOfWorkers", "MaxCapacity", "AllocatedCapacity")

COMMAND = "glueetl"


def complete_definition(given: Mapping[str, Any]) -> dict[str, Any]:
    """The definition that GetJob shows for the fields of a CreateJob (without Name and Tags) or a JobUpdate.

    Raises GlueError for what Glue refuses and for what cannot run here.
    """
    definition = dict(given)
    if not definition.get("Role"):
        raise GlueError(INVALID_INPUT, "Role must be given")
    _check_command(definition.get("Command") or {})
    version = definition.get("GlueVersion")
    if version is not None and version not in _VERSIONS:
        raise GlueError(INVALID_INPUT, f"Glue version {version} is not supported: {', '.join(_VERSIONS)} are")
    limit = definition.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
    if limit < 1:
        raise GlueError(INVALID_INPUT, f"MaxConcurrentRuns is {limit}, and must be at least 1")
    definition["ExecutionProperty"] = {"MaxConcurrentRuns": limit}
    retries = definition.setdefault("MaxRetries", 0)
    if not 0 <= retries <= 10:
        raise GlueError(INVALID_INPUT, f"MaxRetries is {retries}, and must be between 0 and 10")
    if "Timeout" not in definition:
        definition["Timeout"] = 480 if version is not None and float(version) >= 5 else 2880
    if definition.get("Connections", {}).get("Connections", ["one"]) == []:
        raise GlueError(INVALID_INPUT, "Connections list should not be null or empty.")
    refuse_queuing(definition)
    definition.update(capacity(definition))
    return definition


def refuse_queuing(request: Mapping[str, Any]) -> None:
    """Raises GlueError where Glue itself would queue: here a run either starts or is refused."""
    if request.get("JobRunQueuingEnabled"):
        raise GlueError(INVALID_INPUT, "the embedded Glue has no job run queuing: leave JobRunQueuingEnabled out")


def capacity(given: Mapping[str, Any], job: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """MaxCapacity (DPU) and what it comes from, for a definition, or for a run of `job` that may replace it.

    Raises GlueError for a combination that Glue refuses.
    """
    if job is not None and not any(name in given for name in _CAPACITY_FIELDS):
        given = {name: job[name] for name in _CAPACITY_FIELDS if name in job}
        if "WorkerType" in given:
            given = {name: given[name] for name in ("WorkerType", "NumberOfWorkers")}
    worker_type, workers = given.get("WorkerType"), given.get("NumberOfWorkers")
    fixed = given.get("MaxCapacity", given.get("AllocatedCapacity"))
    if worker_type is None and workers is None:
        dpus = _DEFAULT_DPUS if fixed is None else float(fixed)
        if dpus <= 0:
            raise GlueError(INVALID_INPUT, f"MaxCapacity is {dpus}, and must be more than 0")
        return {"MaxCapacity": dpus, "AllocatedCapacity": int(dpus)}
    if fixed is not None:
        raise GlueError(INVALID_INPUT, "Please do not set Max Capacity if using Worker Type and Number of Workers.")
    if worker_type is None or workers is None:
        raise GlueError(INVALID_INPUT, "Please set both Worker Type and Number of Workers.")
    least = 2 if worker_type in _TWO_WORKERS_AT_LEAST else 1
    if workers < least:
        raise GlueError(
            INVALID_INPUT,
            f"To use Worker Type {worker_type}, minimum allowed value of Number of Workers is {least}.",
        )
    dpus = _WORKER_DPUS[worker_type] * workers
    return {
        "WorkerType": worker_type,
        "NumberOfWorkers": workers,
        "MaxCapacity": dpus,
        "AllocatedCapacity": int(dpus),
    }


def _check_command(command: Mapping[str, Any]) -> None:
    name = command.get("Name")
    if name != COMMAND:
        raise GlueError(INVALID_INPUT, f"Command.Name is {name!r}: the embedded Glue runs {COMMAND!r} jobs only")
    location = command.get("ScriptLocation", "")
    try:
        split_s3_uri(location)
    except ValueError:
        raise GlueError(INVALID_INPUT, f"Command.ScriptLocation is {location!r}, and must be s3://bucket/key") from None
