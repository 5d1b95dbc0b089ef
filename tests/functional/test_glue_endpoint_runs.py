"""Runs of the Glue endpoint: real scripts from a real S3, in real processes. A minute of Timeout is one second here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ndjctl.embedded import EmbeddedCloud, client_settings
from tests.functional.test_glue_endpoint import JOB, finished, glue_client, start_endpoint

psutil = pytest.importorskip("psutil")

SPAWNS = """
    import os, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    grandchild = subprocess.Popen("sleep 300 & exec sleep 300", shell=True)
    print("spawned", flush=True)
    time.sleep(300)
"""


@dataclass
class Endpoint:
    glue: Any
    services: dict[str, Any]
    runs_dir: Path

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.services)

    def upload(self, key: str, body: bytes) -> str:
        s3 = self.client("s3")
        s3.create_bucket(Bucket="scripts")
        s3.put_object(Bucket="scripts", Key=key, Body=body)
        return f"s3://scripts/{key}"

    def job(self, script: str, **fields: Any) -> str:
        name = f"job-{uuid.uuid4().hex[:8]}"
        location = self.upload(f"{name}.py", textwrap.dedent(script).encode())
        command = {**JOB["Command"], "ScriptLocation": location}
        self.glue.create_job(Name=name, **{**JOB, "Command": command, **fields})
        return name

    def start(self, job: str, **fields: Any) -> str:
        return str(self.glue.start_job_run(JobName=job, **fields)["JobRunId"])

    def run(self, job: str, run_id: str) -> dict[str, Any]:
        return dict(self.glue.get_job_run(JobName=job, RunId=run_id)["JobRun"])

    def output(self, run_id: str, name: str = "stdout.log") -> str:
        return (self.runs_dir / run_id / name).read_text()


def processes_of(run_id: str) -> list[Any]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("NDJ_GLUE_RUN") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def names_of(run_id: str) -> list[str]:
    names = []
    for process in processes_of(run_id):
        with contextlib.suppress(psutil.Error):  # gone since it was found
            names.append(process.name())
    return names


def eventually(condition: Callable[[], Any], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    cloud = EmbeddedCloud(tmp_path_factory.mktemp("cloud"))
    cloud.ensure_started()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def endpoint(cloud: EmbeddedCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    data_dir = tmp_path_factory.mktemp("runs")
    services = client_settings(cloud.status())
    process, port = start_endpoint(data_dir, services["endpoint_url"], NDJ_GLUE_PARALLEL_RUNS="3")
    yield Endpoint(glue_client(port), services, data_dir / "glue" / "runs")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_script_gets_its_arguments_libraries_and_clients(endpoint: Endpoint) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("packed/__init__.py", "VALUE = 'from the zip'")
    zipped = endpoint.upload("lib/my bundle+é.zip", archive.getvalue())
    module = endpoint.upload("lib/single.py", b"VALUE = 'from the module'")
    job = endpoint.job(
        """
        import json, os, sys
        import boto3, packed, single
        boto3.client("s3").put_object(Bucket="scripts", Key="made-by-run", Body=b"1")
        jobs = boto3.client("glue").get_job(JobName=sys.argv[sys.argv.index("--JOB_NAME") + 1])
        leaks = [name for name in os.environ if name in ("AWS_PROFILE", "HTTPS_PROXY", "PYTHONSTARTUP")]
        print(json.dumps([sys.argv[1:], packed.VALUE, single.VALUE, leaks, os.getcwd(), os.environ["TZ"]]))
        try:
            import ndjctl.embedded.glue
        except ImportError:
            pass
        """,
        DefaultArguments={
            "--extra-py-files": f"{zipped},{module}",
            "--enable-metrics": "true",
            "--job-language": "python",
            "--conf": "spark.a=1 --conf spark.executor.memory=9g",
            "--TempDir": "s3://scripts/tmp/",
            "--A": "default",
            "--B": "$(touch /tmp/pwned); 'b\"",
        },
        NonOverridableArguments={"--C": "fixed"},
    )
    run_id = endpoint.start(job, Arguments={"--A": "run é", "--C": "ignored", "--EMPTY": ""})
    run = finished(endpoint.glue, job, run_id)
    assert run["JobRunState"] == "SUCCEEDED", endpoint.output(run_id, "stderr.log")
    arguments, packed, single, leaks, cwd, zone = json.loads(endpoint.output(run_id))
    assert dict(zip(arguments[::2], arguments[1::2], strict=True)) == {
        "--TempDir": "s3://scripts/tmp/",
        "--A": "run é",
        "--B": "$(touch /tmp/pwned); 'b\"",
        "--C": "fixed",
        "--EMPTY": "",
        "--JOB_NAME": job,
        "--JOB_RUN_ID": run_id,
        "--JOB_ID": f"j_{job}",
    }
    assert (packed, single, leaks, zone) == ("from the zip", "from the module", [], "UTC")
    assert Path(cwd).is_relative_to(endpoint.runs_dir / run_id)
    notes = endpoint.output(run_id, "stderr.log")
    assert "applied: spark.a=1\n" in notes and "not applied: spark.executor.memory=9g" in notes
    assert endpoint.client("s3").get_object(Bucket="scripts", Key="made-by-run")["Body"].read() == b"1"
    assert run["Arguments"] == {"--A": "run é", "--C": "ignored", "--EMPTY": ""}
    # Scratch goes, what an operator may want to look at stays.
    assert sorted(path.name for path in (endpoint.runs_dir / run_id).iterdir()) == [
        "libraries",
        "script",
        "stderr.log",
        "stdout.log",
    ]


def test_success_is_timed_and_priced(endpoint: Endpoint) -> None:
    scaled = {"--enable-auto-scaling": "true"}
    job = endpoint.job("import time; time.sleep(1.2)", WorkerType="G.2X", NumberOfWorkers=5, DefaultArguments=scaled)
    run_id = endpoint.start(job)
    eventually(lambda: endpoint.run(job, run_id)["JobRunState"] == "RUNNING")
    run = finished(endpoint.glue, job, run_id)
    assert run["JobRunState"] == "SUCCEEDED" and "ErrorMessage" not in run
    assert run["ExecutionTime"] == 1
    assert 12.0 < run["DPUSeconds"] < 40.0  # ten DPUs for as long as the process ran
    assert run["StartedOn"] <= run["CompletedOn"] == run["LastModifiedOn"]
    assert run["LogGroupName"] == "/aws-glue/jobs"


@pytest.mark.parametrize(
    ("about", "is_told"),
    [({}, False), ({"Arguments": {"--enable-auto-scaling": "false"}}, False), ({"ExecutionClass": "FLEX"}, True)],
)
def test_dpu_seconds_are_told_only_with_auto_scaling_and_of_flex(
    endpoint: Endpoint, about: dict[str, Any], is_told: bool
) -> None:
    """AWS Glue API reference, JobRun: DPUSeconds. test_success_is_timed_and_priced has auto scaling."""
    job = endpoint.job("pass", WorkerType="G.1X", NumberOfWorkers=2)
    run = finished(endpoint.glue, job, endpoint.start(job, **about))
    assert ("DPUSeconds" in run) == is_told
    assert run["ExecutionTime"] >= 1  # it ran, however short: none at all would say that it did not


def test_failure_is_told_by_its_last_exception_and_tried_again(endpoint: Endpoint) -> None:
    job = endpoint.job(
        """
        import sys
        print("about to fail", file=sys.stderr)
        try:
            {}["k"]
        except KeyError as error:
            raise ValueError("the manifest is gone") from error
        """,
        MaxRetries=2,
    )
    run_id = endpoint.start(job)
    last = f"{run_id}_attempt_2"
    eventually(lambda: any(run["Id"] == last for run in endpoint.glue.get_job_runs(JobName=job)["JobRuns"]))
    finished(endpoint.glue, job, last)
    runs = endpoint.glue.get_job_runs(JobName=job)["JobRuns"]
    assert [(run["Id"], run["Attempt"], run.get("PreviousRunId")) for run in runs] == [
        (last, 2, f"{run_id}_attempt_1"),
        (f"{run_id}_attempt_1", 1, run_id),
        (run_id, 0, None),
    ]
    assert {(run["JobRunState"], run["ErrorMessage"]) for run in runs} == {
        ("FAILED", "ValueError: the manifest is gone")
    }


def test_exit_codes_and_signals_are_failures(endpoint: Endpoint) -> None:
    job = endpoint.job(
        """
        import os, signal, sys
        if "--KILL" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(3)
        """,
        ExecutionProperty={"MaxConcurrentRuns": 2},
    )
    exits, killed = endpoint.start(job), endpoint.start(job, Arguments={"--KILL": "1"})
    assert finished(endpoint.glue, job, exits)["ErrorMessage"] == "SystemExit: 3"
    assert "signal 9" in finished(endpoint.glue, job, killed)["ErrorMessage"]


def test_more_than_max_concurrent_runs_is_refused(endpoint: Endpoint) -> None:
    job = endpoint.job("import time; time.sleep(300)", ExecutionProperty={"MaxConcurrentRuns": 2})
    started = [endpoint.start(job), endpoint.start(job)]
    with pytest.raises(ClientError) as caught:
        endpoint.start(job)
    assert caught.value.response["Error"]["Code"] == "ConcurrentRunsExceededException"
    assert isinstance(caught.value, endpoint.glue.exceptions.ConcurrentRunsExceededException)
    assert len(endpoint.glue.get_job_runs(JobName=job)["JobRuns"]) == 2
    endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=started[:1])
    assert finished(endpoint.glue, job, started[0])["JobRunState"] == "STOPPED"
    started.append(endpoint.start(job))
    endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=started[1:])
    for run_id in started:
        finished(endpoint.glue, job, run_id)


def test_timeout_ends_a_run_with_all_its_processes(endpoint: Endpoint) -> None:
    job = endpoint.job(SPAWNS, Timeout=2, MaxRetries=3)
    run_id = endpoint.start(job)
    # The script, its child in a session of its own, the shell that became sleep, and the sleep behind it.
    eventually(lambda: len(processes_of(run_id)) == 4)
    tree = processes_of(run_id)
    run = finished(endpoint.glue, job, run_id)
    assert run["JobRunState"] == "TIMEOUT" and "timed out" in run["ErrorMessage"]
    assert 2 <= run["ExecutionTime"] <= 4
    assert [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    # Glue does not try a run again that ran out of time.
    assert len(endpoint.glue.get_job_runs(JobName=job)["JobRuns"]) == 1


def test_stop_ends_a_run_with_all_its_processes(endpoint: Endpoint) -> None:
    job = endpoint.job(SPAWNS, MaxRetries=1)
    run_id = endpoint.start(job)
    eventually(lambda: len(processes_of(run_id)) == 4)
    answer = endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id, "jr_absent"])
    assert [each["JobRunId"] for each in answer["SuccessfulSubmissions"]] == [run_id]
    assert answer["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    assert finished(endpoint.glue, job, run_id)["JobRunState"] == "STOPPED"
    assert processes_of(run_id) == []
    again = endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
    assert again["SuccessfulSubmissions"] == [] and "STOPPED" in again["Errors"][0]["ErrorDetail"]["ErrorMessage"]
    assert len(endpoint.glue.get_job_runs(JobName=job)["JobRuns"]) == 1


def test_processes_that_outlive_the_script_are_ended_with_it(endpoint: Endpoint) -> None:
    job = endpoint.job("import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)")
    run_id = endpoint.start(job)
    assert finished(endpoint.glue, job, run_id)["JobRunState"] == "SUCCEEDED"
    assert processes_of(run_id) == []


def test_runs_beyond_the_machine_wait_their_turn(endpoint: Endpoint) -> None:
    job = endpoint.job("import time; time.sleep(300)", ExecutionProperty={"MaxConcurrentRuns": 9}, Timeout=60)
    started = [endpoint.start(job) for _ in range(4)]

    def states() -> list[str]:
        return [endpoint.run(job, run_id)["JobRunState"] for run_id in started]

    eventually(lambda: states() == ["RUNNING", "RUNNING", "RUNNING", "STARTING"])
    # One that has not begun is stopped at once, and the others in turn.
    endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=started[3:])
    assert states()[3] == "STOPPED"
    endpoint.glue.batch_stop_job_run(JobName=job, JobRunIds=started[:3])
    eventually(lambda: states() == ["STOPPED"] * 4)


def test_logs_reach_cloudwatch_in_order(endpoint: Endpoint) -> None:
    job = endpoint.job(
        """
        import sys
        for number in range(2500):
            print("line", number)
        print()
        print("\\N{SNOWMAN} [markup] " + "x" * 300_000)
        print("no line end", end="")
        print("to stderr", file=sys.stderr)
        """
    )
    run_id = endpoint.start(job)
    assert finished(endpoint.glue, job, run_id)["JobRunState"] == "SUCCEEDED"
    logs = endpoint.client("logs")

    def messages(group: str) -> list[str]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNames=[run_id])
        return [event["message"] for page in pages for event in page["events"]]

    seen = messages("/aws-glue/jobs/output")
    assert seen[:2500] == [f"line {number}" for number in range(2500)]
    assert seen[-1] == "no line end" and "".join(seen[2501:-1]) == "\N{SNOWMAN} [markup] " + "x" * 300_000
    assert "to stderr" in messages("/aws-glue/jobs/error")


def test_a_previous_run_can_be_run_again(endpoint: Endpoint) -> None:
    job = endpoint.job("import sys; sys.exit('--OK' not in sys.argv)")
    failed = endpoint.start(job, Arguments={"--X": "1"})
    finished(endpoint.glue, job, failed)
    again = endpoint.start(job, JobRunId=failed)
    run = finished(endpoint.glue, job, again)
    assert run["PreviousRunId"] == failed and run["Arguments"] == {"--X": "1"}


def test_restart_after_a_kill_accounts_for_every_run(cloud: EmbeddedCloud, tmp_path: Path) -> None:
    services = client_settings(cloud.status())
    process, port = start_endpoint(tmp_path, services["endpoint_url"], NDJ_GLUE_PARALLEL_RUNS="1")
    first = Endpoint(glue_client(port), services, tmp_path / "glue" / "runs")
    hangs = first.job(SPAWNS)
    waits = first.job("print('ran')")
    hanging, waiting = first.start(hangs), first.start(waits)
    eventually(lambda: len(processes_of(hanging)) == 4)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(processes_of(hanging)) == 4

    process, port = start_endpoint(tmp_path, services["endpoint_url"], NDJ_GLUE_PARALLEL_RUNS="1")
    try:
        second = Endpoint(glue_client(port), services, tmp_path / "glue" / "runs")
        assert processes_of(hanging) == []
        run = second.run(hangs, hanging)
        assert run["JobRunState"] == "FAILED" and "killed" in run["ErrorMessage"]
        assert finished(second.glue, waits, waiting)["JobRunState"] == "SUCCEEDED"
        assert second.output(waiting) == "ran\n"

        # A clean stop ends what is under way, and says so.
        stopped = second.start(hangs)
        eventually(lambda: len(processes_of(stopped)) == 4)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(10) == 0 and time.monotonic() - began < 5
        assert processes_of(stopped) == []
    finally:
        process.kill()
        process.wait()
    process, port = start_endpoint(tmp_path, services["endpoint_url"])
    run = glue_client(port).get_job_run(JobName=hangs, RunId=stopped)["JobRun"]
    assert run["JobRunState"] == "STOPPED" and "stopped" in run["ErrorMessage"]
    process.terminate()
    process.wait(10)


@pytest.mark.e2e
@pytest.mark.slow
def test_a_spark_program_runs(endpoint: Endpoint) -> None:
    job = endpoint.job(
        """
        import os, sys
        from pyspark.sql import SparkSession

        def work(number):
            import helper
            return helper.double(number), os.environ["TMPDIR"], os.getpid()

        spark = SparkSession.builder.appName("t").getOrCreate()
        rows = spark.sparkContext.parallelize(range(4), 2).map(work).collect()
        assert {row[2] for row in rows}.isdisjoint({os.getpid()})
        print([row[0] for row in rows], spark.conf.get("spark.sql.shuffle.partitions"))
        print(spark.sparkContext.master, spark.conf.get("spark.odd"))
        spark.stop()
        """,
        DefaultArguments={
            "--extra-py-files": endpoint.upload("helper.py", b"def double(n):\n    return 2 * n\n"),
            "--conf": "spark.sql.shuffle.partitions=7 --conf spark.odd=a 'b\" $HOME",
        },
        Timeout=60,
    )
    run_id = endpoint.start(job)
    eventually(lambda: "java" in names_of(run_id), within_s=60)
    run = finished(endpoint.glue, job, run_id, within_s=120)
    assert run["JobRunState"] == "SUCCEEDED", endpoint.output(run_id, "stderr.log")
    lines = endpoint.output(run_id).splitlines()
    assert lines[0] == "[0, 2, 4, 6] 7"
    assert lines[1].startswith("local[") and lines[1].endswith("a 'b\" $HOME")
    assert processes_of(run_id) == []
