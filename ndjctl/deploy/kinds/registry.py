"""Every kind of resource by its name."""

from __future__ import annotations

from collections.abc import Mapping

from ndjctl.deploy.kinds.alarms import AlarmKind, DashboardKind
from ndjctl.deploy.kinds.base import Kind
from ndjctl.deploy.kinds.buckets import ArtifactKind, BucketKind, NotificationKind
from ndjctl.deploy.kinds.functions import AliasKind, FunctionKind, MappingKind, PermissionKind
from ndjctl.deploy.kinds.jobs import ConnectionKind, JobKind
from ndjctl.deploy.kinds.log_groups import LogGroupKind
from ndjctl.deploy.kinds.queues import QueueKind
from ndjctl.deploy.kinds.roles import RoleKind
from ndjctl.deploy.kinds.rules import RuleKind
from ndjctl.deploy.kinds.tables import TableKind
from ndjctl.deploy.kinds.topics import SubscriptionKind, TopicKind

KINDS: Mapping[str, Kind] = {
    "bucket": BucketKind(),
    "queue": QueueKind(),
    "table": TableKind(),
    "role": RoleKind(),
    "log-group": LogGroupKind(),
    "artifact": ArtifactKind(),
    "connection": ConnectionKind(),
    "job": JobKind(),
    "function": FunctionKind(),
    "alias": AliasKind(),
    "permission": PermissionKind(),
    "mapping": MappingKind(),
    "rule": RuleKind(),
    "topic": TopicKind(),
    "subscription": SubscriptionKind(),
    "alarm": AlarmKind(),
    "dashboard": DashboardKind(),
    "notification": NotificationKind(),
}
