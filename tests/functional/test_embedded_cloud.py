"""The embedded cloud as its commands use it: real processes, started, stopped, killed and started again."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ndjctl.contracts import parse_iso_utc
from ndjctl.embedded import CloudStatus, EmbeddedCloud, client_settings
from ndjctl.embedded.processes import listen, listen_patiently
from ndjctl.embedded.snapshots import read_snapshot
from ndjctl.errors import CloudError, UsageError, WorkFailed

psutil = pytest.importorskip("psutil")
pytest.importorskip("ministack")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[EmbeddedCloud]:
    """A cloud whose directory has a blank and a letter outside ASCII in its name."""
    cloud = EmbeddedCloud(tmp_path / "my cloud é")
    yield cloud
    cloud.reset()


def client(status: CloudStatus, service: str) -> Any:
    endpoint = {"endpoint_url": status.glue_endpoint_url} if service == "glue" else {}
    return boto3.client(service, **{**client_settings(status), **endpoint}, config=Config(retries={"mode": "standard"}))


def servers(data_dir: Path) -> list[Any]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(data_dir) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def fill(status: CloudStatus) -> None:
    s3, sqs, dynamodb = (client(status, service) for service in ("s3", "sqs", "dynamodb"))
    s3.create_bucket(Bucket="inputs")
    s3.put_object(Bucket="inputs", Key="a/é +&.ndjson", Body=b"{}\n" * 1000, Metadata={"who": "me"})
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    notification = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="inputs", NotificationConfiguration={"QueueConfigurations": [notification]}
    )
    dynamodb.create_table(
        TableName="files",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(20):
        dynamodb.put_item(TableName="files", Item={"k": {"S": str(number)}})
    client(status, "glue").create_job(
        Name="job", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://inputs/x.py"}
    )


def assert_filled(status: CloudStatus) -> None:
    s3, sqs, dynamodb = (client(status, service) for service in ("s3", "sqs", "dynamodb"))
    found = s3.get_object(Bucket="inputs", Key="a/é +&.ndjson")
    assert (found["Body"].read(), found["Metadata"]) == (b"{}\n" * 1000, {"who": "me"})
    assert dynamodb.scan(TableName="files")["Count"] == 20
    assert client(status, "glue").get_job(JobName="job")["Job"]["Role"] == "r"
    # The bucket still tells the queue.
    s3.put_object(Bucket="inputs", Key="another", Body=b"1")
    queue = sqs.get_queue_url(QueueName="events")["QueueUrl"]
    keys: list[str] = []
    deadline = time.monotonic() + 10
    while "another" not in keys and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            keys += [record["s3"]["object"]["key"] for record in json.loads(message["Body"]).get("Records", [])]
    assert "another" in keys


def wait_for_snapshot(cloud: EmbeddedCloud, begin: float) -> None:
    """Until a save has begun after `begin` (epoch seconds)."""
    deadline = time.monotonic() + 15
    while True:
        snapshot = read_snapshot(cloud.data_dir)
        if snapshot is not None and parse_iso_utc(snapshot.saved_at).timestamp() > begin and not snapshot.failed:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_stop_and_kill_keep_everything(cloud: EmbeddedCloud) -> None:
    said: list[str] = []
    assert cloud.status().running is False
    status = cloud.ensure_started(said.append)
    assert status.running and {part.state for part in status.parts.values()} == {"running"}
    assert status.to_dict()["parts"]["S3"]["pid"] != status.to_dict()["parts"]["Glue"]["pid"]
    assert cloud.ensure_started().to_dict() == status.to_dict() == cloud.status().to_dict()
    fill(status)

    stopped = cloud.stop(said.append)
    assert not stopped.running and {part.state for part in stopped.parts.values()} == {"stopped"}
    assert servers(cloud.data_dir) == []
    again = cloud.ensure_started()
    assert (again.endpoint_url, again.kept) == (status.endpoint_url, "")
    assert_filled(again)

    wait_for_snapshot(cloud, time.time())
    os.kill(again.parts["S3"].pid or 0, signal.SIGKILL)
    os.kill(again.parts["Glue"].pid or 0, signal.SIGKILL)
    while servers(cloud.data_dir):
        time.sleep(0.02)
    assert {part.state for part in cloud.status().parts.values()} == {"dead"}
    said.clear()
    killed = cloud.ensure_started(said.append)
    assert killed.endpoint_url == status.endpoint_url
    assert "2 S3 objects in 1 bucket;" in killed.kept and "as saved at 2" in killed.kept
    assert killed.kept in said
    assert cloud.status().kept == killed.kept
    assert_filled(killed)


def test_a_kill_in_the_middle_of_writes_keeps_what_was_saved(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    fill(status)
    acknowledged: dict[str, float] = {}
    killed = threading.Event()

    def write(number: int) -> None:
        dynamodb, s3 = client(status, "dynamodb"), client(status, "s3")
        for count in itertools.count():
            key = f"{number}-{count}"
            try:
                s3.put_object(Bucket="inputs", Key=f"w/{key}", Body=b"x" * 1000)
                dynamodb.put_item(TableName="files", Item={"k": {"S": key}, "v": {"S": "x" * 1000}})
            except Exception:
                assert killed.is_set()
                return
            acknowledged[key] = time.time()

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        wait_for_snapshot(cloud, time.time() + 1)
        time.sleep(0.3)
        killed.set()
        os.kill(status.parts["S3"].pid or 0, signal.SIGKILL)
        for writer in writers:
            writer.result()
    snapshot = read_snapshot(cloud.data_dir)
    assert snapshot is not None
    saved_at = parse_iso_utc(snapshot.saved_at).timestamp()
    again = cloud.ensure_started()
    pages = client(again, "dynamodb").get_paginator("scan").paginate(TableName="files")
    items = {item["k"]["S"] for page in pages for item in page["Items"]}
    pages = client(again, "s3").get_paginator("list_objects_v2").paginate(Bucket="inputs", Prefix="w/")
    objects = {found["Key"].removeprefix("w/") for page in pages for found in page["Contents"]}
    saved = {key for key, moment in acknowledged.items() if moment < saved_at}
    assert len(saved) > 20 and saved <= items
    assert set(acknowledged) <= objects
    log = (cloud.data_dir / "logs" / "services.log").read_text()
    assert "could not be" not in log


def test_one_killed_part_is_started_again_without_the_other(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    fill(status)
    os.kill(status.parts["Glue"].pid or 0, signal.SIGKILL)
    while len(servers(cloud.data_dir)) > 1:
        time.sleep(0.02)
    partly = cloud.status()
    assert (partly.running, partly.parts["Glue"].state, partly.parts["SQS"].state) == (False, "dead", "running")
    again = cloud.ensure_started()
    assert again.parts["S3"] == status.parts["S3"] and again.glue_endpoint_url == status.glue_endpoint_url
    assert "Glue endpoint had been killed" in again.kept
    assert_filled(again)


def test_a_part_that_cannot_have_its_port_back_moves_with_the_other(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    fill(status)
    os.kill(status.parts["Glue"].pid or 0, signal.SIGKILL)
    while len(servers(cloud.data_dir)) > 1:
        time.sleep(0.02)
    with listen_patiently(status.parts["Glue"].port or 0, patience_s=5.0, sleep=time.sleep):
        again = cloud.ensure_started()
    assert again.glue_endpoint_url != status.glue_endpoint_url and again.endpoint_url == status.endpoint_url
    # The services were told the new address: their environment is what Lambda functions get.
    environ = psutil.Process(again.parts["S3"].pid).environ()
    assert environ["AWS_ENDPOINT_URL_GLUE"] == again.glue_endpoint_url
    assert_filled(again)


def test_commands_at_once_start_it_once(cloud: EmbeddedCloud) -> None:
    program = (
        "import json, sys; from pathlib import Path; from ndjctl.embedded import EmbeddedCloud\n"
        "print(json.dumps(EmbeddedCloud(Path(sys.argv[1])).ensure_started().to_dict()))"
    )
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(cloud.data_dir)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(3)
    ]
    answers = [command.communicate(timeout=60)[0] for command in commands]
    # Its starter is gone, and it runs.
    assert len(servers(cloud.data_dir)) == 2
    assert [json.loads(answer)["running"] for answer in answers] == [True] * 3
    assert len({json.loads(answer)["parts"]["S3"]["pid"] for answer in answers}) == 1
    # Neither a terminal nor the starter's group can take it down, and it holds nothing of the starter's open.
    for server in servers(cloud.data_dir):
        assert os.getsid(server.pid) == server.pid and server.environ()["TZ"] == "UTC"


def test_a_server_that_its_starter_did_not_record_is_replaced(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    fill(status)
    wait_for_snapshot(cloud, time.time())
    (cloud.data_dir / "cloud.json").write_text('{"format": "ndjctl.embedded-cloud", "version": 1, "par')
    assert cloud.status().running is False
    again = cloud.ensure_started()
    assert len(servers(cloud.data_dir)) == 2 and again.parts["S3"].pid != status.parts["S3"].pid
    assert_filled(again)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"format": "ndjctl.embedded-cloud", "version": 1}', "\x00"])
def test_a_broken_record_is_no_record(cloud: EmbeddedCloud, text: str) -> None:
    cloud.data_dir.mkdir()
    (cloud.data_dir / "cloud.json").write_text(text)
    assert cloud.status().running is False
    assert cloud.stop().running is False


def test_a_reused_process_id_is_never_taken_for_ours(cloud: EmbeddedCloud) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        cloud.data_dir.mkdir()
        part = {"pid": stranger.pid, "port": 1, "created": psutil.Process(stranger.pid).create_time(), "started_at": ""}
        record = {"format": "ndjctl.embedded-cloud", "version": 1, "clean_stop": False, "kept": "", "versions": {}}
        (cloud.data_dir / "cloud.json").write_text(json.dumps({**record, "parts": {"services": part, "glue": part}}))
        assert cloud.status().parts["S3"].state == "dead"
        assert cloud.ensure_started().running
        cloud.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_given_port_that_is_taken(tmp_path: Path) -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        for options, setting in (({"port": port}, "embedded.port"), ({"glue_port": port}, "embedded.glue_port")):
            cloud = EmbeddedCloud(tmp_path / "c", **options)
            with pytest.raises(UsageError, match=f"port {port} of {setting} is taken") as caught:
                cloud.ensure_started()
            assert "\n" not in str(caught.value)
            assert servers(cloud.data_dir) == []


def test_a_given_port_is_used_and_a_running_cloud_does_not_move(cloud: EmbeddedCloud) -> None:
    with listen(0) as free:
        port = free.getsockname()[1]
    given = EmbeddedCloud(cloud.data_dir, port=port)
    assert given.ensure_started().endpoint_url == f"http://127.0.0.1:{port}"
    with pytest.raises(UsageError, match="already runs on port"):
        EmbeddedCloud(cloud.data_dir, port=port + 1).ensure_started()
    listening = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        EmbeddedCloud(tmp_path / "file").ensure_started()
    with pytest.raises(UsageError, match="cannot take"):
        EmbeddedCloud(tmp_path / "a:b").ensure_started()


def test_a_server_that_does_not_start_is_told_by_its_last_words(tmp_path: Path) -> None:
    data_dir = tmp_path / "c"
    (data_dir / "glue").mkdir(parents=True)
    (data_dir / "glue" / "glue.sqlite3").write_text("this is no database, and never was one")
    with pytest.raises(CloudError, match=r"did not start: .*database.*glue\.log"):
        EmbeddedCloud(data_dir).ensure_started()
    assert servers(data_dir) == []


def test_reset_deletes_what_is_ours_and_nothing_else(cloud: EmbeddedCloud, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("")
    cloud.ensure_started()
    (cloud.data_dir / "notes.txt").write_text("mine")
    (cloud.data_dir / "tmp").rmdir()
    (cloud.data_dir / "tmp").symlink_to(elsewhere)
    cloud.reset()
    assert [path.name for path in cloud.data_dir.iterdir()] == ["notes.txt"]
    assert (elsewhere / "precious").exists()
    (cloud.data_dir / "notes.txt").unlink()
    cloud.reset()
    assert not cloud.data_dir.exists()


def test_web_pages_are_refused(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    for header in ({"Origin": "http://x.test"}, {"Host": "x.test"}, {"Sec-Fetch-Site": "cross-site"}):
        request = urllib.request.Request(f"{status.endpoint_url}/bucket", method="PUT", headers=header)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 403
    assert client(status, "s3").list_buckets()["Buckets"] == []


def test_functions_see_the_cloud_and_nothing_of_the_user(tmp_path: Path) -> None:
    leaks = {
        "AWS_PROFILE": "prod",
        "AWS_ENDPOINT_URL": "http://x.test",
        "HTTP_PROXY": "http://x.test:1",
        "SERVICES": "s3",
    }
    cloud = EmbeddedCloud(tmp_path / "c", environ={**os.environ, **leaks, "HOME": str(tmp_path / "no-home")})
    status = cloud.ensure_started()
    try:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as bundle:
            bundle.writestr(
                "h.py",
                "import boto3, os\n"
                "def f(event, context):\n"
                "    jobs = boto3.client('glue').list_jobs()['JobNames']\n"
                "    boto3.client('s3').create_bucket(Bucket='by-the-function')\n"
                "    return {'jobs': jobs, 'leaks': [os.environ.get(name) for name in event['names']]}\n",
            )
        fill(status)
        functions = client(status, "lambda")
        role = client(status, "iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        functions.create_function(
            FunctionName="f", Runtime="python3.12", Role=role, Handler="h.f", Code={"ZipFile": archive.getvalue()}
        )
        names = [*leaks, "PYTHONPATH"]
        answer = functions.invoke(FunctionName="f", Payload=json.dumps({"names": names}))
        seen = json.loads(answer["Payload"].read())
        assert seen == {"jobs": ["job"], "leaks": [None, status.endpoint_url, None, None, None]}
        assert "by-the-function" in [bucket["Name"] for bucket in client(status, "s3").list_buckets()["Buckets"]]
    finally:
        cloud.reset()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 MB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing_in_silence(small_disk: Path) -> None:
    cloud = EmbeddedCloud(small_disk / "c")
    status = cloud.ensure_started()
    try:
        fill(status)
        s3 = client(status, "s3")
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 40 * 2**20))
        with pytest.raises(WorkFailed, match=r"is full: (39|40) MB are free, .* at least 64 MB"):
            cloud.ensure_started()
        s3.put_object(Bucket="inputs", Key="fits", Body=b"1" * 2**20)
        for key in ("fits", "new"):
            with pytest.raises(ClientError) as caught:
                s3.put_object(Bucket="inputs", Key=key, Body=b"2" * 20 * 2**20)
            assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
        upload = s3.create_multipart_upload(Bucket="inputs", Key="parts")["UploadId"]
        name = {"Bucket": "inputs", "Key": "parts", "UploadId": upload}
        parts = [
            {"ETag": s3.upload_part(**name, PartNumber=n, Body=b"3" * 6 * 2**20)["ETag"], "PartNumber": n}
            for n in (1, 2)
        ]
        with pytest.raises(ClientError, match="InsufficientStorage"):
            s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
        assert s3.get_object(Bucket="inputs", Key="fits")["Body"].read() == b"1" * 2**20
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket="inputs")["Contents"]]
        assert keys == ["a/é +&.ndjson", "fits"]
        ballast.unlink()
        s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
        cloud.stop()
        assert_filled(cloud.ensure_started())
    finally:
        cloud.reset()


def test_too_little_room_is_told_before_anything_starts(tmp_path: Path) -> None:
    cloud = EmbeddedCloud(tmp_path / "c", free_bytes=lambda _: 63 * 2**20)
    with pytest.raises(WorkFailed, match="63 MB are free"):
        cloud.ensure_started()
    assert servers(cloud.data_dir) == []


def test_a_state_that_cannot_be_saved_is_told(cloud: EmbeddedCloud) -> None:
    status = cloud.ensure_started()
    fill(status)
    # The final save cannot put its file in place of a directory.
    shutil.rmtree(cloud.data_dir / "state", ignore_errors=True)
    (cloud.data_dir / "state" / "dynamodb.json").mkdir(parents=True)
    with pytest.raises(WorkFailed, match="dynamodb could not be saved"):
        cloud.stop()
    assert servers(cloud.data_dir) == []
