"""`ndjctl tune` on moto: measured runs, the account's quotas, the backlog, and what is said where they are not had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.contracts import DONE, MIB, READY, Attr, iso_utc, manifest_key, s3_uri
from tests.functional.operations_world import DAY, NAMES, Operations, now


class Glue:
    """Runs of G.1X x 11: 40 task slots; manifests of `sizes_mb`, 10 MB/s a vCPU and 60 s to start."""

    def __init__(self, sizes_mb: dict[str, float]) -> None:
        self.sizes_mb = sizes_mb
        self.pages = 0

    def get_job_runs(self, *, JobName: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:
        assert JobName == NAMES.job
        self.pages += 1
        ids = list(self.sizes_mb)
        start = int(NextToken)
        runs = [self._run(manifest_id) for manifest_id in ids[start : start + 2]]
        return {"JobRuns": runs} | ({"NextToken": str(start + 2)} if start + 2 < len(ids) else {})

    def _run(self, manifest_id: str) -> dict[str, Any]:
        seconds = 60 + self.sizes_mb[manifest_id] / 400
        return {
            "Id": f"jr_{manifest_id}",
            "JobRunState": "SUCCEEDED",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 11,
            "ExecutionTime": round(seconds),
            "DPUSeconds": 11 * seconds,
            "Arguments": {"--MANIFEST_PATH": s3_uri(NAMES.manifest_bucket, manifest_key(DAY, manifest_id))},
        }


class Denied:
    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)

        return refuse


class Quotas:
    """100 DPUs, and nothing else is told."""

    def get_paginator(self, _operation: str) -> Quotas:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Quotas": [{"QuotaName": "Max task DPUs per account", "QuotaCode": "L-08F3B322", "Value": 100.0}]}]


class Absent(Glue):
    def get_job_runs(self, **_: Any) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "no"}}, "GetJobRuns")


@pytest.fixture
def running(operations: Operations) -> Operations:
    operations.deploy()
    sizes = {f"20261123T10000000{number}Z-0000000{number}": 40_000.0 * (number + 2) for number in range(6)}
    for manifest_id, size_mb in sizes.items():
        operations.manifest(manifest_id, DONE, files=1, size_bytes=int(size_mb * MIB))
    operations.manifest("20261123T110000000Z-0000000a", READY, files=7)
    for number in range(3):
        uploaded = iso_utc(now() - timedelta(minutes=number))
        operations.put(DAY, f"p{number}.ndjson", **{Attr.STATUS: "pending", Attr.UPLOAD_TIME: uploaded})
    url = operations.sqs.get_queue_url(QueueName=NAMES.queue)["QueueUrl"]
    operations.sqs.send_message(QueueUrl=url, MessageBody="{}")
    operations.clients |= {"glue": Glue(sizes), "service-quotas": Quotas(), "lambda": Denied()}
    return operations


def test_it_measures_the_runs_and_counts_what_waits(running: Operations) -> None:
    answer = running("tune", "--set", "job.workers=20", "--json")
    assert answer.code == 0
    document = answer.document
    assert document["rate"]["measured_runs"] == 6
    assert document["rate"]["mb_per_s_per_vcpu"] == pytest.approx(10, rel=0.02)
    assert document["rate"]["run_start_s"] == pytest.approx(60, abs=2)
    assert running.clients["glue"].pages == 3
    assert document["backlog"] == {"files": 11, "is_least": False}
    assert (document["quotas"]["dpus"], document["now"]["concurrent_allowed"]) == (100, 5)
    assert document["changes"] == [{"path": "job.workers", "now": 10, "proposed": 20}]
    assert document["proposed"]["run_s"] < document["now"]["run_s"]
    assert document["apply"].endswith("deploy --env dev --set job.workers=20")
    assert "no record of a deployment" in document["now_source"]


def test_the_screen_fits_eighty_columns_and_says_what_it_rests_on(running: Operations) -> None:
    out = running("tune", "--preset", "heavy").out
    assert "measured: 6 completed runs" in out
    assert "job.worker_type: G.1X -> G.2X" in out
    assert "backlog of 11 files gone in" in out
    assert out.splitlines()[-1].endswith("deploy --env dev --preset heavy")
    table = out[out.index("files in a manifest") : out.index("load:")]
    assert max(map(len, table.splitlines())) <= 80


def test_nothing_proposed_is_said(running: Operations) -> None:
    answer = running("tune")
    assert answer.code == 0
    assert answer.out.startswith("Nothing would change")
    assert "--preset heavy" in answer.out.splitlines()[-1]


def test_what_may_not_be_read_costs_its_own_part(running: Operations) -> None:
    running.clients |= {"glue": Denied(), "sqs": Denied(), "service-quotas": Denied(), "lambda": Denied()}
    document = running("tune", "--set", "job.workers=20", "--json").document
    assert document["rate"]["source"].startswith("built in")
    assert document["backlog"] == {"files": 10, "is_least": True}
    told = " ".join(document["remarks"])
    assert all(what in told for what in ("not measured", "events in the queue", "quotas of Glue"))


def test_not_deployed_and_misspelt(operations: Operations) -> None:
    operations.clients["glue"] = Absent({})
    answer = operations("tune", "--preset", "heavy", "--json")
    assert answer.code == 2 and "is not deployed" in answer.document["error"]["message"]
    assert "no preset 'heavvy'" in operations("tune", "--preset", "heavvy").err
