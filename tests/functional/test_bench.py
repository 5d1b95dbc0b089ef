"""The bench measures real processes, and its check finds what engines lose and change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import data
from bench.check import ArrowReader, DuckDBReader, check
from bench.meter import run_measured
from bench.source import NoRecord, parse_record, read_facts, survey
from ndjctl.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_USAGE

ROOT = Path(__file__).resolve().parents[2]


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_ours_is_exact_on_dirty_data_where_duckdb_is_careless_and_pyarrow_refuses(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    ended = _bench(
        *("--quick", "--mb", "8", "--shapes", "drift,dirty", "--engines", "ours,duckdb,pyarrow"),
        *("--data-dir", str(tmp_path / "data"), "--json", str(out)),
    )
    assert ended.returncode == EXIT_DONE, ended.stderr
    found = {(row["shape"], row["engine"], row["option"]): row for row in json.loads(out.read_text())["results"]}

    for shape in ("drift", "dirty"):
        ours = found[shape, "ours", None]
        assert ours["outcome"] == "exact"
        assert ours["verdict"]["rows"] == ours["verdict"]["records"] > 500
        assert ours["verdict"]["compared"] > 200
        assert ours["output_bytes"] > 10_000
        assert ours["usage"]["cpu_s"] > ours["startup"]["cpu_s"] * 0.5 > 0
        assert ours["usage"]["peak_bytes"] > 30e6
        assert found[shape, "pyarrow", None]["outcome"] == "refused"
        assert found[shape, "pyarrow", None]["cpu_s_per_gb"] is None
    assert found["dirty", "ours", None]["verdict"]["bad_lines_kept"] >= 2

    changes = {change["path"]: [] for change in found["drift", "duckdb", None]["verdict"]["changes"]}
    for change in found["drift", "duckdb", None]["verdict"]["changes"]:
        changes[change["path"]].append(change["example"] if change["became"] != "nowhere" else "dropped")
    assert changes["clicks"].count("1.7 -> 2") == changes["clicks"].count('"12" -> 12') == 1
    assert "true -> 1.0" in changes["score"]
    assert changes["user.loyalty"] == changes["variant"] == ["dropped"]

    assert found["dirty", "duckdb", None]["outcome"] == "refused"
    lenient = found["dirty", "duckdb", "ignore_errors"]
    assert lenient["verdict"]["bad_lines"] >= 2
    assert lenient["verdict"]["bad_lines_kept"] == 0
    assert "bad lines gone" in lenient["text"]
    for text in ("DuckDB, ignore_errors", "1.7 -> 2 in `clicks`", "bad lines kept aside", "refused: "):
        assert text in ended.stdout, ended.stdout


def test_what_was_measured_is_told_when_it_is_interrupted(tmp_path: Path) -> None:
    words = ("--quick", "--mb", "2", "--shapes", "events,drift", "--engines", "ours", "--data-dir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stderr is not None
        for line in bench.stderr:
            if "drift" in line:
                bench.send_signal(signal.SIGINT)
                break
        told, _ = bench.communicate(timeout=60)
    assert bench.returncode == EXIT_INTERRUPTED
    assert "nested events" in told and "Interrupted" in told
    assert "off the schema" not in told


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    ended = _bench("--shapes", "events,nonsense", "--data-dir", str(tmp_path))
    assert ended.returncode == EXIT_USAGE
    assert "nonsense; known are events, crlf, wide" in ended.stderr
    if (os.cpu_count() or 1) < 8:
        ended = _bench("--cores", "8", "--mb", "0.1", "--data-dir", str(tmp_path))
        assert ended.returncode == EXIT_USAGE
        assert "this process may use" in ended.stderr


# --------------------------------------------------------------------------------------------------------------
# The data


def _bytes(dataset: data.Dataset) -> list[bytes]:
    return [path.read_bytes() for path in dataset.files]


@pytest.mark.parametrize("shape", data.SHAPES)
def test_a_source_is_made_once_and_the_same_everywhere(shape: str, tmp_path: Path) -> None:
    told: list[str] = []
    one = data.dataset(shape, 0.2, 7, tmp_path / "one", told.append)
    assert told
    told.clear()
    assert data.dataset(shape, 0.2, 7, tmp_path / "one", told.append) == one
    assert not told
    other = data.dataset(shape, 0.2, 7, tmp_path / "other", told.append)
    assert _bytes(other) == _bytes(one)
    assert other.schema == one.schema
    assert 0.2e6 <= sum(map(len, _bytes(one))) < 0.3e6
    assert len(one.files) == (20 if shape == data.SMALL else 1)
    if shape != data.TWEETS:
        assert _bytes(data.dataset(shape, 0.2, 8, tmp_path / "one", told.append)) != _bytes(one)
    facts = read_facts(one.facts, 50)
    assert facts.lines == sum(body.count(b"\n") for body in _bytes(one))
    assert facts.records + len(facts.bad_lines) == facts.lines
    assert shape == data.DIRTY or not facts.bad_lines
    assert 0 < len(facts.sample) <= 50


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[1]",
        b"7",
        b'{"a":1',
        b'{"a":1} {"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":"\xe9"}',
        b'{"a":"\\udc00"}',
    ],
)
def test_a_line_that_is_no_record_is_none_to_the_check(line: bytes) -> None:
    with pytest.raises(NoRecord):
        parse_record(line)


# --------------------------------------------------------------------------------------------------------------
# The check, on outputs with one thing wrong

_LINES = [json.dumps({"k": f"r{n}", "n": n, "x": {"y": [n / 4, None]}, "t": "né"}).encode() for n in range(50)]
_BAD = b'{"k":"bad"'


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _LINES]


def _without_text(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        del row["t"]


_DAMAGE: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "lost last line": (lambda rows: rows.pop(), "1 rows lost"),
    "line twice": (lambda rows: rows.append(rows[3]), "1 rows that are no record"),
    "row of nulls": (lambda rows: rows.append(dict.fromkeys(rows[0])), "1 rows without their key"),
    "rounded number": (lambda rows: rows[8]["x"].update(y=[2, None]) or rows[9]["x"].update(y=[2, None]), "2.25 -> 2"),
    "value lost": (lambda rows: rows[5].update(n=None), "5 -> null in `n` (x1)"),
    "value made up": (lambda rows: rows[5]["x"]["y"].append(1.5), "[1.25, null] -> [1.25, null, 1.5] in `x.y`"),
    "null made up": (lambda rows: rows[0]["x"].update(y=[0.0, 0.0]), "null -> 0.0 in `x.y[]`"),
    "dropped field": (_without_text, "`t` dropped (x50)"),
    "changed text": (lambda rows: rows[7].update(t="ne"), '"né" -> "ne" in `t`'),
}


@pytest.fixture
def source_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "facts"
    folder.mkdir()
    path = tmp_path / "source.ndjson"
    path.write_bytes(b"\n".join([*_LINES[:20], b"", _BAD, *_LINES[20:]]))
    survey([path], "k", folder)
    return folder


def _write(folder: Path, rows: list[dict[str, Any]], quarantined: list[bytes]) -> Path:
    (folder / "quarantine").mkdir(parents=True)
    # Arrow takes the columns from the first row.
    rows = [{**row, "_rescued": row.get("_rescued")} for row in rows]
    pq.write_table(pa.Table.from_pylist(rows), folder / "part.parquet")
    lines = [json.dumps({"raw": raw.decode()}) for raw in quarantined]
    (folder / "quarantine" / "bad.ndjson").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.mark.parametrize("reader", [DuckDBReader, ArrowReader])
def test_an_exact_output_passes_with_either_reader(reader: Any, source_dir: Path, tmp_path: Path) -> None:
    out = _write(tmp_path / "out", _rows(), [_BAD])
    verdict = check(read_facts(source_dir, 100), out, reader([out / "part.parquet"]))
    assert verdict.findings() == []
    assert (verdict.records, verdict.rows, verdict.compared) == (50, 50, 50)
    assert verdict.text() == "exact, 1 bad lines kept aside"


@pytest.mark.parametrize("reader", [DuckDBReader, ArrowReader])
@pytest.mark.parametrize("damage", _DAMAGE)
def test_damage_is_found(damage: str, reader: Any, source_dir: Path, tmp_path: Path) -> None:
    rows = _rows()
    change, expected = _DAMAGE[damage]
    change(rows)
    out = _write(tmp_path / "out", rows, [_BAD])
    findings = check(read_facts(source_dir, 100), out, reader([out / "part.parquet"])).findings()
    assert len(findings) == 1, findings
    assert expected in findings[0]


def test_a_rescued_value_counts_only_where_it_belongs(source_dir: Path, tmp_path: Path) -> None:
    rows = _rows()
    rows[4].update(n=None, _rescued='{"/n":4}')
    rows[6]["x"].update(y=[None, None])
    rows[6].update(_rescued='{"/x/y/0":1.5}')
    assert check(read_facts(source_dir, 100), _write(tmp_path / "good", rows, [_BAD])).findings() == []
    rows[6].update(_rescued='{"/x/y/1":1.5}')
    findings = check(read_facts(source_dir, 100), _write(tmp_path / "bad", rows, [_BAD])).findings()
    assert findings == ["1.5 -> null in `x.y[]` (x1)", "null -> 1.5 in `x.y[]` (x1)"]


def test_the_quarantine_has_to_hold_the_bad_lines_and_no_others(source_dir: Path, tmp_path: Path) -> None:
    facts = read_facts(source_dir, 100)
    assert check(facts, _write(tmp_path / "a", _rows(), [])).findings() == ["1 of 1 bad lines gone"]
    assert check(facts, _write(tmp_path / "b", _rows(), [_BAD + b"}"])).findings() == [
        "1 good lines quarantined",
        "1 of 1 bad lines gone",
    ]
    (tmp_path / "c").mkdir()
    assert check(facts, tmp_path / "c").findings() == ["50 rows lost", "1 of 1 bad lines gone"]


# --------------------------------------------------------------------------------------------------------------
# The meter

_BURN = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass\n"
_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
_LEAVER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', sys.argv[1] + 'time.sleep(60)'])
time.sleep(3)
"""


def _measured(tmp_path: Path, *argv: str, timeout_s: float = 60) -> Any:
    return run_measured(
        [sys.executable, "-c", *argv], cwd=tmp_path, environment=os.environ, log=tmp_path / "log", timeout_s=timeout_s
    )


def test_the_whole_tree_is_measured(tmp_path: Path) -> None:
    usage = _measured(tmp_path, _PARENT, _BURN)
    assert usage.exit_code == 0
    assert 0.4 <= usage.cpu_s <= 2
    assert usage.wall_s >= 0.4


def test_a_child_that_is_left_behind_is_counted_and_ended(tmp_path: Path) -> None:
    usage = _measured(tmp_path, _LEAVER, _BURN)
    assert usage.exit_code == 0
    assert usage.cpu_s >= 0.4
    assert usage.wall_s < 30


def test_memory_is_the_sum_of_the_tree(tmp_path: Path) -> None:
    held = "import time; held = b'x' * 80_000_000; time.sleep(1)"
    usage = _measured(tmp_path, f"import subprocess, sys; {held.replace('time.sleep(1)', '')}" + _PARENT, held)
    assert 160e6 <= usage.peak_bytes <= 260e6


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    usage = _measured(tmp_path, _PARENT, "import time; time.sleep(60)", timeout_s=1)
    assert usage.timed_out
    assert usage.exit_code == -9
    assert usage.wall_s < 10
