"""The CloudWatch metrics that the function publishes: what alarms, the dashboard and `ndjctl monitor` know them by."""

from __future__ import annotations

from dataclasses import dataclass

METRIC_NAMESPACE = "ndjctl"
STACK_DIMENSION = "Stack"
"""The only dimension of every metric; its value is Names.stack."""

METRIC_PERIOD_S = 60
"""How often the sweep publishes. Without data for a few of these no sweep runs, or none gets to its end."""


@dataclass(frozen=True)
class Metric:
    """unit: as CloudWatch spells it. statistic: the one that is true of a period in which it was published more than
    once: of a state its Maximum, of things that happened their Sum. meaning: one line for people."""

    name: str
    unit: str
    statistic: str
    meaning: str


OLDEST_PENDING_AGE = Metric(
    "OldestPendingAge",
    "Seconds",
    "Maximum",
    "since the oldest pending file was uploaded; 0 when none is pending",
)
"""By its upload_time, as the age of a partial batch is judged: a file that a late event, a backfill or a redrive makes
pending is as old as its upload. What the sweep itself has put into manifests is no longer pending."""
WAITING_MANIFESTS = Metric("WaitingManifests", "Count", "Maximum", "manifests that have no run yet")
"""In the states `claiming` and `ready`: those that MAX_WAITING_MANIFESTS bounds."""
RUNNING_MANIFESTS = Metric("RunningManifests", "Count", "Maximum", "manifests that have a run")
"""In the states `started` and `running`."""
FAILED_RUNS = Metric("FailedRuns", "Count", "Sum", "runs that ended, or were lost, with their work not done")
"""After the retries that Glue itself makes."""
GIVEN_UP_MANIFESTS = Metric("GivenUpManifests", "Count", "Sum", "manifests given up, whose files are failed")

HELD_MANIFESTS = Metric("HeldManifests", "Count", "Maximum", "manifests that the budget of the day holds")
"""Published where runs are held by a budget (cost.hold_runs), and by no other: a metric costs by the month."""

METRICS = (OLDEST_PENDING_AGE, WAITING_MANIFESTS, RUNNING_MANIFESTS, FAILED_RUNS, GIVEN_UP_MANIFESTS)
"""Those that every environment publishes."""


def metric_dimensions(stack: str) -> list[dict[str, str]]:
    """As every call of CloudWatch that names a metric takes them. stack: Names.stack."""
    return [{"Name": STACK_DIMENSION, "Value": stack}]
