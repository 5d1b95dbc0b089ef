"""What an environment consists of, as a pure function of its profile, its names and its code."""

from __future__ import annotations

from ndjctl.bundles import Code
from ndjctl.contracts import Names
from ndjctl.deploy.desired import access, compute, storage, watching
from ndjctl.deploy.desired.common import Setting
from ndjctl.deploy.model import Resource
from ndjctl.settings import Profile


def desired_state(profile: Profile, names: Names, code: Code) -> tuple[Resource, ...]:
    """Every resource that `profile` asks for, and those that it asks to be gone. Each stands after what it needs."""
    setting = Setting(profile, names, code)
    return (
        *storage.buckets(setting),
        *storage.queues(setting),
        *storage.tables(setting),
        *access.roles(setting),
        *watching.log_groups(setting),
        *compute.artifacts(setting),
        *compute.job(setting),
        *compute.function(setting),
        *compute.events(setting),
        *watching.alarms(setting),
        # Last: events flow only into a pipeline that is whole.
        storage.notification(setting),
    )
