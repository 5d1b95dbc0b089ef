"""The deployed job on the embedded cloud, on manifests, tables and buckets that no Lambda and no sweep knows of."""

from __future__ import annotations

import time
from typing import Any

from ndjctl import contracts
from ndjctl.aws import Cloud
from ndjctl.contracts import Manifest
from tests.glue_world import DATE, MANIFESTS, METRICS, OUTPUT, QUARANTINE, TABLE, World

ENDED = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR")


class Glue:
    """The deployed job on manifests, tables and buckets that only this test knows."""

    def __init__(self, cloud: Cloud, world: World) -> None:
        self._glue = cloud.client("glue")
        self._name = cloud.names.job
        self.world = world

    def start(self, manifest: Manifest) -> str:
        path = contracts.s3_uri(MANIFESTS, contracts.manifest_key(DATE, manifest.manifest_id))
        arguments = {
            "--MANIFEST_PATH": path,
            "--TRACKING_TABLE": TABLE,
            "--METRICS_TABLE": METRICS,
            "--MANIFEST_BUCKET": MANIFESTS,
            "--OUTPUT_BUCKET": OUTPUT,
            "--QUARANTINE_BUCKET": QUARANTINE,
            "--PART_SIZE_MB": "1",
        }
        return str(self._glue.start_job_run(JobName=self._name, Arguments=arguments)["JobRunId"])

    def state(self, run_id: str) -> str | None:
        try:
            return str(self._glue.get_job_run(JobName=self._name, RunId=run_id)["JobRun"]["JobRunState"])
        except self._glue.exceptions.EntityNotFoundException:
            return None

    def wait(self, run_id: str, states: tuple[str, ...], timeout_s: float = 120) -> float:
        """Seconds until the run is in one of `states`."""
        began = time.monotonic()
        while self.state(run_id) not in states:
            assert time.monotonic() - began < timeout_s, f"{run_id} is {self.state(run_id)}"
            time.sleep(0.02)
        return time.monotonic() - began


def result_of(world: World, manifest: Manifest) -> tuple[list[str], list[Any], list[Any]]:
    """(part names without the manifest's id, rows, quarantined lines) of what is visible under the manifest's names."""
    prefix = contracts.part_prefix(DATE, manifest.manifest_id)
    keys = [key for key in world.keys(OUTPUT) if key.startswith(prefix)]
    rows = [tuple(sorted(row.items(), key=str)) for row in world.rows(prefix)]
    bad = [
        (entry["source"], entry["byte_offset"], entry["reason"])
        for entry in world.bad_lines(contracts.bad_lines_prefix(DATE, manifest.manifest_id))
    ]
    return [key.removeprefix(prefix) for key in keys], sorted(rows, key=str), sorted(bad)
