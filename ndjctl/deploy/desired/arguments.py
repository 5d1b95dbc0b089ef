"""What the function and the job are told of the profile: environment variables and arguments."""

from __future__ import annotations

from typing import Any

from ndjctl.budget import held_at_dpu_s
from ndjctl.contracts import GLUE_LIBRARY, Env, JobArg, s3_uri
from ndjctl.deploy.desired.common import Setting
from ndjctl.deploy.model import ABSENT
from ndjctl.settings import Job


def function_environment(setting: Setting) -> dict[str, str]:
    """The Lambda's environment variables. Sizes in MB of 2**20 bytes and GB of 2**30, times in seconds."""
    profile, names = setting.profile, setting.names
    variables = {
        Env.STACK: names.stack,
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
    if profile.cost.hold_runs:
        # The function knows no prices: it counts in what Glue counts.
        variables[Env.MAX_DPU_SECONDS_PER_DAY] = f"{held_at_dpu_s(profile):f}"
        variables[Env.RUN_DPUS] = f"{profile.job.dpus:g}"
    return variables


def job_arguments(setting: Setting) -> dict[str, Any]:
    """The job's default arguments, Glue's own and the script's. Those that must not be there are ABSENT: of Glue's
    switches the presence counts, whatever the value."""
    profile, names = setting.profile, setting.names
    job = profile.job
    library = s3_uri(names.scripts_bucket, setting.artifact_key(setting.code.job.digest, GLUE_LIBRARY))
    return {
        "--job-language": "python",
        "--extra-py-files": library,
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
        f"--{JobArg.MAX_BAD_LINES}": ABSENT if job.max_bad_lines is None else str(job.max_bad_lines),
        f"--{JobArg.MAX_BAD_PERCENT}": ABSENT if job.max_bad_percent is None else f"{job.max_bad_percent:g}",
        "--enable-auto-scaling": "true" if job.auto_scaling else "false",
        "--enable-metrics": "true" if job.metrics else ABSENT,
        "--enable-spark-ui": "true" if job.spark_ui else ABSENT,
        "--spark-event-logs-path": s3_uri(names.manifest_bucket, "spark-events/") if job.spark_ui else ABSENT,
        "--enable-job-insights": "true" if job.job_insights else ABSENT,
        "--enable-continuous-cloudwatch-log": "true" if job.continuous_log else ABSENT,
        "--conf": spark_conf_argument(job) if job.spark_conf else ABSENT,
    }


def spark_conf_argument(job: Job) -> str:
    """Glue takes one --conf; more settings follow inside its value: 'a=1 --conf b=2'."""
    return " --conf ".join(f"{name}={value}" for name, value in sorted(job.spark_conf.items()))
