"""What can be said of the embedded cloud at one moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ndjctl.embedded.environment import ACCESS_KEY, ACCOUNT_ID, REGION, SECRET_KEY
from ndjctl.embedded.processes import LOOPBACK
from ndjctl.embedded.record import CloudRecord

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


Report = dict[str, Any] | None
"""What a process answers to a question for its health; None for no answer."""


def describe(
    record: CloudRecord,
    data_dir: str,
    *,
    version: str,
    services_alive: bool,
    services_report: Report,
    glue_alive: bool,
    glue_report: Report,
) -> CloudStatus:
    """The status that the record and what was seen of the two processes come to."""
    services = _part(record, "services", services_alive, services_report)
    glue = _part(record, "glue", glue_alive, glue_report)
    served = (services_report or {}).get("services", {})
    parts = {}
    for name, key in SERVICES.items():
        lacking = services.state == RUNNING and served.get(key) != "available"
        parts[name] = replace(services, state=UNHEALTHY) if lacking else services
    parts[GLUE] = glue
    return CloudStatus(
        running=all(part.state == RUNNING for part in parts.values()),
        endpoint_url=endpoint_url(services.port) if services.port else None,
        glue_endpoint_url=endpoint_url(glue.port) if glue.port else None,
        data_dir=data_dir,
        version=version,
        parts=parts,
        kept=record.kept,
    )


def _part(record: CloudRecord, name: str, alive: bool, report: Report) -> PartStatus:
    details = record.parts.get(name)
    if details is None or (record.clean_stop and not alive):
        return PartStatus(STOPPED)
    if not alive:
        return PartStatus(DEAD, started_at=details.started_at)
    state = RUNNING if report is not None else UNHEALTHY
    return PartStatus(state, details.pid, details.port, details.started_at)
