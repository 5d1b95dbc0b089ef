"""Reads what is there: every resource once, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ndjctl.deploy.kinds.base import Aws, Kind
from ndjctl.deploy.model import Observed, Resource
from ndjctl.deploy.patience import patient

LOOKS_AT_ONCE = 8
"""Well below what any of the services takes a second from one account (IAM and Lambda: about 15 and more)."""


def look(
    resources: Sequence[Resource],
    aws: Aws,
    kinds: Mapping[str, Kind],
    tell: Callable[[int], None] = lambda _more: None,
) -> dict[str, Observed | None]:
    """What is there, by resource id; None where nothing is. tell: called with 1 for each resource read. Raises
    boto3's errors and CloudError, those of the first resource in order."""
    for service in _SERVICES:  # clients are made here: boto3 makes them in one thread at a time only
        aws.client(service)
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        asking = patient(aws)
        futures = [pool.submit(kinds[resource.kind].observe, asking, resource) for resource in resources]
        found: dict[str, Observed | None] = {}
        try:
            for resource, future in zip(resources, futures, strict=True):
                found[resource.id] = future.result()
                tell(1)
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return found


_SERVICES = ("s3", "sqs", "dynamodb", "iam", "lambda", "glue", "events", "logs", "sns", "cloudwatch")
