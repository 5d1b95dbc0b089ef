"""What the predecessor made, taken over, converts a file; and its logs name no account and no secret."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests import predecessor
from tests.deploy_command import SECRET, Command, command
from tests.e2e.conftest import rows_of

__all__ = ["command"]

pytestmark = pytest.mark.e2e

KEEP = ("--set", "function.keep_variables=[DD_*]")


def logged(command: Command) -> dict[str, str]:
    """Everything in every log group of the account."""
    logs = command.hands.client("logs")
    found: dict[str, str] = {}
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            events = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True)
            found[name] = found.get(name, "") + "\n".join(event["message"] for event in events["events"])
    return found


def test_an_adopted_pipeline_converts_a_file(command: Command, tmp_path: Any) -> None:
    cloud, names = command.hands, command.names
    predecessor.deploy(cloud, "dev")
    command.does("deploy", "--allow-data-loss", *KEEP)
    body = "".join(f"{json.dumps({'n': number, 'text': 'x' * 60})}\n" for number in range(100)).encode()
    cloud.client("s3").put_object(Bucket=names.input_bucket, Key="new.ndjson", Body=body)
    deadline = time.monotonic() + 240
    while True:
        command.does("sweep", "--flush", *KEEP)
        pages = cloud.client("s3").list_objects_v2(Bucket=names.manifest_bucket, Prefix="reports/")
        if pages["KeyCount"]:
            break
        assert time.monotonic() < deadline, logged(command)
        time.sleep(2)
    parts = cloud.client("s3").list_objects_v2(Bucket=names.output_bucket)["Contents"]
    new = [f"s3://{names.output_bucket}/{part['Key']}" for part in parts if "part-0.parquet" not in part["Key"]]
    assert sorted(row["n"] for row in rows_of(cloud, new, tmp_path)) == list(range(100))

    logs = logged(command)
    assert any("aws-glue" in name for name in logs) and any("lambda" in name for name in logs)
    for group, text in logs.items():
        assert text
        for secret in (SECRET, "f0e1d2c3b4a5", command.account_id):
            lines = [line for line in text.splitlines() if secret in line]
            assert lines == [], (group, secret)
