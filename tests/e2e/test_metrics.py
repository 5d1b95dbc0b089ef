"""What the deployed function's sweeps tell CloudWatch, read back from CloudWatch: the numbers that alarms watch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import (
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    METRIC_NAMESPACE,
    METRICS,
    OLDEST_PENDING_AGE,
    RUNNING_MANIFESTS,
    WAITING_MANIFESTS,
    Env,
    Metric,
    metric_dimensions,
)
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, wait

pytestmark = pytest.mark.e2e


def told(pipeline: Pipeline, metric: Metric, statistic: str = "") -> list[float]:
    """What CloudWatch has of the metric for this environment, minute by minute: its own statistic or another."""
    now = datetime.now(timezone.utc)
    answer = pipeline.cloud.client("cloudwatch").get_metric_statistics(
        Namespace=METRIC_NAMESPACE,
        MetricName=metric.name,
        Dimensions=metric_dimensions(pipeline.names.stack),
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=[statistic or metric.statistic],
        Unit=metric.unit,
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return [point[statistic or metric.statistic] for point in points]


def name_the_stack(pipeline: Pipeline) -> None:
    """As a deployment does."""
    function = pipeline.names.function
    variables = pipeline.lambda_.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    if variables.get(Env.STACK) != pipeline.names.stack:
        pipeline.lambda_.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**variables, Env.STACK: pipeline.names.stack}}
        )
        pipeline.lambda_.get_waiter("function_updated_v2").wait(FunctionName=function)


def stop_run(pipeline: Pipeline) -> None:
    (run,) = pipeline.unfinished_runs()
    pipeline.glue.batch_stop_job_run(JobName=pipeline.names.job, JobRunIds=[run["Id"]])
    pipeline.wait_for_state(run["Id"], ["STOPPED"])


def test_a_sweep_s_metrics_are_there(tool: Tool, embedded: Cloud) -> None:
    """Two manifests of two files and one run at a time: one runs, one waits, and a fifth file is pending."""
    settings = (
        "batching.max_files_per_manifest=2",
        "batching.max_partial_age_s=3600",
        "job.max_concurrent_runs=1",
        "job.max_attempts=1",
        "function.reserved_concurrency=1",
    )
    pipeline = Pipeline(tool, embedded, settings)
    pipeline.deploy()
    name_the_stack(pipeline)
    pipeline.sweep()
    assert {metric.name: max(told(pipeline, metric)) for metric in METRICS} == dict.fromkeys(
        [metric.name for metric in METRICS], 0.0
    )

    for number in range(5):
        pipeline.put(f"{DAY}-{number:03d}.ndjson", b'{"n":1}\n')
    pipeline.wait_for_events()
    report = pipeline.sweep()
    assert (report["open"], report["waiting"], report["pending"]) == (2, 1, 1)
    assert max(told(pipeline, WAITING_MANIFESTS)) == 1.0
    assert max(told(pipeline, RUNNING_MANIFESTS)) == 1.0
    assert 0.0 < max(told(pipeline, OLDEST_PENDING_AGE)) < 300.0
    assert sum(told(pipeline, FAILED_RUNS)) == 0.0
    assert sum(told(pipeline, WAITING_MANIFESTS, "SampleCount")) >= 2.0

    stop_run(pipeline)
    wait(
        lambda: pipeline.sweep() is not None and sum(told(pipeline, GIVEN_UP_MANIFESTS)) > 0,
        60,
        lambda: f"{told(pipeline, GIVEN_UP_MANIFESTS)} given up",
        1.0,
    )
    assert sum(told(pipeline, GIVEN_UP_MANIFESTS)) == sum(told(pipeline, FAILED_RUNS)) == 1.0
    stop_run(pipeline)  # that of the manifest that waited
