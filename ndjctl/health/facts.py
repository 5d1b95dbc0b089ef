"""What was observed of an environment, each part on its own: one that could not be read says so, the rest is there.

Pure. `ndjctl.health.looking` reads it in a bounded number of calls; checks and screens are made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.budget import DayBudget, is_held
from ndjctl.contracts import CLAIMING, READY, RUNNING, STARTED, Names, SizeWindow
from ndjctl.glue_runs import GlueRun
from ndjctl.locks import Judged
from ndjctl.manifests import ManifestSummary
from ndjctl.reading import Reading
from ndjctl.settings import Profile

SLACK_S = 300.0
"""What a file may take besides the age limit of a partial batch before its event counts as lost, as in `reconcile`."""

Points = Sequence[tuple[datetime, float]]
"""Values of a metric by the beginning of their period, the oldest first; periods without data are left out."""


@dataclass(frozen=True)
class Clock:
    """skew_s: how far this machine's clock is ahead of AWS's, negative where it is behind; to a second or two, because
    AWS tells whole seconds and an answer takes its time. None where AWS did not tell."""

    skew_s: float | None


@dataclass(frozen=True)
class Queue:
    """attributes: of SQS, as it tells them: texts by name. Counts are approximate."""

    url: str
    attributes: Mapping[str, str]

    def number(self, name: str) -> int:
        return int(self.attributes.get(name) or 0)

    @property
    def visible(self) -> int:
        """Messages that wait."""
        return self.number("ApproximateNumberOfMessages")

    @property
    def in_flight(self) -> int:
        """Messages that were received and are not deleted yet."""
        return self.number("ApproximateNumberOfMessagesNotVisible")

    @property
    def held(self) -> int:
        """All messages that are in it, also those that are delayed."""
        return self.visible + self.in_flight + self.number("ApproximateNumberOfMessagesDelayed")


@dataclass(frozen=True)
class Function:
    """The version of the function that is live. state: Active, Pending, Inactive or Failed. variables: its
    environment. reserved_concurrency: None where nothing is reserved. modified_at: of that version."""

    version: str
    state: str
    state_reason: str
    runtime: str
    memory_mb: int
    timeout_s: int
    variables: Mapping[str, str]
    reserved_concurrency: int | None
    modified_at: datetime | None

    @property
    def window(self) -> SizeWindow | None:
        """The size rule that is in force; None where the variables do not tell one."""
        from ndjctl.contracts import Env

        def number(name: str) -> float | None:
            text = self.variables.get(name)
            return float(text) if text else None

        try:
            expected, tolerance = number(Env.EXPECTED_FILE_SIZE_MB), number(Env.SIZE_TOLERANCE_PERCENT)
            if expected is None or tolerance is None:
                return None
            return SizeWindow(expected, tolerance, number(Env.MIN_FILE_SIZE_MB), number(Env.MAX_FILE_SIZE_MB))
        except ValueError:
            return None


@dataclass(frozen=True)
class SourceMapping:
    """What feeds a function from the queue. state: Enabled, Disabled, or on the way between. last_result: what Lambda
    says of its last poll."""

    mapping_id: str
    function_arn: str
    state: str
    last_result: str
    batch_size: int


@dataclass(frozen=True)
class Wiring:
    """One notification of the input bucket to a queue. suffix, prefix: of its filter, empty without one."""

    queue_arn: str
    events: tuple[str, ...]
    prefix: str
    suffix: str


@dataclass(frozen=True)
class Rule:
    """An EventBridge rule. targets: ARNs."""

    name: str
    is_enabled: bool
    schedule: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """The Glue job as it is defined. command: glueetl, or gluestreaming for one that never ends. arguments: its
    DefaultArguments."""

    command: str
    glue_version: str
    worker_type: str
    workers: int
    max_concurrent_runs: int
    timeout_min: int
    max_retries: int
    script_uri: str
    arguments: Mapping[str, str]
    modified_at: datetime | None = None


@dataclass(frozen=True)
class Run:
    """One attempt of a run, with what it was started with. manifest_id: empty for a run of no manifest. attempt: 0 for
    the first, then Glue's own retries. dpus: capacity, None where Glue does not tell."""

    run: GlueRun
    manifest_id: str
    manifest_date: str
    attempt: int
    worker_type: str
    workers: int
    dpus: float | None
    timeout_min: int


@dataclass(frozen=True)
class Runs:
    """The newest runs, the newest first. is_whole: whether there are no older ones."""

    runs: tuple[Run, ...]
    is_whole: bool


@dataclass(frozen=True)
class OpenManifest:
    """A manifest that is not finished. refusals: starts in a row that led to no run. requested_at: when a start was
    asked for that is not settled yet."""

    summary: ManifestSummary
    refusals: int = 0
    refused_at: datetime | None = None
    requested_at: datetime | None = None


@dataclass(frozen=True)
class OpenManifests:
    """The oldest first. is_whole: whether there are no more."""

    manifests: tuple[OpenManifest, ...]
    is_whole: bool

    def of(self, *states: str) -> tuple[OpenManifest, ...]:
        return tuple(each for each in self.manifests if each.summary.state in states)

    @property
    def waiting(self) -> tuple[OpenManifest, ...]:
        """Those that have no run yet."""
        return self.of(CLAIMING, READY)

    @property
    def running(self) -> tuple[OpenManifest, ...]:
        """Those that have a run."""
        return self.of(STARTED, RUNNING)

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(each.summary.manifest_id for each in self.manifests)


@dataclass(frozen=True)
class FileSeen:
    """A file as the index has it. Texts are empty and times None where it does not say. why: the reason of a failed
    or a quarantined one."""

    date: str
    key: str
    status: str
    size_bytes: int
    uploaded_at: datetime | None
    updated_at: datetime | None
    manifest_id: str
    why: str
    quarantine_key: str


@dataclass(frozen=True)
class Files:
    """Files of one status at one end of the index, in its order (by upload). is_whole: whether there are no more."""

    files: tuple[FileSeen, ...]
    is_whole: bool


@dataclass(frozen=True)
class LogLine:
    """message: as it was written, bounded. request_id: empty where the line names none."""

    at: datetime
    message: str
    request_id: str


@dataclass(frozen=True)
class LogLines:
    """Lines of the function's log that tell of an error which was not seen to be made good, the oldest first. is_whole:
    whether the whole time was read. since: from when on. waits: lines that say that a run was refused for want of room,
    with AWS's code as `why`."""

    lines: tuple[LogLine, ...]
    is_whole: bool
    since: datetime
    waits: tuple[LogLine, ...] = ()


@dataclass(frozen=True)
class LostObject:
    """An object of the input bucket that the ledger should know by now, and does not, or not in this version."""

    date: str
    key: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Sample:
    """What a look at some objects of the input bucket against the ledger came to. looked_at: objects that should be in
    the ledger by now. is_whole: whether these are all of the recent dates. too_young: objects that were listed, and may
    not be in it yet."""

    looked_at: int
    lost: tuple[LostObject, ...]
    is_whole: bool
    too_young: int = 0


@dataclass(frozen=True)
class Facts:
    """Everything that was observed, at `at` by this machine's clock. Each reading on its own: `value` is None where it
    was refused, and `why` says how. account_id and region make the ARNs that things should have.

    oldest: the oldest files of each status that is not at rest. failed, quarantined: the newest of each. errors: of the
    function's log. metrics: the last hour by minute, by the names in ndjctl.health.metrics. missing_tables,
    missing_buckets: names of those that should be there; the input bucket is told of by `wirings`. budget: of today, as
    the function has written it.
    """

    at: datetime
    names: Names
    profile: Profile
    region: str
    clock: Reading[Clock]
    queue: Reading[Queue]
    dead_letters: Reading[Queue]
    function: Reading[Function]
    mappings: Reading[tuple[SourceMapping, ...]]
    wirings: Reading[tuple[Wiring, ...]]
    sweep_rule: Reading[Rule]
    run_state_rule: Reading[Rule]
    job: Reading[Job]
    runs: Reading[Runs]
    open_manifests: Reading[OpenManifests]
    oldest: Mapping[str, Reading[Files]]
    failed: Reading[Files]
    quarantined: Reading[Files]
    locks: Reading[tuple[Judged, ...]]
    errors: Reading[LogLines]
    metrics: Reading[Mapping[str, Points]]
    sample: Reading[Sample]
    missing_tables: Reading[tuple[str, ...]]
    missing_buckets: Reading[tuple[str, ...]]
    budget: Reading[DayBudget]
    grace_s: float = 0.0

    @property
    def held(self) -> DayBudget | None:
        """The budget of today while it holds runs. A function that was deployed without one since does not."""
        budget, function = self.budget.value, self.function.value
        if budget is None:
            return None
        return budget if is_held(budget, None if function is None else function.variables) else None

    @property
    def readings(self) -> dict[str, Reading[Any]]:
        """Every part by its name: `queue`, ..., `oldest pending`, ..."""
        parts = {name: value for name, value in vars(self).items() if isinstance(value, Reading)}
        return {**parts, **{f"oldest {status}": reading for status, reading in self.oldest.items()}}

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.names.account_id}:{rest}"

    @property
    def queue_arn(self) -> str:
        return self.arn("sqs", self.names.queue)

    @property
    def live_arn(self) -> str:
        """Of the function's alias, which everything is to invoke."""
        return self.arn("lambda", f"function:{self.names.live_function}")
