"""Applies a desired state, in the order of its dependencies. Safe to run again at any point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import EXISTS_CODES, error_code
from ndjctl.bundles import Bundle
from ndjctl.deploy import compute, policies, storage
from ndjctl.deploy.changes import Change
from ndjctl.deploy.desired import DesiredState

_LOOKS = 3


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
        yield _step(partial(storage.ensure_bucket, s3, bucket, desired.region))
    yield _step(lambda: storage.ensure_queue(sqs, names.dead_letter_queue, desired.dead_letter_attributes))
    yield _step(lambda: storage.ensure_queue(sqs, names.queue, desired.queue_attributes))
    yield _step(lambda: storage.ensure_tracking_table(dynamodb, names.tracking_table, sleep))
    yield _step(lambda: storage.ensure_metrics_table(dynamodb, names.metrics_table, sleep))
    yield _step(lambda: compute.ensure_role(iam, names.job_role, "glue.amazonaws.com", desired.job_policy))
    yield _step(lambda: compute.ensure_role(iam, names.function_role, "lambda.amazonaws.com", desired.function_policy))
    yield _step(lambda: compute.ensure_scripts(s3, desired, job_bundle))
    yield _step(lambda: compute.ensure_job(client("glue"), desired, sleep))
    yield _step(lambda: compute.ensure_function(lambda_, desired, function_bundle, sleep))
    yield _step(lambda: compute.ensure_mapping(lambda_, desired, arns.queue(names.queue), sleep))
    yield _step(lambda: compute.ensure_schedule(client("events"), lambda_, desired, arns))
    yield _step(lambda: compute.ensure_run_state_rule(client("events"), lambda_, desired, arns))
    # Last: events flow only into a pipeline that is whole.
    yield _step(lambda: storage.ensure_notification(s3, names.input_bucket, arns.queue(names.queue)))


def _step(ensure: Callable[[], Change]) -> Change:
    """ensure(), and once more where another deployment at the same time made the resource first: the second look then
    finds it, and settles it."""
    for _ in range(_LOOKS):
        try:
            return ensure()
        except ClientError as error:
            if error_code(error) not in EXISTS_CODES:
                raise
    return ensure()
