"""Kill -9 of a Glue run at random moments, and its second attempt: real Spark on the embedded cloud."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ndjctl.contracts import SOURCE_COLUMN, ManifestFile
from ndjctl.embedded.glue.spark import RUN_MARKER
from tests.e2e.glue_harness import ENDED, Glue, result_of
from tests.glue_world import OUTPUT, QUARANTINE, World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = 20
SEED = 20261123


def processes_of(run_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_MARKER) == run_id:
                found.append(process)
        except psutil.Error:
            continue
    return found


def files_of(world: World) -> list[ManifestFile]:
    """Some megabytes that make several parts, with bad lines and drift in them."""
    noise = random.Random(SEED)
    files = []
    for number in range(3):
        lines = [
            json.dumps(
                {"n": n, "text": noise.randbytes(400).hex(), "extra": {"a": 1}}
                if n % 9_000 == 8_999
                else {"n": n, "text": noise.randbytes(400).hex()}
            ).encode()
            for n in range(number * 10_000, (number + 1) * 10_000)
        ]
        lines[number * 100 + 7] = b'{"cut":'
        files.append(world.put_file(f"kill/{number}.ndjson", b"\n".join(lines)))
    return files


def uploads(world: World) -> list[str]:
    """Keys of the uploads that are not finished."""
    answers = [world.s3.list_multipart_uploads(Bucket=bucket) for bucket in (OUTPUT, QUARANTINE)]
    return [upload["Key"] for answer in answers for upload in answer.get("Uploads", [])]


def undisturbed(glue: Glue, files: list[ManifestFile], name: str) -> tuple[float, Any]:
    """(seconds that a run lasts, its result)."""
    for manifest_id in (f"{name}0", f"{name}1"):
        # What the first one adds to the schema late is a column of the second: that is the result to be equal to.
        manifest = glue.world.put_manifest(files, manifest_id)
        run_id = glue.start(manifest)
        glue.wait(run_id, ("RUNNING", *ENDED))
        lasts_s = glue.wait(run_id, ENDED)
        assert glue.state(run_id) == "SUCCEEDED"
    return lasts_s, result_of(glue.world, manifest)


def test_killed_at_twenty_random_moments(glue: Glue, tmp_path: Path) -> None:
    world, chance = glue.world, random.Random(SEED)
    files = files_of(world)
    lasts_s, expected = undisturbed(glue, files, "settled")
    assert len(expected[0]) >= 4
    assert (len(expected[1]), len(expected[2])) == (29_997, 3)
    assert {dict(row)[SOURCE_COLUMN] for row in expected[1]} == {file.uri for file in files}

    kills, uploads_seen, parts_seen = 0, 0, 0
    for number in range(KILLS * 3):
        if kills == KILLS:
            break
        manifest = world.put_manifest(files, f"kill{number:02d}")
        run_id = glue.start(manifest)
        glue.wait(run_id, ("RUNNING",))
        if number % 2:
            # Most of a run is the start of Spark; half of the moments are where parts are being written.
            while glue.state(run_id) == "RUNNING" and not uploads(world):
                time.sleep(0.01)
            time.sleep(chance.random())
        else:
            time.sleep(lasts_s * chance.random())
        victims = processes_of(run_id)
        for victim in victims:
            try:
                os.kill(victim.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        glue.wait(run_id, ENDED)
        if glue.state(run_id) == "SUCCEEDED":
            continue  # the moment came too late
        kills += 1
        uploads_seen += bool(uploads(world))
        parts_seen += bool(result_of(world, manifest)[0])
        glue.wait(f"{run_id}_attempt_1", ENDED)
        assert glue.state(f"{run_id}_attempt_1") == "SUCCEEDED"

        assert result_of(world, manifest) == expected, f"kill {kills}"
        assert uploads(world) == [], f"kill {kills}"
        assert [world.file_item(file)["status"] for file in files] == ["completed"] * 3
        assert world.open_item(manifest) is None
    assert kills == KILLS
    # The moments were such that there was something to clean up.
    assert uploads_seen >= 3
    owners = {key.split("part-")[1].rsplit("-", 1)[0] for key in world.keys(OUTPUT)}
    assert owners <= {
        "settled0",
        "settled1",
        "calm0",
        "calm1",
        *(f"worker{n}" for n in range(6)),
        *(f"kill{number:02d}" for number in range(KILLS * 3)),
    }
    (tmp_path / "kills.json").write_text(json.dumps({"kills": kills, "uploads": uploads_seen, "parts": parts_seen}))


def test_a_killed_worker_costs_its_task_and_nothing_else(glue: Glue) -> None:
    world = glue.world
    files = files_of(world)
    _, expected = undisturbed(glue, files, "calm")
    killed = 0
    for number in range(6):
        manifest = world.put_manifest(files, f"worker{number}")
        run_id = glue.start(manifest)
        glue.wait(run_id, ("RUNNING",))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and glue.state(run_id) == "RUNNING":
            workers = [
                p for p in processes_of(run_id) if "pyspark.daemon" in " ".join(_command(p)) and p.children() == []
            ]
            if workers:
                workers[0].kill()
                killed += 1
                break
            time.sleep(0.01)
        glue.wait(run_id, ENDED)
        last = run_id if glue.state(run_id) == "SUCCEEDED" else f"{run_id}_attempt_1"
        glue.wait(last, ENDED)
        assert result_of(world, manifest) == expected
        assert uploads(world) == []
    assert killed >= 3


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
