"""One run's driver: the job's script as a subprocess in a session of its own, from its start to its last process."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ndjctl.embedded.callers import run_caller, session_token
from ndjctl.embedded.environment import aws_environment
from ndjctl.embedded.glue import arguments as job_arguments
from ndjctl.embedded.glue import failure, spark, workspace
from ndjctl.embedded.glue.logs import ERROR_GROUP, OUTPUT_GROUP, LogTail
from ndjctl.embedded.glue.store import Run
from ndjctl.embedded.processes import kill_members


class Clients:
    """Makes clients of the services for each run: they act in the run's account, and say whose they are."""

    def __init__(self, aws_endpoint_url: str) -> None:
        self.endpoint_url = aws_endpoint_url
        self._lock = threading.Lock()
        self._session: Any = None

    def get(self, service: str, run: Run) -> Any:
        """A boto3 client of what Glue itself does for a run."""
        with self._lock:  # a session is shared by the runs' threads, and is not made for that
            if self._session is None:
                import boto3

                # Made when first needed: loading it takes longer than starting this server.
                self._session = boto3.session.Session()
            from botocore.config import Config

            variables = aws_environment(run.scope.account_id, run.scope.region)
            return self._session.client(
                service,
                endpoint_url=self.endpoint_url,
                region_name=run.scope.region,
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=session_token(run_caller(run.job_name, run.id, by="service")),
                config=Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 2}),
            )


def downloads(s3: Any) -> workspace.Download:
    """Fetches objects with a client. Raises botocore's ClientError and what the disk raises."""

    def download(bucket: str, key: str, target: Path) -> None:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with target.open("wb") as stream:
            for chunk in body.iter_chunks(1 << 20):
                stream.write(chunk)

    return download


class Driver:
    """A run that has all it needs. Construct it with `prepare`, then `launch` it once."""

    def __init__(
        self, run: Run, place: workspace.Workspace, command: list[str], variables: dict[str, str], clients: Clients
    ) -> None:
        self._run_id = run.id
        self._place = place
        self._command = command
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        logs = clients.get("logs", run)
        self._tails = (
            LogTail(logs, OUTPUT_GROUP, run.id, place.output),
            LogTail(logs, ERROR_GROUP, run.id, place.errors),
        )

    @classmethod
    def prepare(
        cls, run: Run, directory: Path, environ: Mapping[str, str], clients: Clients, glue_endpoint_url: str
    ) -> Driver:
        """Fetches what the run needs. Raises workspace.LaunchError, OSError."""
        place = workspace.prepare(directory, run.plan, downloads(clients.get("s3", run)))
        given = run.plan["arguments"]
        try:
            applied, refused = spark.split_conf(job_arguments.spark_conf(given))
        except ValueError as error:
            raise workspace.LaunchError(str(error)) from error
        notes = [f"applied: {key}={value}" for key, value in applied]
        notes += [f"not applied: {setting} ({reason})" for setting, reason in refused]
        if "--additional-python-modules" in given:
            notes.append("not applied: --additional-python-modules (runs use the tool's own Python packages here)")
        place.errors.write_text("".join(f"embedded Glue: {note}\n" for note in notes), "utf-8")
        variables = spark.run_environment(
            environ,
            scope=run.scope,
            job_name=run.job_name,
            run_id=run.id,
            run_dir=place.directory,
            python_path=place.python_path,
            submit=spark.submit_arguments(
                applied, thread_count=spark.threads(environ), tmp_dir=place.directory / "tmp"
            ),
            aws_endpoint_url=clients.endpoint_url,
            glue_endpoint_url=glue_endpoint_url,
        )
        words = job_arguments.for_script(given, job_name=run.job_name, run_id=run.id)
        return cls(run, place, [spark.job_python(environ), str(place.script), *words], variables, clients)

    def launch(self) -> int:
        """Starts the script and returns its process id. Raises OSError."""
        with self._place.output.open("ab") as output, self._place.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                cwd=self._place.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while the script runs; negative for a signal."""
        return self._process.poll() if self._process else None

    def ship_logs(self, *, ended: bool = False) -> None:
        for tail in self._tails:
            tail.ship(ended=ended)

    def end(self) -> None:
        """Kills every process of the run that is left: the script, its JVM, the Python workers and theirs."""
        if self._process is not None:
            end_processes(self._process.pid, self._run_id)
            self._process.wait()

    def error_message(self, exit_code: int) -> str:
        return failure.error_message(self._place.errors, exit_code)


def end_processes(pid: int | None, run_id: str) -> int:
    """Kills the processes of a run, whoever started them, and returns how many there were. pid: its driver's, if known.

    A run's id is in the environment of each of its processes, so no other process is taken for one of them.
    """
    session = pid if pid is not None and _is_session_of(pid, run_id) else None
    return kill_members(session, (spark.RUN_MARKER, run_id))


def _is_session_of(pid: int, run_id: str) -> bool:
    """Whether session `pid` is still that of the run: after a restart of the machine it may be anybody's."""
    import psutil

    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and process.environ().get(spark.RUN_MARKER) == run_id:
                return True
        except (psutil.Error, OSError):
            continue
    return False
