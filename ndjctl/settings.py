"""The settings of one environment: their names, types, limits and presets. Pure: no file, clock or environment."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ndjctl.contracts import SizeWindow

_VARIABLE = "names of environment variables, with * for any characters"
_EMAIL = "an e-mail address"
_KEY_ARN = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$"
_KEY_WORDS = "the ARN of a key, arn:aws:kms:<region>:<account>:key/<id> (an alias is none)"
_POLICY_ARN = r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$"
_POLICY_WORDS = "the ARN of a managed policy"

# What PutRetentionPolicy takes (CloudWatch Logs API reference).
LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
LARGEST_OBJECT_MB = 50 * 2**20
"""S3 stores objects of up to 50 TB (Amazon S3 user guide, "Uploading objects")."""

WorkerType = Literal["G.025X", "G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X"]

# Source: AWS Glue developer guide, "Worker types". G.1X has 16 GB and G.2X 32 GB (DESIGN, contradiction 2).
DPUS_PER_WORKER: dict[str, float] = {
    "G.025X": 0.25,
    "G.1X": 1,
    "G.2X": 2,
    "G.4X": 4,
    "G.8X": 8,
    "G.12X": 12,
    "G.16X": 16,
}
"""Data processing units (4 vCPU and 16 GB each) of one worker, by worker type."""


class Section(BaseModel):
    """Base of every section: nothing that is not named here, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Batching(Section):
    """max_waiting_manifests: that may wait for a run before no more are built; the files beyond stay pending. Twice the
    most concurrent runs of a preset, so that all slots can be filled at once."""

    max_files_per_manifest: Annotated[int, Field(ge=1, le=1000)]
    max_batch_size_gb: Annotated[float, Field(gt=0, le=100_000)]
    max_partial_age_s: Annotated[int, Field(ge=1, le=86_400)]
    max_waiting_manifests: Annotated[int, Field(ge=1, le=10_000)] = 100


class SizeRule(Section):
    """Which sizes are normal: expected +- tolerance; a minimum or maximum that is given wins over it. MB of 2**20."""

    expected_file_size_mb: Annotated[float, Field(gt=0, le=LARGEST_OBJECT_MB)]
    size_tolerance_percent: Annotated[float, Field(ge=0, le=100)]
    min_file_size_mb: Annotated[float, Field(ge=0, le=LARGEST_OBJECT_MB)] | None = None
    max_file_size_mb: Annotated[float, Field(gt=0, le=LARGEST_OBJECT_MB)] | None = None

    @property
    def window(self) -> SizeWindow:
        return SizeWindow(
            self.expected_file_size_mb, self.size_tolerance_percent, self.min_file_size_mb, self.max_file_size_mb
        )

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> SizeRule:
        if self.window.min_bytes > self.window.max_bytes:
            raise ValueError("the smallest allowed size is above the largest: no file could pass")
        return self


class Lock(Section):
    ttl_s: Annotated[int, Field(ge=10, le=3600)]
    max_wait_s: Annotated[int, Field(ge=0, le=300)]


class Function(Section):
    """The Lambda. Limits are those of the service. keep_variables: names of environment variables of others, with * for
    any characters, that `deploy` leaves in place; it removes what is neither named here nor its own."""

    runtime: Literal["python3.10", "python3.11", "python3.12", "python3.13", "python3.14"]
    memory_mb: Annotated[int, Field(ge=128, le=10_240)]
    timeout_s: Annotated[int, Field(ge=1, le=900)]
    reserved_concurrency: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=10_000)]
    batch_window_s: Annotated[int, Field(ge=0, le=300)]
    keep_variables: list[Annotated[str, Field(pattern=r"^[A-Za-z_*][A-Za-z0-9_*]*$", description=_VARIABLE)]] = []

    @model_validator(mode="after")
    def _large_batches_need_a_window(self) -> Function:
        if self.batch_size > 10 and self.batch_window_s < 1:
            raise ValueError("a batch_size above 10 needs a batch_window_s of at least 1 (a rule of SQS mappings)")
        return self


class Queue(Section):
    """The queue of file events. visibility_timeout_s: left out, six times the function's timeout and the batch window,
    which is AWS's rule for queues that feed a function. max_receives: deliveries before a message is a dead letter."""

    visibility_timeout_s: Annotated[int, Field(ge=0, le=43_200)] | None = None
    max_receives: Annotated[int, Field(ge=1, le=1000)] = 5
    retention_days: Annotated[float, Field(ge=0.01, le=14)] = 4
    dead_letter_retention_days: Annotated[float, Field(ge=0.01, le=14)] = 14


class Tables(Section):
    """The ledger's tables. point_in_time_recovery: a copy of any moment of the last 35 days can be restored."""

    point_in_time_recovery: bool = True
    deletion_protection: bool = False


class Retention(Section):
    """After how many days S3 and CloudWatch delete what may go. Left out (null), it stays for ever. Input, Parquet and
    run reports are never deleted by a rule: reports say which inputs are converted. scripts_days: of code since the
    last ten deployments use it no more."""

    manifests_days: Annotated[int, Field(ge=8, le=36_500)] | None = 365
    quarantine_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    spark_events_days: Annotated[int, Field(ge=1, le=36_500)] | None = 30
    temporary_days: Annotated[int, Field(ge=1, le=36_500)] = 7
    unfinished_uploads_days: Annotated[int, Field(ge=1, le=365)] = 7
    scripts_days: Annotated[int, Field(ge=1, le=36_500)] | None = 90
    logs_days: LogDays | None = 30


class Alarms(Section):
    """What raises an alarm, and where it is told. email: gets a message to confirm, and then each alarm. Ages in
    seconds; the promise is 30 minutes from upload to Parquet."""

    enabled: bool = True
    email: Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$", description=_EMAIL)] | None = None
    oldest_message_age_s: Annotated[int, Field(ge=60)] = 900
    oldest_pending_age_s: Annotated[int, Field(ge=60)] = 1_500


class Security(Section):
    """What the account's rules ask for. kms_key_arn: a key of yours that encrypts buckets, queues, tables, topic and
    log group; left out, AWS's own keys do. permissions_boundary_arn: of both roles."""

    kms_key_arn: Annotated[str, Field(pattern=_KEY_ARN, description=_KEY_WORDS)] | None = None
    permissions_boundary_arn: Annotated[str, Field(pattern=_POLICY_ARN, description=_POLICY_WORDS)] | None = None


class Network(Section):
    """Subnets of your VPC for the function and the job; left out, they run in AWS's own network. subnets: subnet id ->
    its availability zone, which a Glue connection has to name."""

    subnets: dict[str, str] = {}
    security_group_ids: list[Annotated[str, Field(pattern=r"^sg-[0-9a-f]+$", description="ids such as sg-0a1b2c")]] = []

    @model_validator(mode="after")
    def _both_or_neither(self) -> Network:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids are given together or not at all")
        for subnet, zone in self.subnets.items():
            if not re.fullmatch(r"subnet-[0-9a-f]+", subnet) or not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone):
                raise ValueError(f"a subnet is an id and its zone (subnet-0a1b2c: us-east-1a), not {subnet}: {zone}")
        return self


class Job(Section):
    """The Glue job.

    max_retries: how often Glue itself starts a failed run again. max_attempts: how often the sweep starts a manifest,
    each time with those retries, before its files are failed; more than one, because a run that was stopped or lost is
    none of Glue's retries. part_size_mb: of a Parquet part, what is aimed at; readers want 128 to 512. max_line_mb: a
    longer line is quarantined. max_bad_lines, max_bad_percent: a file with more bad lines fails instead of being
    completed; left out, no number is too many. MB of 2**20."""

    glue_version: Literal["4.0", "5.0", "5.1", "6.0"]
    command: Literal["glueetl", "gluestreaming"]
    worker_type: WorkerType
    workers: Annotated[int, Field(ge=2, le=299)]
    max_concurrent_runs: Annotated[int, Field(ge=1, le=1000)]
    timeout_min: Annotated[int, Field(ge=1, le=10_080)]
    max_retries: Annotated[int, Field(ge=0, le=10)]
    max_attempts: Annotated[int, Field(ge=1, le=10)]
    metrics: bool
    spark_ui: bool
    job_insights: bool
    auto_scaling: bool
    continuous_log: bool
    on_drift: Literal["add", "rescue", "fail"]
    dataset: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="1 to 63 lower-case letters, digits, _ and -")
    ]
    part_size_mb: Annotated[int, Field(ge=1, le=5_000)] = 256
    max_line_mb: Annotated[int, Field(ge=1, le=512)] = 64
    max_bad_lines: Annotated[int, Field(ge=0)] | None = None
    max_bad_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    spark_conf: dict[str, str]

    @property
    def dpus(self) -> float:
        """DPUs of one run with all its workers."""
        return self.workers * DPUS_PER_WORKER[self.worker_type]

    @property
    def task_slots(self) -> int:
        """Spark tasks that run at once: one a vCPU (4 to a DPU, 2 at least) of every worker but the driver's."""
        return (self.workers - 1) * max(2, round(4 * DPUS_PER_WORKER[self.worker_type]))


class Load(Section):
    """What the environment is built for. Checked against the size rule and the capacity; the base of estimates. MB of
    2**20. peak_files_per_hour: left out, or less than that, an even day's hour. mb_per_s_per_vcpu: of input that one
    vCPU of a worker converts, from your own runs; left out, the figure measured with `make bench-pipeline`."""

    files_per_day: Annotated[int, Field(ge=0, le=10**9)]
    peak_files_per_hour: Annotated[int, Field(ge=0, le=10**9)] | None = None
    min_file_size_mb: Annotated[float, Field(ge=0, le=LARGEST_OBJECT_MB)]
    max_file_size_mb: Annotated[float, Field(ge=0, le=LARGEST_OBJECT_MB)]
    mb_per_s_per_vcpu: Annotated[float, Field(ge=0.01, le=10_000)] | None = None


class Cost(Section):
    """What a day may cost, and what a bill depends on and no other setting says.

    max_per_day: USD that the runs that start on a UTC date may cost together; more is warned of. hold_runs: whether no
    run is started from then on, until it is lifted, by `ndjctl cost lift`, a larger budget or the next date; what waits
    stays in the queue and the ledger. input_kept_days, output_kept_days: how many days' input and Parquet are in the
    buckets, whoever deletes them; left out, 30 are taken. output_share: size of your Parquet as a share of its NDJSON;
    left out, what was measured. usd_per_dpu_hour: USD that the account pays for one of the job's runs, negotiated or of
    a region whose price is not built in; left out, the built-in price of region and Glue version."""

    max_per_day: Annotated[Decimal, Field(ge=Decimal("0.01"), le=10**9, decimal_places=2)] | None = None
    hold_runs: bool = False
    input_kept_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    output_kept_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    output_share: Annotated[float, Field(gt=0, le=10)] | None = None
    usd_per_dpu_hour: Annotated[Decimal, Field(ge=Decimal("0.0001"), le=1000, decimal_places=8)] | None = None

    @model_validator(mode="after")
    def _nothing_holds_without_a_budget(self) -> Cost:
        if self.hold_runs and self.max_per_day is None:
            raise ValueError("hold_runs needs max_per_day, the USD of a day at which runs are held: set it, too")
        return self


class Embedded(Section):
    """The embedded cloud's ports on this machine; 0 takes any free one."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    glue_port: Annotated[int, Field(ge=0, le=65_535)] = 0


# What every service that is used here takes (AWS Resource Groups Tagging API, "Tag naming limits").
_TAG_TEXT = r"^[\p{L}\p{Z}\p{N}_.:/=+@-]*$"
_TAG_WORDS = "letters, digits, blanks and _ . : / = + - @"
_TagKey = Annotated[str, Field(min_length=1, max_length=128, pattern=_TAG_TEXT)]
_TagValue = Annotated[str, Field(max_length=256, pattern=_TAG_TEXT)]
_SUFFIX = r"^$|^[a-z0-9][a-z0-9-]{0,14}$"


class Profile(Section):
    """All settings of one environment. protected: whether its name has to be typed before it is changed; left out, that
    of `prod` has to be."""

    environment: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="1 to 31 lower-case letters, digits and -")
    ]
    cloud: Literal["embedded", "aws"]
    auto_deploy: bool = False
    protected: bool | None = None
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="an AWS region such as us-east-1")]
    suffix: Annotated[
        str, Field(pattern=_SUFFIX, description="up to 15 lower-case letters, digits and -, or nothing")
    ] = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    batching: Batching
    size_rule: SizeRule
    lock: Lock
    function: Function
    job: Job
    load: Load
    queue: Queue = Queue()
    tables: Tables = Tables()
    retention: Retention = Retention()
    alarms: Alarms = Alarms()
    security: Security = Security()
    network: Network = Network()
    tags: Annotated[dict[_TagKey, _TagValue], Field(description=_TAG_WORDS)] = {}
    cost: Cost = Cost()
    embedded: Embedded = Embedded()

    @property
    def needed_visibility_s(self) -> int:
        """Seconds that a message has to stay invisible: six times the function's timeout and the batch window, as AWS
        says for queues that feed a function."""
        return 6 * self.function.timeout_s + self.function.batch_window_s

    @property
    def visibility_s(self) -> int:
        """Seconds that a message will stay invisible."""
        given = self.queue.visibility_timeout_s
        return self.needed_visibility_s if given is None else given

    @property
    def asks_for_its_name(self) -> bool:
        return self.environment == "prod" if self.protected is None else self.protected


# Files per manifest, largest batch in GB, concurrent runs, workers of G.2X, and the files a day each is meant for.
PRESETS: dict[str, dict[str, str | int]] = {
    "light": {
        "batching.max_files_per_manifest": 100,
        "batching.max_batch_size_gb": 400,
        "job.max_concurrent_runs": 20,
        "job.worker_type": "G.2X",
        "job.workers": 15,
        "load.files_per_day": 50_000,
    },
    "medium": {
        "batching.max_files_per_manifest": 100,
        "batching.max_batch_size_gb": 500,
        "job.max_concurrent_runs": 30,
        "job.worker_type": "G.2X",
        "job.workers": 20,
        "load.files_per_day": 150_000,
    },
    "heavy": {
        "batching.max_files_per_manifest": 100,
        "batching.max_batch_size_gb": 500,
        "job.max_concurrent_runs": 50,
        "job.worker_type": "G.2X",
        "job.workers": 20,
        "load.files_per_day": 338_000,
    },
}
