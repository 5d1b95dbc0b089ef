"""A night with trouble in it, on an embedded cloud: real files and runs, and a browser's picture of it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

from ndjctl.contracts import Names, iso_utc

ENV = "night"
NAMES = Names("000000000000", ENV)
DAY = f"{datetime.now(timezone.utc):%Y-%m-%d}"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FILES = 60
CONVERTED = 24
"""Of them, before the picture is taken; the others are on their way then."""

Client = Callable[[str], Any]


def profile(folder: Path) -> None:
    """A profile of its own: the local one, with manifests of few files, a rule that something breaks, and a budget."""
    path = Path(__file__).parents[1] / "profiles/local.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings |= {"environment": ENV, "suffix": ENV}
    settings["batching"] |= {"max_files_per_manifest": 6, "max_partial_age_s": 600}
    settings["size_rule"] |= {"min_file_size_mb": 0.001}
    settings["job"] |= {"max_bad_lines": 5, "max_concurrent_runs": 2, "max_retries": 0}
    settings["cost"] = {**settings.get("cost", {}), "max_per_day": 1.0}
    (folder / "profiles").mkdir()
    (folder / f"profiles/{ENV}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def happen(client: Client) -> None:
    """The files of an hour come in, most of them late; one is full of bad lines, some are too small, and three events
    cannot be handled by anybody."""
    s3, sqs = client("s3"), client("sqs")
    queue = sqs.get_queue_url(QueueName=NAMES.queue)["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    before = s3.get_bucket_notification_configuration(Bucket=NAMES.input_bucket)
    before.pop("ResponseMetadata")
    # Their events come by hand, with the times at which they would have come in an hour's traffic.
    s3.put_bucket_notification_configuration(Bucket=NAMES.input_bucket, NotificationConfiguration={})
    chance = random.Random(7)  # noqa: S311 - the same night each time
    ages_min = sorted((55 * chance.random() ** 1.6 for _ in range(FILES)), reverse=True)
    for number, age_min in enumerate(ages_min):
        put(s3, sqs, queue, f"{DAY}-events-{number:03d}.ndjson", body(number), age_min)
        if number == CONVERTED:
            wait_for_runs(client, CONVERTED // 6)
    for number in range(2):
        put(s3, sqs, queue, f"{DAY}-broken-off-{number}.ndjson", b'{"id":1}\n', 3.0 + number)
    for number in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"Records": [{"night": number}]}))
    s3.put_bucket_notification_configuration(Bucket=NAMES.input_bucket, NotificationConfiguration=before)
    wait_for_runs(client, CONVERTED // 6 + 1)


def body(number: int) -> bytes:
    lines = [json.dumps({"id": n, "file": number, "kind": "click", "at": f"{DAY}T00:00:00Z"}) for n in range(2_000)]
    if number == 5:
        lines[10:20] = ["{broken"] * 10
    return "\n".join(lines).encode() + b"\n"


def put(s3: Any, sqs: Any, queue: str, key: str, content: bytes, age_min: float) -> None:
    etag = str(s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=content)["ETag"]).strip('"')
    uploaded = datetime.now(timezone.utc) - timedelta(minutes=age_min)
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": iso_utc(uploaded),
        "s3": {
            "bucket": {"name": NAMES.input_bucket},
            "object": {"key": key, "size": len(content), "eTag": etag, "sequencer": "00"},
        },
    }
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [record]}))


def wait_for_runs(client: Client, count: int, timeout_s: float = 300) -> None:
    """Until so many runs have ended and one is at work."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        runs = client("glue").get_job_runs(JobName=NAMES.job)["JobRuns"]
        ended = sum("CompletedOn" in run for run in runs)
        if ended >= count and any(run["JobRunState"] == "RUNNING" for run in runs):
            return
        if ended >= count and ended == len(runs):
            return
        time.sleep(0.5)


def page(command: list[str], environment: Mapping[str, str], path: Path, width: int, height: int) -> None:
    """The page of `ndjctl monitor --web` as a browser shows it; nothing where there is none."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.stderr.write(f"no browser on the PATH: {path.name} stays as it is\n")
        return
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, env={**environment}, text=True) as server:
        told = ""
        while server.stdout is not None and not told.endswith("}\n"):
            told += server.stdout.readline()
        try:
            shot = [f"--window-size={width},{height}", f"--screenshot={path}", "--virtual-time-budget=4000"]
            profile_dir = f"--user-data-dir={environment['HOME']}/browser"
            look = [browser, *options, profile_dir, *shot, json.loads(told)["url"]]
            subprocess.run(look, check=True, capture_output=True)
        finally:
            server.terminate()
