"""An input that is overwritten or deleted while the job runs, with real Spark on the embedded cloud."""

from __future__ import annotations

import json
import random
import time

import pytest

from ndjctl.contracts import SOURCE_COLUMN
from tests.e2e.glue_harness import ENDED, Glue, result_of
from tests.glue_world import INPUT, OUTPUT, QUARANTINE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def body(number: int, lines: int) -> bytes:
    noise = random.Random(number)
    return b"".join(json.dumps({"n": n, "text": noise.randbytes(400).hex()}).encode() + b"\n" for n in range(lines))


def test_the_file_that_changes_fails_with_that_reason_and_the_others_complete(glue: Glue) -> None:
    world = glue.world
    files = [world.put_file(f"changing/{number}.ndjson", body(number, 40_000)) for number in range(4)]
    manifest = world.put_manifest(files, "changing")
    run_id = glue.start(manifest)
    deadline = time.monotonic() + 60
    while not world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads"):  # until parts are being written
        assert glue.state(run_id) not in ENDED, "the run was over before anything could be changed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    world.s3.delete_object(Bucket=INPUT, Key=files[3].key)
    world.s3.put_object(Bucket=INPUT, Key=files[2].key, Body=body(99, 40_000))
    glue.wait(run_id, ENDED)
    assert glue.state(run_id) == "SUCCEEDED"

    items = [world.file_item(file) for file in files]
    assert [item["status"] for item in items] == ["completed", "completed", "failed", "failed"]
    assert items[2]["error"].endswith("it was overwritten after its manifest was made (its ETag is another)")
    assert items[3]["error"].endswith("it is no longer there")
    _, rows, bad_lines = result_of(world, manifest)
    assert (len(rows), bad_lines) == (80_000, [])
    assert {dict(row)[SOURCE_COLUMN] for row in rows} == {files[0].uri, files[1].uri}
    for bucket in (OUTPUT, QUARANTINE):
        assert world.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    report = world.report(manifest)
    assert (report["totals"]["files_completed"], report["totals"]["files_failed"]) == (2, 2)
