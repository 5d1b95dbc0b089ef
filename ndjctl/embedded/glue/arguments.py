"""The arguments of a run: whose value counts, which Glue takes for itself, and which reach the script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CONSUMED = frozenset(
    {
        "--additional-python-modules",
        "--auto-scale-within-microbatch",
        "--class",
        "--conf",
        "--customer-driver-env-vars",
        "--customer-executor-env-vars",
        "--datalake-formats",
        "--disable-proxy-v2",
        "--executor-cores",
        "--extra-files",
        "--extra-jars",
        "--extra-py-files",
        "--job-language",
        "--python-modules-installer-option",
        "--scriptLocation",
        "--spark-event-logs-path",
        "--use-postgres-driver",
        "--user-jars-first",
    }
)
_CONSUMED_PREFIXES = ("--enable-", "--continuous-log-", "--job-bookmark-", "--write-shuffle-")

CANNOT_HOLD = ("--extra-files", "--extra-jars", "--class", "--customer-driver-env-vars", "--customer-executor-env-vars")
"""Arguments that change what a script sees and that the embedded Glue does not offer."""


def merged(job: Mapping[str, Any], run_arguments: Mapping[str, str]) -> dict[str, str]:
    """All arguments of a run: the job's defaults, the run's over them, and those that no run may override over both."""
    return {
        **job.get("DefaultArguments", {}),
        **run_arguments,
        **job.get("NonOverridableArguments", {}),
    }


def for_script(arguments: Mapping[str, str], *, job_name: str, run_id: str) -> list[str]:
    """What follows the script's name on its command line. As on Glue, --TempDir is among it."""
    passed = {name: value for name, value in arguments.items() if not _is_consumed(name)}
    passed["--JOB_NAME"] = job_name
    passed["--JOB_RUN_ID"] = run_id
    passed["--JOB_ID"] = f"j_{job_name}"
    return [word for pair in passed.items() for word in pair]


def extra_py_files(arguments: Mapping[str, str]) -> list[str]:
    """The URIs of --extra-py-files, in order."""
    return [uri.strip() for uri in arguments.get("--extra-py-files", "").split(",") if uri.strip()]


def spark_conf(arguments: Mapping[str, str]) -> list[tuple[str, str]]:
    """The settings of --conf, which Glue takes as `k=v --conf k2=v2`. Raises ValueError for one that is no k=v."""
    text = arguments.get("--conf", "").strip()
    if not text:
        return []
    settings = []
    for setting in re.split(r"\s+--conf\s+", text.removeprefix("--conf ").strip()):
        key, separator, value = setting.strip().partition("=")
        if not separator or not key or re.search(r"\s", key):
            raise ValueError(f"--conf has {setting!r}, which is not key=value")
        settings.append((key, value))
    return settings


def _is_consumed(name: str) -> bool:
    return name in _CONSUMED or name.startswith(_CONSUMED_PREFIXES)
