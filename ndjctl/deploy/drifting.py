"""What an environment is to be compared with, and what brings it back there."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.deploy.deployment import Target, last_target, needed_for
from ndjctl.deploy.history import History
from ndjctl.deploy.model import Plan


@dataclass(frozen=True)
class LastAsked:
    """What an environment was last asked to be. against: in words, such as `the profile`. command: what brings it back
    there, without the options that the changes need."""

    target: Target
    against: str
    command: tuple[str, ...]

    def mending(self, plan: Plan) -> tuple[str, ...]:
        """Words of the command that carries `plan` out, which was made for the target."""
        return (*self.command, *needed_for(plan).options)


def last_asked(history: History, of_profile: Target) -> LastAsked:
    """By the record of the last deployment; the profile where there is none. A deployment that differs from what the
    profile asks for by now is returned to: to deploy would do more than mend. Raises boto3's errors, and UsageError for
    a record that cannot be read."""
    last = last_target(history, of_profile.profile.environment)
    if last is None:
        return LastAsked(of_profile, "the profile", ("deploy",))
    target, record = last
    command = ("deploy",) if of_profile.is_same_state(target) else ("rollback", record.id)
    return LastAsked(target, f"the {target.source}", command)
