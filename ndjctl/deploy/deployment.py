"""One environment, a profile and code for it: planned, checked, carried out and written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ndjctl.bundles import Bundle, Code
from ndjctl.deploy.dangers import FLAGS, is_expiring
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.documents import plan_document
from ndjctl.deploy.executor import Execution
from ndjctl.deploy.history import Deployment, History, Result, new_id
from ndjctl.deploy.kinds.base import Aws, Kind
from ndjctl.deploy.looking import look
from ndjctl.deploy.model import Danger, Path, Plan, Resource, Step
from ndjctl.deploy.patience import patient
from ndjctl.deploy.planner import make_plan
from ndjctl.deploy.retiring import Retirement, retire
from ndjctl.errors import UsageError
from ndjctl.profiles import checked_profile
from ndjctl.settings import Profile

_MOST_SUFFIX_CHARS = 15
"""That the settings take."""


@dataclass(frozen=True)
class Target:
    """What an environment is to be: a profile, where it came from, and the code. command: what was typed for it."""

    profile: Profile
    source: str
    overrides: tuple[str, ...]
    code: Code
    command: str = "deploy"

    def is_same_state(self, other: Target) -> bool:
        """Whether both ask for the same settings and code."""
        return (self.profile, self.code) == (other.profile, other.code)

    def resources(self, aws: Aws) -> tuple[Resource, ...]:
        return desired_state(self.profile, aws.names, self.code)


def plan_for(
    target: Target, aws: Aws, kinds: Mapping[str, Kind], tell: Callable[[int], None] = lambda _more: None
) -> Plan:
    """Looks, and plans. Raises boto3's errors and CloudError. tell: as of look()."""
    resources = target.resources(aws)
    return make_plan(resources, look(resources, aws, kinds, tell))


@dataclass(frozen=True)
class Agreed:
    """What the operator agreed to beyond an ordinary change. take_over: resources of another environment."""

    dangers: frozenset[Danger] = frozenset()
    take_over: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """How it is said on the command line."""
        return (*(FLAGS[danger] for danger in sorted(self.dangers)), *(("--take-over",) if self.take_over else ()))


def needed_for(plan: Plan) -> Agreed:
    """What has to be agreed to for this plan to be carried out."""
    return Agreed(plan.dangers, bool(plan.foreign_owners))


def own_suffix(profile: Profile, plan: Plan) -> str:
    """A suffix that gives the environment names of its own, where those of the plan belong to another: what they are
    told apart by, the environment or else the region."""
    owners = {str(step.owner).split(" ")[0] for step in plan.foreign_owners}
    name = profile.region if profile.environment in owners else profile.environment
    suffix = name[:_MOST_SUFFIX_CHARS].rstrip("-")
    return suffix if suffix != profile.suffix else f"{suffix[: _MOST_SUFFIX_CHARS - 2].rstrip('-')}-2"


def check_agreed(plan: Plan, agreed: Agreed, environment: str) -> None:
    """Raises UsageError for a change that was not agreed to, with all the options that it needs."""
    owned = plan.foreign_owners
    if owned and not agreed.take_over:
        other = owned[0].owner
        raise UsageError(
            f"{len(owned)} of these resources belong to the environment {other!r} ({owned[0].resource.label}, ...): "
            f"give {environment!r} names of its own ('suffix' in its profile, or --set suffix=...), or say --take-over "
            f"to make them its."
        )
    missing = sorted(plan.dangers - agreed.dangers)
    if missing:
        steps = [step for step in plan.pending if step.all_dangers & set(missing)]
        flags = " ".join(FLAGS[danger] for danger in missing)
        raise UsageError(
            f"This {' and '.join(missing)} ({', '.join(_where(step, missing) for step in steps[:3])}"
            f"{', ...' if len(steps) > 3 else ''}): say {flags} as well if that is meant. Nothing was changed."
        )


def check_code(plan: Plan, aws: Aws) -> None:
    """Raises UsageError where code is to be uploaded that is gone."""
    for step in plan.pending:
        if step.resource.kind != "artifact" or not _is_uploaded(step):
            continue
        try:
            aws.artifact(step.resource.fields["Sha256"])
        except KeyError:
            raise UsageError(
                f"The code of that deployment is gone (s3://{step.resource.name} is not there any more), and only what "
                f"this version of ndjctl has can be uploaded: return to a newer deployment ('ndjctl history' lists "
                f"them), or deploy with the version that it was made with. Nothing was changed."
            ) from None


def _is_uploaded(step: Step) -> bool:
    return step.action == "create" or any(change.path == ("Sha256",) for change in step.changes)


def _where(step: Step, dangers: Sequence[Danger]) -> str:
    paths = [change.path for change in step.changes if set(change.dangers) & set(dangers)]
    fields = dict.fromkeys(_what(step, path) for path in paths)
    return f"{step.resource.label}{': ' if fields else ''}{', '.join(fields)}"


def _what(step: Step, path: Path) -> str:
    """A field, or what a lifecycle rule is to do: whoever takes over a bucket asks for the objects in it."""
    rule = step.resource.fields["Lifecycle"].get(path[1]) if path[0] == "Lifecycle" else None
    if rule is None or not is_expiring(rule):
        return ".".join(path)
    place = f"objects under {rule['Prefix']}" if rule["Prefix"] else "all objects"
    return f"{place} expire after {rule['Expiration']['Days']} days"


@dataclass
class Writing:
    """Who deploys, and the sources of time and chance for the record."""

    by: str
    version: str
    clock: Callable[[], datetime]
    token: Callable[[], str]


@dataclass
class Deploying:
    """One plan being carried out and written into the history. retirement: what became of old code afterwards."""

    target: Target
    plan: Plan
    aws: Aws
    kinds: Mapping[str, Kind]
    agreed: Agreed
    writing: Writing
    execution: Execution = field(init=False)
    record: Deployment | None = field(default=None, init=False)
    retirement: Retirement = field(default=Retirement(), init=False)

    def __post_init__(self) -> None:
        environment = self.target.profile.environment
        self.execution = Execution(self.plan, self.aws, self.kinds, self.agreed.dangers, environment)
        self._history = History(patient(self.aws).client("s3"), self.aws.names)
        self._scripts = f"bucket/{self.aws.names.scripts_bucket}"

    def run(self, began: Callable[[Step], None]) -> None:
        """Carries the plan out. `execution` tells afterwards, also after an exception, what is done. Where nothing is
        to be done, or the history itself is to go, nothing is written."""
        if not self.execution.steps:
            return
        result: Result = "interrupted"
        home = self._scripts, f"objects/{self.aws.names.scripts_bucket}/{self.aws.names.stack}/"
        about_home = [step for step in self.plan.pending if step.resource.id in home]
        maker = next((step for step in about_home if step.action == "create"), None)
        try:
            if maker is None and all(step.action != "delete" for step in about_home):
                self._begin()
            for outcome in self.execution.run(began):
                if outcome.state == "done" and outcome.step is maker:
                    self._begin()
            result = "failed" if self.execution.failed else "done"
        except KeyboardInterrupt:
            raise
        except BaseException:
            result = "failed"
            raise
        finally:
            if self.record is not None:
                self.record = self._history.finish(self.record, result, self._open())
        if result == "done" and self.record is not None and self.target.command != "destroy":
            self._retire()

    def _retire(self) -> None:
        """What nobody returns to any more, unless it is to be kept for ever."""
        profile = self.target.profile
        if profile.retention.scripts_days is not None:
            self.retirement = retire(patient(self.aws), self._history, self.target.code, profile.environment)

    def _begin(self) -> None:
        at = self.writing.clock()
        self.record = Deployment(
            id=new_id(at, self.writing.token()),
            at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            by=self.writing.by,
            command=self.target.command,
            version=self.writing.version,
            environment=self.target.profile.environment,
            source=self.target.source,
            overrides=self.target.overrides,
            settings=self.target.profile.model_dump(mode="json"),
            code=self.target.code,
            changes=plan_document(self.plan, self.aws.account_id),
            result="under way",
        )
        self._history.put(self.record)

    def _open(self) -> tuple[str, ...]:
        failed = [outcome.step.resource.id for outcome in self.execution.failed]
        return (*failed, *(step.resource.id for step in self.execution.unreached))


def artifacts_of(bundles: Sequence[Bundle]) -> Callable[[str], bytes]:
    """Looks the bytes of a file up by its SHA-256 in hex. Raises KeyError."""
    bodies = {bundle.index.sha256[name]: body for bundle in bundles for name, body in bundle.files.items()}
    return bodies.__getitem__


def caller(arn: str) -> str:
    """Who an ARN of STS is, without the account: 'user/ann', 'assumed-role/Admin/ann', 'root'."""
    return arn.rsplit(":", 1)[-1]


def rollback_target(history: History, id_: str | None, environment: str) -> tuple[Target, Deployment]:
    """The deployment to return to: the one whose id begins with `id_`, else the last one that was done and asked for
    something else than the newest; after a removal, the last one that was done. Raises UsageError where there is
    none."""
    if id_ is not None:
        chosen = history.find(id_)
        if chosen.environment != environment:
            raise UsageError(
                f"The deployment {chosen.id} is one of the environment {chosen.environment!r}, not of {environment!r}: "
                f"'ndjctl history' lists them."
            )
        if chosen.command == "destroy":
            raise UsageError(f"{chosen.id} removed the environment: name a deployment ('ndjctl history' lists them).")
        return target_of(chosen, command="rollback"), chosen
    newest: Deployment | None = None
    for each in history.newest(environment):
        newest = newest or each
        is_other = newest.command == "destroy" or not each.is_same_state(newest)
        if each.result == "done" and each.command != "destroy" and is_other:
            return target_of(each, command="rollback"), each
    raise UsageError(
        f"There is nothing to return to: the history of {environment!r} has no earlier deployment of other settings or "
        f"code ('ndjctl history' lists it)."
    )


def last_target(history: History, environment: str) -> tuple[Target, Deployment] | None:
    """What the last deployment asked for; None where there is no record of one."""
    last = next((each for each in history.newest(environment) if each.command != "destroy"), None)
    return None if last is None else (target_of(last, command="drift"), last)


def target_of(deployment: Deployment, *, command: str) -> Target:
    """What a deployment of the history asked for. Raises UsageError where this version cannot read its settings."""
    source = f"deployment {deployment.id}"
    try:
        loaded = checked_profile(deployment.settings, source, deployment.overrides)
    except UsageError as error:
        raise UsageError(
            f"{str(error).rstrip('.')}: this version of ndjctl cannot read those settings; use {deployment.version}."
        ) from error
    return Target(loaded.profile, source, deployment.overrides, deployment.code, command)
