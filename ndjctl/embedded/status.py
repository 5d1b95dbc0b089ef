"""What can be said of the embedded cloud at one moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ndjctl.embedded.environment import ACCESS_KEY, ACCOUNT_ID, REGION, SECRET_KEY
from ndjctl.embedded.processes import LOOPBACK

RUNNING = "running"
STOPPED = "stopped"
DEAD = "dead"
"""It was started and never stopped, and its process is gone."""
UNHEALTHY = "unhealthy"
"""Its process runs and does not answer, or says that it cannot serve."""

SERVICES = {
    "S3": "s3",
    "SQS": "sqs",
    "DynamoDB": "dynamodb",
    "Lambda": "lambda",
    "Logs": "logs",
    "EventBridge": "events",
    "IAM": "iam",
    "STS": "sts",
    "CloudWatch": "monitoring",
}
"""The services that ministack serves for the pipeline: our name -> its name in ministack's health report."""

GLUE = "Glue"


@dataclass(frozen=True)
class PartStatus:
    """One service. state: RUNNING, STOPPED, DEAD or UNHEALTHY. pid and port are those of its process, when it has one;
    several services share one process."""

    state: str
    pid: int | None = None
    port: int | None = None
    started_at: str | None = None


@dataclass(frozen=True)
class CloudStatus:
    """running: whether every part runs. The URLs are None unless their process runs. kept: after a kill, what the
    restart found again; empty otherwise."""

    running: bool
    endpoint_url: str | None
    glue_endpoint_url: str | None
    data_dir: str
    version: str
    account_id: str = ACCOUNT_ID
    region: str = REGION
    parts: dict[str, PartStatus] = field(default_factory=dict)
    kept: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON types."""
        return asdict(self)


def client_settings(status: CloudStatus) -> dict[str, Any]:
    """Keyword arguments of a boto3 client of any service but Glue, whose endpoint is status.glue_endpoint_url."""
    return {
        "endpoint_url": status.endpoint_url,
        "region_name": status.region,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
    }


def endpoint_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def health(port: int, path: str, timeout_s: float) -> dict[str, Any] | None:
    """The health report (a JSON object) of the server on a loopback port, or None when it gives none in time.

    Asks the port directly: no proxy setting of the user can come in between.
    """
    import http.client

    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        report = json.loads(response.read(1 << 20)) if response.status == 200 else None
        return report if isinstance(report, dict) else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
