"""`ndjctl generate` into a folder, as a process; and what `ndjctl convert` makes of its files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.generate.record import NEW_FIELD, OTHER_TYPE, Generated
from tests.functional.operations_world import NAMES, Operations
from tests.generate_world import OWN_SCHEMA, SHAPES, promised


class Finished:
    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        assert "Traceback" not in self.err

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ndjctl", *words]


def run(folder: Path, *words: str) -> Finished:
    environment = {**os.environ, "NDJ_DATA_DIR": str(folder / "data"), "COLUMNS": "100"}
    done = subprocess.run(
        _command(*words), cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return Finished(done)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """As run(), within this process, which is quicker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NDJ_DATA_DIR", str(tmp_path / "data"))

    def command(*words: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["ndjctl", *words])
        capsys.readouterr()
        code = boundary.run(app)
        out, err = capsys.readouterr()
        return Finished(subprocess.CompletedProcess(words, code, out, err))

    return command


def record_in(folder: Path) -> Generated:
    return Generated.from_json((folder / "_generated.json").read_bytes(), "the record")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def drift_of(report: dict[str, Any]) -> Counter[tuple[str, str, str]]:
    places = report["drift"]["rescued"]["places"]
    return Counter({(p["pointer"], p["expected"] or "", p["found"]): p["values"] for p in places})


@pytest.mark.parametrize("shape", SHAPES)
def test_convert_quarantines_and_rescues_exactly_what_the_record_promises(
    shape: str, tmp_path: Path, here: Callable[..., Finished]
) -> None:
    (tmp_path / "own.json").write_text(json.dumps(OWN_SCHEMA))
    named = "own.json" if shape == "schema" else shape
    words = ("--shape", named, "--files", "3", "--size", "1.5MB", "--bad-lines", "2%", "--drift", "5%", "--seed", "9")
    made = here("generate", *words, "-o", "in", "--json")
    assert made.code == 0, made.err
    record = record_in(tmp_path / "in")
    sums = record.totals()

    # With the schema that lies beside the files, everything that is off it is rescued.
    told = run(tmp_path, "convert", "in", "-o", "out", "--schema", "in/_schema.json", "--on-drift", "rescue", "--json")
    assert told.code == 0, told.err
    report = told.document
    assert report["totals"]["lines"] == sums.lines == made.document["lines"]
    assert report["totals"]["rows"] == sums.records
    assert {bad["reason"]: bad["lines"] for bad in report["bad_lines"]} == dict(sums.bad_lines)
    assert drift_of(report) == promised(sums)
    by_name = {Path(file["path"]).name: file for file in report["files"]}
    for file in record.files:
        assert by_name[file.name]["lines"] == file.facts.lines
        assert by_name[file.name]["rows"] == file.facts.records

    # With the schema of a sample, values of another type are; new fields have columns, each value in its own.
    told = run(tmp_path, "convert", "in", "-o", "sampled", "--json")
    assert told.code == 0, told.err
    assert drift_of(told.document) == promised(sums, OTHER_TYPE)
    table = pq.ParquetDataset(tmp_path / "sampled").read()
    for pointer, _, found in promised(sums, NEW_FIELD):
        column = table
        for name in pointer.split("/")[1:]:
            column = column.column(name).combine_chunks() if column is table else column.field(name)
        assert len(column) - column.null_count == promised(sums, NEW_FIELD)[pointer, "", found]


def test_the_same_command_makes_the_same_files_and_keeps_those_that_are_there(
    tmp_path: Path, here: Callable[..., Finished]
) -> None:
    words = (
        "generate",
        "--files",
        "3",
        "--records",
        "500",
        "--bad-lines",
        "5",
        "--drift",
        "1%",
        "--date",
        "2026-11-23",
    )
    first = here(*words, "-o", "a", "--json")
    second = here(*words, "-o", "b", "--json")
    assert (first.code, second.code) == (0, 0), first.err
    assert sorted(contents(tmp_path / "a")) == [
        *(f"2026-11-23-events-1-{number:06d}.ndjson" for number in range(3)),
        *("_generated.json", "_schema.json"),
    ]
    files = {name: digest for name, digest in contents(tmp_path / "a").items() if name.endswith(".ndjson")}
    assert files.items() <= contents(tmp_path / "b").items()
    record = record_in(tmp_path / "a")
    assert {file.name: file.facts.checksum for file in record.files} == {n: f"sha256:{d}" for n, d in files.items()}

    before = contents(tmp_path / "a")
    (tmp_path / "a/2026-11-23-events-1-000001.ndjson").unlink()
    again = here(*words, "-o", "a", "--json")
    assert again.document["files_already_there"] == 2
    assert contents(tmp_path / "a") == before
    more = here(*words[:2], "5", *words[3:], "-o", "a", "--json")
    assert (more.document["files"], more.document["files_already_there"]) == (5, 3)
    assert before.items() - contents(tmp_path / "a").items() == {("_generated.json", before["_generated.json"])}
    fewer = here(*words[:2], "2", *words[3:], "-o", "a", "--json")
    assert (fewer.document["files"], fewer.document["files_already_there"]) == (5, 5)
    assert "5  (all of them there before)" in here(*words, "-o", "a").out

    other = here(*words, "-o", "a", "--seed", "2")
    assert other.code == 2
    assert "other settings" in other.err


def test_a_killed_run_is_gone_on_with_and_leaves_nothing_behind(tmp_path: Path) -> None:
    words = ("generate", "--files", "6", "--size", "20MB", "--bad-lines", "1%", "--date", "2026-11-23", "-o")
    whole = run(tmp_path, *words, "whole", "--json")
    assert whole.code == 0, whole.err
    folder = tmp_path / "killed"
    for wanted in (1, 3):
        process = subprocess.Popen(_command(*words, "killed"), cwd=tmp_path, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        # In the middle of a file, when some are whole.
        while time.monotonic() < deadline:
            names = [path.name for path in folder.iterdir()] if folder.exists() else []
            if sum(not name.startswith((".", "_")) for name in names) >= wanted and any(
                name.startswith(".2026") for name in names
            ):
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert any(path.name.startswith(".2026") for path in folder.iterdir())
    again = run(tmp_path, *words, "killed", "--json")
    assert again.code == 0, again.err
    assert again.document["files"] == 6
    left, right = contents(folder), contents(tmp_path / "whole")
    assert left.pop("_generated.json") != right.pop("_generated.json")  # it names its folder
    assert left == right
    assert record_in(folder).files == record_in(tmp_path / "whole").files


def test_what_is_not_ours_is_never_replaced(tmp_path: Path, here: Callable[..., Finished]) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "2026-11-23-events-1-000000.ndjson").write_text("mine\n")
    words = ("generate", "--records", "10", "--date", "2026-11-23", "-o", "out")
    done = here(*words)
    assert done.code == 2
    assert "never replaced" in done.err
    assert (folder / "2026-11-23-events-1-000000.ndjson").read_text() == "mine\n"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    (folder / "2026-11-23-events-1-000000.ndjson").unlink()
    (folder / "_generated.json").write_text("{}")
    assert "is not a document of format ndjctl.generated" in here(*words).err
    (tmp_path / "file").write_text("")
    assert "is not a folder" in here(*words[:-1], "file").err


def _touched(path: Path) -> None:
    """Its size stays, its bytes do not."""
    body = path.read_bytes()
    path.write_bytes(bytes([body[0] ^ 1]) + body[1:])


OTHERS: dict[str, Callable[[Path], object]] = {
    "a file of another size": lambda folder: (folder / "2026-11-23-events-1-000001.ndjson").write_text("mine\n"),
    "a file of the same size": lambda folder: _touched(folder / "2026-11-23-events-1-000001.ndjson"),
    "a folder": lambda folder: (
        (folder / "2026-11-23-events-1-000001.ndjson").unlink(),
        (folder / "2026-11-23-events-1-000001.ndjson").mkdir(),
    ),
    "a link to nothing": lambda folder: (
        (folder / "2026-11-23-events-1-000001.ndjson").unlink(),
        (folder / "2026-11-23-events-1-000001.ndjson").symlink_to("nowhere"),
    ),
    "a file that is to be added": lambda folder: (folder / "2026-11-23-events-1-000003.ndjson").write_text("mine\n"),
    "a schema": lambda folder: (folder / "_schema.json").write_text('{"mine": 1}'),
    "a schema and no record": lambda folder: (
        (folder / "_schema.json").write_text('{"mine": 1}'),
        (folder / "_generated.json").unlink(),
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_somebody_put_there_since_is_not_replaced_either(
    what: str, tmp_path: Path, here: Callable[..., Finished]
) -> None:
    words = ("generate", "--records", "20", "--date", "2026-11-23", "-o", "out", "--files")
    folder = tmp_path / "out"
    assert here(*words, "3").code == 0
    (folder / "2026-11-23-events-1-000000.ndjson").unlink()  # it would be made again
    OTHERS[what](folder)
    before = {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.iterdir()}
    done = here(*words, "4")
    assert done.code == 2
    name = "_schema.json" if "schema" in what else f"2026-11-23-events-1-00000{3 if 'added' in what else 1}.ndjson"
    told = done.err.strip()
    assert f"out/{name} " in told and "never replaced" in " ".join(told.split())
    assert told.count(".\n") == 0 and told.endswith(".")
    assert {path.name: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.iterdir()} == before
    # Moved away, all is made as it was to be.
    path = folder / name
    path.rmdir() if path.is_dir() else path.unlink()
    again = here(*words, "4", "--json")
    assert (again.code, again.document["files"]) == (0, 4), again.err
    assert json.loads((folder / "_schema.json").read_text())["fields"]


def test_a_file_that_a_killed_run_did_not_write_down_is_known_by_its_bytes(
    tmp_path: Path, here: Callable[..., Finished]
) -> None:
    words = ("generate", "--records", "20", "--date", "2026-11-23", "-o", "out", "--files", "3", "--json")
    assert here(*words).code == 0
    before = contents(tmp_path / "out")
    (tmp_path / "out/_generated.json").unlink()
    again = here(*words)
    assert again.document["files_already_there"] == 3
    assert contents(tmp_path / "out") == before


def test_a_dry_run_makes_nothing_and_needs_no_cloud(tmp_path: Path, here: Callable[..., Finished]) -> None:
    words = ("--files", "10000", "--size", "3.5GB", "--upload", "--unique", "4", "--env", "prod", "--dry-run")
    done = here("generate", *words, "--json", "--rate", "11/s")
    assert done.code == 0, done.err
    document = done.document
    assert document["size_bytes"] == 35 * 10**12
    assert document["plan"].pop("storage_usd_per_day") == pytest.approx(35e12 / 2**30 * 0.023 / 30, abs=1e-5)
    assert document["plan"] == {
        "bucket": None,
        "files": 10_000,
        "uploads": 4,
        "uploaded_bytes": 14 * 10**9,
        "upload_requests": 4 * (209 + 2),
        "copies": 9_996,
        "copied_bytes": 9_996 * 3_500_000_000,
        "copy_requests": 9_996,
        "requests": 10_840,
        "cost_usd": 0.0542,
    }
    assert document["duration_s"] == pytest.approx(9_999 / 11, abs=0.1)
    screen = here("generate", *words)
    assert "9,996 files, 34.99 TB" in screen.out
    assert "$0.05 for 10,840 requests" in screen.out
    assert not list(tmp_path.iterdir())
    warned = here("generate", "--size", "1GB", *words[4:])
    assert "too-small for the environment prod" in warned.out


def test_a_dry_run_says_where_there_is_no_room(tmp_path: Path, here: Callable[..., Finished]) -> None:
    words = ("generate", "--files", "100000", "--size", "3.5GB", "-o", "deep/out", "--dry-run")
    done = here(*words)
    assert done.code == 0
    assert "these files need 350,000.0 GB: they will be refused" in " ".join(done.out.split())
    assert "deep/out has room for" in here(*words, "--json").document["warning"]
    assert here("generate", "--records", "5", "-o", "deep/out", "--dry-run", "--json").document["warning"] is None
    assert not list(tmp_path.iterdir())


def test_an_integer_off_its_column_is_said_to_be_too_large(here: Callable[..., Finished]) -> None:
    done = here("generate", "--records", "500", "--drift", "30", "-o", "out")
    assert "integer beyond the range of the column's int64" in done.out
    assert "integer that the column's double does not hold exactly" in done.out
    assert "string where the column is int64" in done.out and "integer, new field" in done.out
    assert "integer where the column is int64" not in done.out
    checked = here("convert", "out", "--schema", "out/_schema.json", "--dry-run").out
    assert "integer beyond the range of the column's int64" in checked


def test_the_longest_name_is_one(tmp_path: Path, here: Callable[..., Finished]) -> None:
    assert here("generate", "--records", "5", "-o", "out", "--name", "n" * 201).code == 0
    assert any("n" * 201 in path.name for path in (tmp_path / "out").iterdir())


def test_a_rate_is_kept(here: Callable[..., Finished]) -> None:
    began_s = time.monotonic()
    assert here("generate", "--files", "4", "--records", "5", "--rate", "2/s", "-o", "out").code == 0
    assert time.monotonic() - began_s > 1.5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--files", "2"), "Say where the files are to go"),
        (("-o", "x", "--upload"), "one of the two"),
        (("-o", ""), "--output is empty: name a folder"),
        (("-o", "x", "--prefix", "in/"), "need --upload"),
        (("-o", "x", "--env", "dev"), "works without an environment"),
        (("-o", "x", "--size", "3.5XB"), "--size: '3.5XB' is no size"),
        (("-o", "x", "--size", "1MB", "--records", "5"), "exclude each other"),
        (("-o", "x", "--bad-lines", "many"), "--bad-lines: 'many' is no amount"),
        (("-o", "x", "--drift", "50%"), "33% at most"),
        (("-o", "x", "--shape", "rounds"), "There is no shape rounds"),
        (("-o", "x", "--shape", "no.json"), "no.json cannot be read"),
        (("-o", "x", "--pattern", "zigzag"), "--pattern takes one of"),
        (("-o", "x", "--pattern", "ramp"), "needs a rate"),
        (("-o", "x", "--rate", "fast"), "--rate: 'fast' is no rate"),
        (("-o", "x", "--date", "yesterday"), "--date"),
        (("-o", "x", "--name", "a/b"), "no file name"),
        (("-o", "x", "--name", ""), "--name is empty: give one, or leave it out"),
        (
            ("-o", "x", "--name", "n" * 300),
            "--name is too long for a file, which has a date and a number too: 201 bytes",
        ),
        (("-o", "x", "--name", "n" * 202), "201 bytes at most"),
        (("-o", "x", "--name", "a\nb"), "no file name"),
        (("-o", "x", "--files", "50000", "--size", "3.5GB"), "has room for"),
    ],
)
def test_garbage_is_answered_with_a_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path, here: Callable[..., Finished]
) -> None:
    done = here("generate", *words)
    assert done.code in (1, 2)
    assert sentence in " ".join(done.err.split())
    assert not (tmp_path / "x").exists() or not list((tmp_path / "x").glob("*.ndjson"))


def test_an_upload_looks_first_and_then_fills_the_bucket(operations: Operations) -> None:
    operations.deploy()
    words = ("generate", "--files", "5", "--unique", "2", "--records", "50", "--prefix", "in/[b]/", "--upload")
    looked = operations(*words, "--json")
    assert (looked.code, looked.document["done"]) == (0, False)
    assert looked.document["next"].endswith("--yes --env dev")
    bucket = NAMES.input_bucket
    assert "Contents" not in operations.s3.list_objects_v2(Bucket=bucket)
    operations.monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    asked = operations(*words)
    assert asked.code == 2
    assert "Nothing was uploaded: answer 'y'" in asked.err
    done = operations(*words, "--yes", "--json")
    assert done.code == 0, done.err
    document = done.document
    keys = [entry["Key"] for entry in operations.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    record = Generated.from_json(Path(document["record"]).read_bytes(), "the record")
    assert keys == [file.name for file in record.files]
    assert all(key.startswith("in/[b]/") for key in keys)
    bodies = [operations.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    digests = [f"sha256:{hashlib.sha256(body).hexdigest()}" for body in bodies]
    assert digests == [file.facts.checksum for file in record.files]
    assert len(set(digests)) == 2
    assert operations(*words, "--yes", "--json").document["files_already_there"] == 5
    # The folder that it would have been with -o has the same bytes.
    assert operations("generate", "--files", "2", "--records", "50", "-o", "x", "--env", "dev").code == 2


def test_an_upload_to_an_environment_that_is_not_deployed_says_so(operations: Operations) -> None:
    done = operations("generate", "--records", "5", "--upload", "--yes")
    assert done.code == 2
    assert "is not deployed" in done.err
    operations.monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    protected = operations("generate", "--records", "5", "--upload", "--set", "protected=true")
    assert "Nothing was uploaded: type 'dev'" in protected.err
