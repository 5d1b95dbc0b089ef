"""Which changes destroy something. Pure rules, by kind of resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ndjctl.deploy.model import ABSENT, Danger, Observed, Path, Resource, Step

FLAGS: Mapping[Danger, str] = {
    "deletes data": "--allow-data-loss",
    "shrinks below what is running": "--allow-shrink",
    "replaces a table": "--allow-replace",
}
"""The option of `deploy` that each danger needs."""


def field_dangers(resource: Resource, path: Path, old: Any, new: Any, observed: Observed) -> tuple[Danger, ...]:
    """The dangers of changing one field of a resource that is there."""
    facts = observed.facts
    if resource.kind == "bucket" and path[0] == "Lifecycle":
        rule = resource.fields["Lifecycle"].get(path[1], ABSENT)
        is_met = is_expiring(rule) and facts.get(objects_under(rule["Prefix"]), 0)
        return ("deletes data",) if is_met and _expires_sooner(rule, path, old) else ()
    if resource.kind == "queue" and path == ("MessageRetentionPeriod",) and facts.get("messages", 0):
        return ("deletes data",) if old is not ABSENT and int(new) < int(old) else ()
    if resource.kind == "table" and path == ("PointInTimeRecovery",) and old is True and new is False:
        return ("deletes data",)  # the recovery points of the last 35 days go with it
    if resource.kind == "table" and path[0] == "TimeToLive" and old not in (ABSENT, None):
        return ("deletes data",) if facts.get("items", 0) else ()
    if resource.kind == "log-group" and path == ("retentionInDays",) and facts.get("size_bytes", 0):
        is_shorter = new is not ABSENT and (old is ABSENT or int(new) < int(old))
        # What is younger than the group expires in its time, as the profile says; what is older goes at once.
        is_met = is_shorter and int(facts.get("age_days", int(new))) >= int(new)
        return ("deletes data",) if is_met else ()
    if resource.kind == "job" and path == ("ExecutionProperty", "MaxConcurrentRuns"):
        return ("shrinks below what is running",) if new < facts.get("running", 0) else ()
    if resource.kind == "function" and path == ("ReservedConcurrentExecutions",):
        return ("shrinks below what is running",) if new < facts.get("running", 0) else ()
    return ()


def step_dangers(step: Step) -> tuple[Danger, ...]:
    """The dangers of removing or replacing a whole resource."""
    if step.resource.kind == "table" and step.action == "replace":
        return ("replaces a table",)
    if step.action in ("delete", "replace") and step.observed and _holds_data(step.observed):
        return ("deletes data",)
    return ()


def _holds_data(observed: Observed) -> bool:
    return any(observed.facts.get(fact, 0) for fact in ("objects", "items", "messages"))


def is_expiring(rule: Any) -> bool:
    """Whether a lifecycle rule, as it is to be, deletes objects that nobody has marked for it."""
    return rule is not ABSENT and "Expiration" in rule and "Tags" not in rule


def objects_under(prefix: str) -> str:
    """The fact of a bucket that says whether there are objects under a prefix."""
    return f"objects under {prefix!r}"


def _expires_sooner(rule: Any, path: Path, old: Any) -> bool:
    """Whether an expiring rule deletes objects that nothing deleted before, or earlier. path: of what changes in it."""
    if path[2:] == ("Expiration", "Days"):
        return old is ABSENT or int(rule["Expiration"]["Days"]) < int(old)
    # A new rule, or one that was about other objects, or about none.
    return True
