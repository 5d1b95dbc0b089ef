"""`ndjctl convert`, `schema infer` and `schema diff` as they are typed: what is said, and by what exit code."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.convert_world import names, rows

DATA = Path(__file__).resolve().parents[1] / "data"
ROOT = DATA.parents[1]


@dataclass
class Finished:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@dataclass
class Shell:
    """`ndjctl` in an empty home, with neither cloud nor account."""

    home: Path

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", **extra: str) -> Finished:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NDJ_"))}
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, "-m", "ndjctl", *map(str, arguments)],
            env=kept | {"HOME": str(self.home), "NDJ_DATA_DIR": str(self.home / "data"), "PYTHONPATH": paths} | extra,
            cwd=self.home,
            input=stdin,
            capture_output=True,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "a.ndjson").write_text('{"a":1}\n{"a":2}\n')
    return Shell(tmp_path)


def test_what_cannot_be_used_is_told_in_one_sentence(shell: Shell) -> None:
    home = shell.home
    (home / "empty").mkdir()
    os.mkfifo(home / "pipe")
    (home / "file").touch()
    (home / "bad.json").write_text('{"format":"ndjctl.schema","version":1,"fields":[{"name":"a","type":"int65"}]}')
    (home / "in").mkdir()
    (home / "in/a.ndjson").write_text("{}\n")
    cases: list[tuple[list[str], int, list[str]]] = [
        (["convert"], 2, ["INPUT", "--help"]),
        (["convert", "a.ndjson"], 2, ["-o DIR"]),
        (["convert", "a.ndjson", "-o", ""], 2, ["-o DIR"]),
        (["convert", "", "-o", "out"], 2, ["'' does not exist"]),
        (["convert", "no.ndjson", "-o", "out"], 2, ["no.ndjson does not exist"]),
        (["convert", "empty", "-o", "out"], 2, ["empty holds no NDJSON", ".gz"]),
        (["convert", "pipe", "-o", "out"], 2, ["neither a file nor a folder", "'-'"]),
        (["convert", "a\nb", "-o", "out"], 2, ["'a\\nb' does not exist"]),
        (["convert", "a.ndjson", "-", "-o", "out"], 2, ["converted alone"]),
        (["convert", "a.ndjson", "-o", "file"], 2, ["file is not a folder"]),
        (["convert", "a.ndjson", "-o", "file/out"], 2, ["cannot be written"]),
        (["convert", "in", "-o", "in"], 2, ["both input and output"]),
        (["convert", "a.ndjson", "-o", "out", "--schema", "bad.json"], 2, ["bad.json", "int65", "known are bool"]),
        (["convert", "a.ndjson", "-o", "out", "--schema", "a.ndjson"], 2, ["a.ndjson is not JSON"]),
        (["convert", "a.ndjson", "-o", "out", "--on-drift", "ignore"], 2, ["--on-drift", "rescue"]),
        (["convert", "a.ndjson", "-o", "out", "--threads", "0"], 2, ["--threads"]),
        (["convert", "a.ndjson", "-o", "out", "--max-bad-percent", "101"], 2, ["--max-bad-percent"]),
        (["schema", "infer", "no.ndjson"], 2, ["no.ndjson does not exist"]),
        (["schema", "diff", "bad.json", "no.json"], 2, ["bad.json"]),
        (["schema", "pin", "no.json"], 2, ["no.json cannot be read"]),
        (["schema", "show", "--dataset", "A/B"], 2, ["--dataset", "'A/B'"]),
        (["output", "head", "no-folder"], 2, ["no-folder cannot be read"]),
        (["output", "head", "a.ndjson"], 2, ["a.ndjson is no Parquet"]),
        (["output", "head", "in", "--date", "2026-01-01"], 2, ["--date"]),
    ]
    with ThreadPoolExecutor(2) as pool:
        finished = list(pool.map(lambda case: shell(*case[0]), cases))
    for (arguments, code, parts), found in zip(cases, finished, strict=True):
        assert (found.code, found.out) == (code, ""), (arguments, found.err)
        assert "Traceback" not in found.err
        lines = [line for line in found.err.splitlines() if line.strip()]
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: "), lines
        for part in parts:
            assert part in lines[0], lines
    assert not (home / "out").exists()


def test_a_conversion_says_what_it_did_and_what_to_type_next(shell: Shell) -> None:
    (shell.home / "a.ndjson").write_text('{"a":1}\n{"a":"x"}\n{"a":2}\n{"a":\n')
    done = shell("convert", "a.ndjson", "-o", "out")
    assert (done.code, done.err) == (0, "")
    assert "quarantined  1 line, kept in _malformed/" in done.out
    assert "1 x /a: string where the column is int64" in done.out
    assert "CONVERTED  4 lines in = 3 rows + 1 quarantined, 0 lost" in done.out
    assert "next: " in done.out
    assert "output head out" in done.out
    assert "\x1b" not in done.out
    assert not (shell.home / "data").exists(), "no environment is needed, and none is made"
    head = shell("output", "head", "out")
    assert (head.code, head.out.splitlines()[1].split()) == (0, ["a", "_source_file", "_rescued"])


def test_a_dry_run_says_where_and_fails_when_it_finds_something(shell: Shell) -> None:
    clean = shell("convert", "a.ndjson", "--dry-run")
    assert (clean.code, "nothing to look at, nothing was written" in clean.out) == (0, True)
    (shell.home / "a.ndjson").write_text('{"a":1}\n\n[]\n')
    found = shell("convert", "a.ndjson", "--dry-run", "-o", "out")
    assert found.code == 1
    assert "1 x not an object: first a.ndjson, line 3, byte 9: expected a JSON object" in found.out
    assert names(shell.home) == ["a.ndjson"]


def test_a_document_and_nothing_else_on_stdout(shell: Shell) -> None:
    done = shell("convert", "a.ndjson", "-o", "out", "--json")
    assert done.code == 0
    kept = json.loads((shell.home / "out/_report.json").read_text())
    assert done.document == {"output": "out", **kept}
    assert kept["totals"]["rows"] == 2
    assert set(kept["output_files"]) == set(names(shell.home / "out"))
    failed = shell("convert", "nothing", "-o", "out", "--json")
    assert (failed.code, failed.document["error"]["kind"]) == (2, "usage")


def test_settings_of_an_environment_are_not_passed_over(shell: Shell) -> None:
    for words in (("convert", "a.ndjson", "-o", "out"), ("schema", "infer", "a.ndjson")):
        done = shell(*words, "--set", "job.max_bad_lines=0", "-e", "prod")
        assert done.code == 2
        assert "without an environment, and --env and --set would count for nothing" in done.err
        assert shell(*words, NDJ_ENV="nosuch").code == 0
    assert "output head out\n" in shell("convert", "a.ndjson", "-o", "out", NDJ_ENV="nosuch").out


def test_a_sample_of_nothing_but_damage_is_no_schema(shell: Shell) -> None:
    (shell.home / "cut.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"no frame of it" * 9)
    done = shell("schema", "infer", "cut.zst", "a.ndjson", "--json")
    assert done.code == 1
    assert done.document["failed"][0].startswith("cut.zst: its zstd data is damaged or cut off")
    assert done.document["records"] == 2


def test_the_head_of_a_half_published_folder_says_so(shell: Shell) -> None:
    assert shell("convert", "a.ndjson", "-o", "out").code == 0
    assert shell("output", "head", "out").err == ""
    (shell.home / "out/.ndjctl.commit.json").write_text("{}")
    assert "the next one to this folder completes it" in shell("output", "head", "out").err.replace("\n", " ")


def test_standard_input_in_a_pipe(shell: Shell) -> None:
    text = (DATA / "tweets.ndjson").read_bytes()
    for content in (text, gzip.compress(text)):
        done = shell("convert", "-", "-o", "out", stdin=content)
        assert done.code == 0, done.err
        assert len(rows(shell.home / "out")) == 100
    cut = shell("convert", "-", "-o", "other", stdin=gzip.compress(text)[:-99])
    assert cut.code == 1
    assert "failed: -: its gzip data is damaged or cut off" in cut.out
    assert not (shell.home / "other").exists()
    assert shell("convert", "-", "-o", "other").code == 0


def test_drift_that_is_refused(shell: Shell) -> None:
    schema = shell("schema", "infer", "a.ndjson", "--json")
    (shell.home / "s.json").write_text(schema.out)
    (shell.home / "b.ndjson").write_text('{"a":1,"b":2}\n')
    done = shell("convert", "a.ndjson", "b.ndjson", "-o", "out", "--schema", "s.json", "--on-drift", "fail")
    assert done.code == 1
    assert "FAILED  schema drift: 1 place does not fit the schema: /b (new field, 1 value)" in done.out
    (shell.home / "b.ndjson").write_text('{"a":1,"b":2}\n{"b":"x"}\n')
    done = shell("convert", "a.ndjson", "b.ndjson", "-o", "out", "--schema", "s.json", "--on-drift", "fail")
    assert "1 place does not fit the schema: /b (new field, 2 values)" in done.out
    assert not (shell.home / "out").exists()


def test_schemas_are_inferred_and_compared_without_any_cloud(shell: Shell) -> None:
    home = shell.home
    (home / "b.ndjson").write_text('{"a":"x","b":{"c":[]}}\nno record\n')
    for every_line in ([], ["--all"]):
        done = shell("schema", "infer", "a.ndjson", "b.ndjson", *every_line)
        assert done.code == 0
        assert "mixed types: 1 x string would go to _rescued" in done.out
        assert "only empty lists or null seen" in done.out
        assert "1 bad line passed over" in done.out
    streamed = shell("schema", "infer", "-", "--json", "--all", stdin=gzip.compress((home / "a.ndjson").read_bytes()))
    named = shell("schema", "infer", "a.ndjson", "--json")
    assert streamed.document["fields"] == named.document["fields"]
    (home / "one.json").write_text(named.out)
    (home / "two.json").write_text(shell("schema", "infer", "a.ndjson", "b.ndjson", "--json").out)
    same = shell("schema", "diff", "one.json", "one.json")
    assert (same.code, same.err) == (0, "")
    different = shell("schema", "diff", "one.json", "two.json", "--json")
    assert different.code == 1
    assert [(d["kind"], d["path"]) for d in different.document["differences"]] == [("added", "b")]
    assert not (home / "data").exists()


def test_every_line_shows_what_a_sample_does_not(shell: Shell) -> None:
    text = b'{"pad":"%s"}\n' % (b"x" * 1000) * 20_000 + b'{"late":1}\n'
    (shell.home / "a.ndjson").write_bytes(text)
    assert [f["name"] for f in shell("schema", "infer", "a.ndjson", "--json").document["fields"]] == ["pad"]
    found = shell("schema", "infer", "a.ndjson", "--all", "--json")
    assert [f["name"] for f in found.document["fields"]] == ["pad", "late"]
    assert found.document["records"] == 20_001


def test_without_pyarrow_one_sentence_says_what_to_install(shell: Shell, tmp_path: Path) -> None:
    # A finder that finds no pyarrow, as on a plain installation.
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name.startswith('pyarrow') else real(name, *more)\n"
        "sys.modules['pyarrow'] = None\n"
    )
    without = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    done = shell("convert", "a.ndjson", "-o", "out", **without)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: Parquet is written, and that needs pyarrow: 'pip install pyarrow'.\n"
    (tmp_path / "s.json").write_text('{"format":"ndjctl.schema","version":1,"fields":[]}')
    assert shell("schema", "diff", "s.json", "s.json", **without).code == 0, "this needs none"


def test_a_folder_without_parquet_is_filled_by_a_conversion(shell: Shell) -> None:
    (shell.home / "o ut").mkdir()
    found = shell("output", "head", "o ut")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("There is no Parquet in o ut yet: '")
    assert found.out.endswith("convert INPUT -o 'o ut'' makes some.\n")
