"""AWS clients, made once per process and only when needed: Spark's Python workers are forked, and a client does not
survive a fork."""

from __future__ import annotations

import os
from typing import Any

_made: dict[tuple[int, str], Any] = {}


def client(service: str) -> Any:
    """The boto3 client of a service (s3, dynamodb, glue), with standard retries. Region, endpoint and credentials come
    from the environment."""
    key = (os.getpid(), service)
    if key not in _made:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 8},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
        )
        # botocore itself does not read AWS_REGION, which is the one that some AWS runtimes set.
        region = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
        _made[key] = boto3.client(service, region_name=region, config=config)
    return _made[key]


def error_code(error: Exception) -> str:
    """The code of a botocore ClientError (HTTP status as text where S3 sends no body), else an empty string."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
