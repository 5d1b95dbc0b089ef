"""Every AWS name of an environment, and what the bundles and their entry points are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Every AWS name of one environment. `suffix` keeps several environments of one account apart.

    account_id: twelve digits. suffix: empty, or lower-case letters, digits and hyphens (without a leading hyphen).
    """

    account_id: str
    suffix: str = ""

    def _named(self, base: str) -> str:
        return f"{base}-{self.suffix}" if self.suffix else base

    @property
    def stack(self) -> str:
        return self._named("ndjson-parquet-sqs")

    @property
    def tracking_table(self) -> str:
        return self._named("ndjson-parquet-sqs-file-tracking")

    @property
    def metrics_table(self) -> str:
        return self._named("ndjson-parquet-sqs-metrics")

    @property
    def function(self) -> str:
        return self._named("ndjson-parquet-sqs-manifest-builder")

    @property
    def live_function(self) -> str:
        """The function's name as Invoke takes it, with the alias of the version that is live."""
        return f"{self.function}:{FUNCTION_ALIAS}"

    @property
    def function_log_group(self) -> str:
        return f"/aws/lambda/{self.function}"

    @property
    def alarm_topic(self) -> str:
        return self._named("ndjson-parquet-sqs-alarms")

    def alarm(self, about: str) -> str:
        return f"{self.stack}-{about}"

    @property
    def dashboard(self) -> str:
        return self.stack

    def connection(self, subnet_id: str) -> str:
        """The Glue connection through which the job's workers are in a subnet."""
        return f"{self.stack}-{subnet_id}"

    @property
    def job(self) -> str:
        return self._named("ndjson-parquet-sqs-streaming-processor")

    @property
    def queue(self) -> str:
        return self._named("ndjson-parquet-sqs-file-events")

    @property
    def dead_letter_queue(self) -> str:
        return self._named("ndjson-parquet-sqs-file-events") + "-dlq"

    @property
    def sweep_rule(self) -> str:
        return self._named("ndjson-parquet-sqs-sweep")

    @property
    def run_state_rule(self) -> str:
        return self._named("ndjson-parquet-sqs-run-state")

    @property
    def function_role(self) -> str:
        return self._named("ndjson-parquet-sqs-manifest-builder-role")

    @property
    def job_role(self) -> str:
        return self._named("ndjson-parquet-sqs-glue-role")

    @property
    def input_bucket(self) -> str:
        return self._named(f"ndjson-input-sqs-{self.account_id}")

    @property
    def manifest_bucket(self) -> str:
        return self._named(f"ndjson-manifests-{self.account_id}")

    @property
    def output_bucket(self) -> str:
        return self._named(f"ndjson-output-sqs-{self.account_id}")

    @property
    def quarantine_bucket(self) -> str:
        return self._named(f"ndjson-quarantine-{self.account_id}")

    @property
    def scripts_bucket(self) -> str:
        return self._named(f"aws-glue-scripts-{self.account_id}")

    @property
    def buckets(self) -> tuple[str, ...]:
        return (
            self.input_bucket,
            self.manifest_bucket,
            self.output_bucket,
            self.quarantine_bucket,
            self.scripts_bucket,
        )


STATUS_INDEX = "status-index"
"""GSI of the tracking table: hash key `status`, range key `upload_time`. Only file items carry `status`."""

LAMBDA_HANDLER = "lambda_handler.handler.handle"
FUNCTION_ALIAS = "live"
"""The alias of the function that everything invokes: it points at one published version."""
FUNCTION_ZIP = "function.zip"
GLUE_SCRIPT = "glue_batch_job.py"
GLUE_LIBRARY = "glue_job.zip"

FILE_SUFFIX = ".ndjson"
"""Only keys that end so are files of the pipeline; the bucket notification filters on it and the Lambda checks it."""
