"""`ndjctl export cloudformation`: the template alone on stdout, files as they are named, and commands that fit both."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ndjctl.bundles import glue_bundle, lambda_bundle
from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.errors import EXIT_DONE, EXIT_USAGE

BODY_LIMIT_BYTES = 51_200


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def commands(self) -> list[list[str]]:
        """What the last lines say to type, as words."""
        return [shlex.split(line[line.index("aws ") :]) for line in self.err.splitlines() if ": aws " in line]


Export = Callable[..., Answer]


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Export:
    """`ndjctl export cloudformation --env prod` with these words, in an empty folder, without any credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["ndjctl", "export", "cloudformation", "--env", "prod", *words])
        capsys.readouterr()
        code = boundary.run(app)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Answer(code, out, err)

    return run


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_stdout_is_the_template_and_nothing_else(export: Export) -> None:
    answer = export()
    assert answer.code == EXIT_DONE
    template = json.loads(answer.out)
    assert template["Resources"]["Job"]["Properties"]["NumberOfWorkers"] == 20
    assert yaml.safe_load(export("--format", "yaml").out) == template
    assert json.loads(export("--preset", "light").out)["Resources"]["Job"]["Properties"]["NumberOfWorkers"] == 15
    assert export().out == answer.out


def test_json_is_one_document_with_the_template_in_it(export: Export) -> None:
    answer = export("--json")
    document = json.loads(answer.out)
    assert (answer.code, answer.err) == (EXIT_DONE, "")
    assert document["template"] == json.loads(export().out)
    assert document["resources"] == len(document["template"]["Resources"])
    assert document["size_bytes"] == len(export().out)
    assert [shlex.split(line) for line in document["next"]] == export().commands
    refused = export("--json", "--format", "yaml")
    assert refused.code == EXIT_USAGE
    assert json.loads(refused.out)["error"]["kind"] == "usage"
    assert json.loads(export("--json", "--format", "yaml", "--out", "t.yaml").out)["template"] is None


def test_the_commands_fit_the_files(export: Export, tmp_path: Path) -> None:
    answer = export("--out", "of ours.json", "--bundles", "code")
    assert answer.code == EXIT_DONE
    template = json.loads((tmp_path / "of ours.json").read_text())
    assert answer.out.startswith(f"environment prod: {len(template['Resources'])} resources in of ours.json, ")
    upload, create = answer.commands
    assert option(create, "--template-file") == "of ours.json"
    assert option(create, "--region") == option(upload, "--region") == "us-east-1"
    assert option(create, "--parameter-overrides").split("=")[0] in template["Parameters"]
    bucket = option(create, "--parameter-overrides").split("=")[1]
    folder, place = upload[4:6]
    assert upload[:4] == ["aws", "s3", "cp", "--recursive"]
    assert place.startswith(f"s3://{bucket}/")
    prefix = place.removeprefix(f"s3://{bucket}/")
    uploaded = {
        f"{prefix}/{path.relative_to(tmp_path / folder).as_posix()}": path.read_bytes()
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    resources = template["Resources"]
    job = resources["Job"]["Properties"]
    named = {
        resources["Function"]["Properties"]["Code"]["S3Key"]: lambda_bundle().files["function.zip"],
        job["Command"]["ScriptLocation"]["Fn::Join"][1][-1]: glue_bundle().files["glue_batch_job.py"],
        job["DefaultArguments"]["--extra-py-files"]["Fn::Join"][1][-1]: glue_bundle().files["glue_job.zip"],
    }
    assert uploaded == named
    assert {path.name for path in tmp_path.iterdir()} == {"of ours.json", "code"}


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_template_beyond_the_limit_of_a_request_goes_over_the_bucket(export: Export, form: str) -> None:
    answer = export("--format", form)
    assert ("--s3-bucket" in answer.commands[1]) == (len(answer.out) > BODY_LIMIT_BYTES)


def test_one_form_is_within_that_limit_and_one_beyond(export: Export) -> None:
    assert len(export("--format", "yaml").out) < BODY_LIMIT_BYTES < len(export().out)


def test_other_content_is_overwritten_only_by_force(export: Export, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    assert export("--out", "t.json").code == EXIT_DONE
    before = path.read_bytes()
    assert export("--out", "t.json").code == EXIT_DONE
    refused = export("--out", "t.json", "--set", "job.workers=3", "--bundles", "code")
    assert (refused.code, refused.out) == (EXIT_USAGE, "")
    assert refused.err == "error: t.json exists and holds something else: name another file, or add --force.\n"
    assert path.read_bytes() == before
    assert not (tmp_path / "code").exists()
    assert export("--out", "t.json", "--set", "job.workers=3", "--force").code == EXIT_DONE
    assert json.loads(path.read_text())["Resources"]["Job"]["Properties"]["NumberOfWorkers"] == 3

    export("--bundles", "code")
    (zipped,) = (tmp_path / "code").rglob("function.zip")
    zipped.write_bytes(b"damaged")
    assert export("--bundles", "code").code == EXIT_USAGE
    assert export("--bundles", "code", "--force").code == EXIT_DONE
    assert hashlib.sha256(zipped.read_bytes()).digest() == hashlib.sha256(lambda_bundle().files[zipped.name]).digest()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "no/t.json"], "The folder no is not there: make it, or name another."),
        (["--out", "."], ". is a folder: name a file."),
        (["--out", "file/t.json"], "cannot be written"),
        (["--bundles", "file"], "cannot be written"),
        (["--out", "x" * 300], "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    export: Export, tmp_path: Path, words: list[str], sentence: str
) -> None:
    (tmp_path / "file").write_text("")
    answer = export(*words)
    assert answer.code == EXIT_USAGE
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_of_several_lines_is_told_on_one(export: Export, tmp_path: Path) -> None:
    answer = export("--out", "a\nb.json")
    assert answer.code == EXIT_DONE
    assert (tmp_path / "a\nb.json").is_file()
    assert len(answer.out.splitlines()) == 1
    assert len(answer.err.splitlines()) == 3


def test_a_pipe_takes_the_template_and_stays_a_pipe(export: Export, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[Any] = []
    reader = threading.Thread(target=lambda: read.append(json.loads(pipe.read_text())))
    reader.start()
    assert export("--out", "pipe").code == EXIT_DONE
    reader.join(10)
    assert read[0]["AWSTemplateFormatVersion"] == "2010-09-09"
    assert pipe.is_fifo()
