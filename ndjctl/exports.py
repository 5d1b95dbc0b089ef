"""An environment in the form of another tool: a template, and the bundles that it names, as files."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ndjctl.bundles import Code, glue_bundle, lambda_bundle
from ndjctl.deploy.template import Template, cloudformation
from ndjctl.errors import UsageError
from ndjctl.paths import shown
from ndjctl.settings import Profile

JSON = "json"
YAML = "yaml"


@dataclass(frozen=True)
class Export:
    """template and the text of it, which is ASCII. path: where the text was written; None where it was not. bundles:
    the folder that the bundles were written to, each under its key; None where they were not."""

    profile: Profile
    template: Template
    format: str
    text: str
    path: Path | None
    bundles: Path | None


class _Plain(yaml.SafeDumper):
    """CloudFormation reads no YAML aliases, which equal parts would become."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def as_text(document: Mapping[str, Any], form: str) -> str:
    """A template in one of the two forms, functions in their long form (Fn::Sub), ASCII, with a newline at the end."""
    if form == YAML:
        return str(yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, width=120))
    return json.dumps(document, indent=2) + "\n"


def export_cloudformation(profile: Profile, form: str, path: Path | None, bundles: Path | None, force: bool) -> Export:
    """Makes the template of `profile` with the code of this tool, and writes what is to be written.

    force: other content under the same name is overwritten. Raises UsageError before anything is written where a file
    cannot be, and OSError where the disk is full.
    """
    function, job = lambda_bundle(), glue_bundle()
    template = cloudformation(profile, Code(function.index, job.index))
    text = as_text(template.document, form)
    files: dict[Path, bytes] = {} if path is None else {path: text.encode("ascii")}
    if bundles is not None:
        code = {**function.files, **job.files}
        files |= {bundles / key: code[name] for name, key in template.code.items()}
    for place, content in files.items():
        _check(place, content, force, has_folder=place == path)
    for place, content in files.items():
        _write(place, content)
    return Export(profile, template, form, text, path, bundles)


def _check(path: Path, content: bytes, force: bool, has_folder: bool) -> None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{shown(path)} is a folder: name a file.")
        if stat.S_ISREG(mode) and not force and path.read_bytes() != content:
            raise UsageError(f"{shown(path)} exists and holds something else: name another file, or add --force.")
    except FileNotFoundError:
        if has_folder and not path.parent.is_dir():
            raise UsageError(f"The folder {shown(path.parent)} is not there: make it, or name another.") from None
    except (OSError, ValueError) as error:
        raise UsageError(_told(path, error)) from error


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; what is no file, such as a pipe, takes it as it comes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path.resolve()
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EPIPE):
            raise
        raise UsageError(_told(path, error)) from error


def _told(path: Path, error: OSError | ValueError) -> str:
    return f"{shown(path)} cannot be written: {getattr(error, 'strerror', None) or error}."
