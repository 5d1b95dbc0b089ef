"""The environment variables of the processes of the embedded cloud.

Each starts from a short list of what a program needs from its user; everything else (profiles, proxies, endpoints,
Python paths, Java options) stays behind, so that no setting of the user's own AWS or Spark can leak in.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ndjctl.embedded import quotas

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - the embedded cloud checks no signature; this is no secret

MARKER = "NDJ_EMBEDDED_CLOUD"
"""Environment variable that every process of the embedded cloud carries: which part of which data directory it is of.
It tells them from all others even where a process id has been given to somebody else, as after a restart."""

CHECKSUM_SETTINGS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}
"""Without them, uploads of pyarrow and boto3 are chunked with trailers, which ministack takes at 9 MB/s."""

SPARK_THREADS = "NDJ_SPARK_THREADS"
PARALLEL_RUNS = "NDJ_GLUE_PARALLEL_RUNS"
JOB_PYTHON = "NDJ_GLUE_PYTHON"
"""The interpreter that runs the jobs' scripts, where it is not the tool's own: to try a job on the Python and the
packages of the Glue version it is meant for. It needs pyspark and whatever the script imports."""

CALL_LOG = "NDJ_CALL_LOG"
"""A file that gets a line for every AWS request: see ndjctl.embedded.call_log."""

_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "VIRTUAL_ENV",
    # A user-site installation of the packages must stay importable; these two say where it is.
    "PYTHONUSERBASE",
    "PYTHONNOUSERSITE",
    SPARK_THREADS,
    PARALLEL_RUNS,
    JOB_PYTHON,
    CALL_LOG,
    *quotas.VARIABLES,
    MARKER,
)


def marker(part: str, data_dir: Path) -> tuple[str, str]:
    """The marker of the processes of one part: name and value."""
    return MARKER, f"{part}:{data_dir}"


def base_environment(environ: Mapping[str, str], tmp_dir: Path) -> dict[str, str]:
    """What every process of the embedded cloud starts from. Times are UTC and text is UTF-8, as on AWS."""
    result = {name: environ[name] for name in _KEPT if name in environ}
    result.setdefault("PATH", os.defpath)
    if result.get(CALL_LOG):
        # The processes run in another directory than their starter.
        result[CALL_LOG] = os.path.abspath(Path(result[CALL_LOG]).expanduser())  # noqa: PTH100
    result["TMPDIR"] = str(tmp_dir)
    result["TZ"] = "UTC"
    result["PYTHONUNBUFFERED"] = "1"
    if sys.platform.startswith("linux"):
        result["LC_ALL"] = "C.UTF-8"
    result["NO_PROXY"] = result["no_proxy"] = "127.0.0.1,localhost"
    return result


def access_key(account_id: str) -> str:
    """The access key id whose requests are those of an account: the account's own 12 digits."""
    return ACCESS_KEY if account_id == ACCOUNT_ID else account_id


def aws_environment(account_id: str = ACCOUNT_ID, region: str = REGION) -> dict[str, str]:
    """Credentials, region and client settings that every AWS client inside the embedded cloud needs."""
    return {
        "AWS_ACCESS_KEY_ID": access_key(account_id),
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **CHECKSUM_SETTINGS,
    }


def services_environment(
    environ: Mapping[str, str], data_dir: Path, *, port: int, glue_endpoint_url: str, import_root: Path
) -> dict[str, str]:
    """The environment of the ministack process, and so of the Lambda functions that it runs.

    import_root: the directory this package is imported from; the process drops it from its environment once it runs,
    so that a Lambda function sees only what its own bundle and the interpreter hold.
    """
    return {
        **base_environment(environ, data_dir / "tmp"),
        **aws_environment(),
        **dict([marker("services", data_dir)]),
        "PYTHONPATH": str(import_root),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data_dir / "s3"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data_dir / "state"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # ministack's own figure comes from the memory of the machine.
        "LAMBDA_ACCOUNT_CONCURRENCY": str(quotas.lambda_concurrency(environ)),
        "LOG_LEVEL": "WARNING",
        # ministack never looks for Docker when the socket it is told of does not exist.
        "DOCKER_HOST": f"unix://{data_dir / 'no-docker.sock'}",
        "AWS_ENDPOINT_URL_GLUE": glue_endpoint_url,
    }


def glue_environment(environ: Mapping[str, str], data_dir: Path, *, import_root: Path) -> dict[str, str]:
    """The environment of the Glue endpoint's process; its runs get one of their own."""
    return {
        **base_environment(environ, data_dir / "tmp"),
        **aws_environment(),
        **dict([marker("glue", data_dir)]),
        "PYTHONPATH": str(import_root),
    }
