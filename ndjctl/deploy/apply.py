"""Applies a desired state, in the order of its dependencies. Safe to run again at any point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ndjctl.bundles import Bundle
from ndjctl.deploy import compute, policies, storage
from ndjctl.deploy.changes import Change
from ndjctl.deploy.desired import DesiredState


def deploy(
    client: Callable[[str], Any],
    desired: DesiredState,
    function_bundle: Bundle,
    job_bundle: Bundle,
    sleep: Callable[[float], None],
) -> Iterator[Change]:
    """Makes everything as desired and yields each resource's change as it is done. client: service name -> boto3
    client. Errors are boto3's; what was yielded before one is done and stays."""
    names = desired.names
    arns = policies.Arns(desired.region, names)
    s3, sqs, dynamodb, iam, lambda_ = (client(s) for s in ("s3", "sqs", "dynamodb", "iam", "lambda"))

    for bucket in names.buckets:
        yield storage.ensure_bucket(s3, bucket, desired.region)
    yield storage.ensure_queue(sqs, names.dead_letter_queue, desired.dead_letter_attributes)
    yield storage.ensure_queue(sqs, names.queue, desired.queue_attributes)
    yield storage.ensure_tracking_table(dynamodb, names.tracking_table, sleep)
    yield storage.ensure_metrics_table(dynamodb, names.metrics_table, sleep)
    yield compute.ensure_role(iam, names.job_role, "glue.amazonaws.com", desired.job_policy)
    yield compute.ensure_role(iam, names.function_role, "lambda.amazonaws.com", desired.function_policy)
    yield compute.ensure_scripts(s3, desired, job_bundle)
    yield compute.ensure_job(client("glue"), desired, sleep)
    yield compute.ensure_function(lambda_, desired, function_bundle, sleep)
    yield compute.ensure_mapping(lambda_, desired, arns.queue(names.queue), sleep)
    yield compute.ensure_schedule(client("events"), lambda_, desired, arns)
    # Last: events flow only into a pipeline that is whole.
    yield storage.ensure_notification(s3, names.input_bucket, arns.queue(names.queue))
