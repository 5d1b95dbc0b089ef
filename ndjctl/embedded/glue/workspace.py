"""The directory of one run: what it is made of before the run, and what is left of it after."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndjctl.contracts import split_s3_uri
from ndjctl.embedded.glue import arguments as job_arguments

OUTPUT = "stdout.log"
ERRORS = "stderr.log"

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}")
_SCRATCH = ("spark", "tmp", "work")
_PYTHON_SUFFIXES = (".py", ".zip", ".egg", ".whl")

Download = Callable[[str, str, Path], None]
"""(bucket, key, file to write). Raises when the object cannot be had."""


class LaunchError(Exception):
    """A run cannot be started as its job says; str() is the reason in one sentence."""


@dataclass(frozen=True)
class Workspace:
    """script: the job's script. python_path: what --extra-py-files brought, in order."""

    directory: Path
    script: Path
    python_path: tuple[Path, ...]

    @property
    def output(self) -> Path:
        return self.directory / OUTPUT

    @property
    def errors(self) -> Path:
        return self.directory / ERRORS

    @property
    def working_directory(self) -> Path:
        return self.directory / "work"


def prepare(directory: Path, plan: Mapping[str, Any], download: Download) -> Workspace:
    """A fresh workspace for a run, with its script and libraries from S3. Raises LaunchError, OSError."""
    shutil.rmtree(directory, ignore_errors=True)
    for name in (*_SCRATCH, "script", "libraries"):
        (directory / name).mkdir(parents=True)
    for unsupported in job_arguments.CANNOT_HOLD:
        if unsupported in plan["arguments"]:
            raise LaunchError(f"the embedded Glue does not offer {unsupported}: leave it out of the job's arguments")
    script = directory / "script" / "script.py"
    script = _fetch(plan["script_location"], script, download)
    python_path = []
    for number, uri in enumerate(job_arguments.extra_py_files(plan["arguments"])):
        if not uri.endswith(_PYTHON_SUFFIXES):
            raise LaunchError(f"--extra-py-files has {uri}, which ends in none of {', '.join(_PYTHON_SUFFIXES)}")
        folder = directory / "libraries" / str(number)
        folder.mkdir()
        library = _fetch(uri, folder / f"library-{number}.zip", download)
        python_path.append(folder if library.suffix == ".py" else library)
    return Workspace(directory, script, tuple(python_path))


def _fetch(uri: str, fallback: Path, download: Download) -> Path:
    """Stores an object beside `fallback`, under the last part of its key if that is a harmless file name."""
    try:
        bucket, key = split_s3_uri(uri)
    except ValueError as error:
        raise LaunchError(str(error)) from error
    name = key.rsplit("/", 1)[-1]
    target = fallback.with_name(name) if _SAFE_NAME.fullmatch(name) else fallback
    try:
        download(bucket, key, target)
    except Exception as error:
        raise LaunchError(f"{uri} could not be downloaded: {error}") from error
    return target


def clear_scratch(directory: Path) -> None:
    """Deletes what only the running script needed. Best effort: what cannot go is no reason for a run to fail."""
    for name in _SCRATCH:
        shutil.rmtree(directory / name, ignore_errors=True)


def prune(runs_dir: Path, *, keep: int, active: Collection[str]) -> None:
    """Deletes the directories of all but the newest runs; those of active runs stay."""
    try:
        directories = [path for path in runs_dir.iterdir() if path.is_dir() and path.name not in active]
        oldest_first = sorted(directories, key=lambda path: path.stat().st_mtime)
    except OSError:
        return
    for path in oldest_first[: max(0, len(oldest_first) - keep)]:
        shutil.rmtree(path, ignore_errors=True)
