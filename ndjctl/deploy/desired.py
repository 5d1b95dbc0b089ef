"""What an environment consists of, as a pure function of its profile, its names and its bundles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ndjctl.bundles import Bundle
from ndjctl.contracts import GLUE_LIBRARY, GLUE_SCRIPT, LAMBDA_HANDLER, Env, JobArg, Names, s3_uri
from ndjctl.deploy import policies
from ndjctl.settings import Job, Profile

MAX_RECEIVES = 5
QUEUE_RETENTION_S = 4 * 86_400
DEAD_LETTER_RETENTION_S = 14 * 86_400
SWEEP_SCHEDULE = "rate(1 minute)"
PYTHON_OF_GLUE = "3"


@dataclass(frozen=True)
class DesiredState:
    """Everything `deploy` makes true. Values are those of the AWS APIs, so that they compare with what those return."""

    region: str
    names: Names
    function: dict[str, Any]
    function_concurrency: int
    mapping: dict[str, Any]
    job: dict[str, Any]
    queue_attributes: dict[str, str]
    dead_letter_attributes: dict[str, str]
    function_policy: dict[str, Any]
    job_policy: dict[str, Any]
    script_keys: dict[str, str]  # name in the Glue bundle -> key in the scripts bucket


def desired_state(profile: Profile, names: Names, glue: Bundle) -> DesiredState:
    """The state that `profile` asks for. `glue` is the job's bundle: its digest is part of where it is stored."""
    arns = policies.Arns(profile.region, names)
    script_keys = {name: f"{names.stack}/{glue.digest[:16]}/{name}" for name in glue.files}
    return DesiredState(
        region=profile.region,
        names=names,
        function={
            "FunctionName": names.function,
            "Runtime": profile.function.runtime,
            "Role": arns.role(names.function_role),
            "Handler": LAMBDA_HANDLER,
            "MemorySize": profile.function.memory_mb,
            "Timeout": profile.function.timeout_s,
            "Environment": {"Variables": function_environment(profile, names)},
        },
        function_concurrency=profile.function.reserved_concurrency,
        mapping={
            "BatchSize": profile.function.batch_size,
            "MaximumBatchingWindowInSeconds": profile.function.batch_window_s,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": _pollers(profile)},
        },
        job=job_definition(profile, names, arns, script_keys),
        queue_attributes={
            # AWS's rule: six times the function's timeout, plus the batching window.
            "VisibilityTimeout": str(6 * profile.function.timeout_s + profile.function.batch_window_s),
            "MessageRetentionPeriod": str(QUEUE_RETENTION_S),
            "ReceiveMessageWaitTimeSeconds": "20",
            "RedrivePolicy": policies.to_json(
                {"deadLetterTargetArn": arns.queue(names.dead_letter_queue), "maxReceiveCount": MAX_RECEIVES}
            ),
            "Policy": policies.to_json(policies.queue_policy(arns)),
        },
        dead_letter_attributes={"MessageRetentionPeriod": str(DEAD_LETTER_RETENTION_S)},
        function_policy=policies.function_policy(arns),
        job_policy=policies.job_policy(arns),
        script_keys=script_keys,
    )


def _pollers(profile: Profile) -> int:
    """Batches of messages that are worked on at once. One less than the reserved concurrency, because the sweep and the
    tool invoke the function too: a batch that finds no slot comes back only when its messages are visible again, which
    is after six times the function's timeout, and after a few times it is a dead letter. SQS takes 2 at least."""
    return max(2, profile.function.reserved_concurrency - 1)


def function_environment(profile: Profile, names: Names) -> dict[str, str]:
    """The Lambda's environment variables. Sizes in MB of 2**20 bytes and GB of 2**30, times in seconds."""
    variables = {
        Env.TRACKING_TABLE: names.tracking_table,
        Env.METRICS_TABLE: names.metrics_table,
        Env.LOCK_TABLE: names.tracking_table,
        Env.MANIFEST_BUCKET: names.manifest_bucket,
        Env.QUARANTINE_BUCKET: names.quarantine_bucket,
        Env.OUTPUT_BUCKET: names.output_bucket,
        Env.GLUE_JOB_NAME: names.job,
        Env.MAX_FILES_PER_MANIFEST: str(profile.batching.max_files_per_manifest),
        Env.MAX_BATCH_SIZE_GB: f"{profile.batching.max_batch_size_gb:g}",
        Env.MAX_PARTIAL_AGE_SECONDS: str(profile.batching.max_partial_age_s),
        Env.EXPECTED_FILE_SIZE_MB: f"{profile.size_rule.expected_file_size_mb:g}",
        Env.SIZE_TOLERANCE_PERCENT: f"{profile.size_rule.size_tolerance_percent:g}",
        Env.LOCK_TTL_SECONDS: str(profile.lock.ttl_s),
        Env.MAX_LOCK_WAIT_SECONDS: str(profile.lock.max_wait_s),
        Env.MAX_ATTEMPTS: str(profile.job.max_attempts),
        Env.MAX_WAITING_MANIFESTS: str(profile.batching.max_waiting_manifests),
        Env.LOG_LEVEL: profile.log_level,
    }
    if profile.size_rule.min_file_size_mb is not None:
        variables[Env.MIN_FILE_SIZE_MB] = f"{profile.size_rule.min_file_size_mb:g}"
    if profile.size_rule.max_file_size_mb is not None:
        variables[Env.MAX_FILE_SIZE_MB] = f"{profile.size_rule.max_file_size_mb:g}"
    return variables


def job_definition(profile: Profile, names: Names, arns: policies.Arns, script_keys: dict[str, str]) -> dict[str, Any]:
    """Glue's JobUpdate structure: what CreateJob and UpdateJob take besides the name."""
    job = profile.job
    return {
        "Role": arns.role(names.job_role),
        "ExecutionProperty": {"MaxConcurrentRuns": job.max_concurrent_runs},
        "Command": {
            "Name": job.command,
            "ScriptLocation": s3_uri(names.scripts_bucket, script_keys[GLUE_SCRIPT]),
            "PythonVersion": PYTHON_OF_GLUE,
        },
        "DefaultArguments": job_arguments(profile, names, script_keys),
        "MaxRetries": job.max_retries,
        "Timeout": job.timeout_min,
        "WorkerType": job.worker_type,
        "NumberOfWorkers": job.workers,
        "GlueVersion": job.glue_version,
    }


def job_arguments(profile: Profile, names: Names, script_keys: dict[str, str]) -> dict[str, str]:
    """The job's default arguments, Glue's own and the script's."""
    job = profile.job
    arguments = {
        "--job-language": "python",
        "--extra-py-files": s3_uri(names.scripts_bucket, script_keys[GLUE_LIBRARY]),
        "--TempDir": s3_uri(names.manifest_bucket, "glue-temp/"),
        f"--{JobArg.TRACKING_TABLE}": names.tracking_table,
        f"--{JobArg.METRICS_TABLE}": names.metrics_table,
        f"--{JobArg.MANIFEST_BUCKET}": names.manifest_bucket,
        f"--{JobArg.OUTPUT_BUCKET}": names.output_bucket,
        f"--{JobArg.QUARANTINE_BUCKET}": names.quarantine_bucket,
        f"--{JobArg.DATASET}": job.dataset,
        f"--{JobArg.ON_DRIFT}": job.on_drift,
        f"--{JobArg.LOG_LEVEL}": profile.log_level,
        f"--{JobArg.TASK_SLOTS}": str(job.task_slots),
        f"--{JobArg.PART_SIZE_MB}": str(job.part_size_mb),
        f"--{JobArg.MAX_LINE_MB}": str(job.max_line_mb),
        "--enable-auto-scaling": _flag(job.auto_scaling),
    }
    if job.max_bad_lines is not None:
        arguments[f"--{JobArg.MAX_BAD_LINES}"] = str(job.max_bad_lines)
    if job.max_bad_percent is not None:
        arguments[f"--{JobArg.MAX_BAD_PERCENT}"] = f"{job.max_bad_percent:g}"
    # Glue looks at the presence of --enable-metrics, not at its value; the others are treated alike.
    if job.metrics:
        arguments["--enable-metrics"] = "true"
    if job.spark_ui:
        arguments["--enable-spark-ui"] = "true"
        arguments["--spark-event-logs-path"] = s3_uri(names.manifest_bucket, "spark-events/")
    if job.job_insights:
        arguments["--enable-job-insights"] = "true"
    if job.continuous_log:
        arguments["--enable-continuous-cloudwatch-log"] = "true"
    if job.spark_conf:
        arguments["--conf"] = spark_conf_argument(job)
    return arguments


def spark_conf_argument(job: Job) -> str:
    """Glue takes one --conf; more settings follow inside its value: 'a=1 --conf b=2'."""
    return " --conf ".join(f"{name}={value}" for name, value in sorted(job.spark_conf.items()))


def _flag(value: bool) -> str:
    return "true" if value else "false"
