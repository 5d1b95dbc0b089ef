"""`ndjctl loadtest` and its lists on moto: what is shown of results, what is refused before anything begins."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ndjctl.loadtest.journal import begin
from ndjctl.loadtest.model import LoadSettings
from ndjctl.loadtest.results import result_key
from tests.functional.operations_world import NAMES, Operations

OLD, NEW = "20261126T100000Z-aaaa", "20261127T100000Z-bbbb"


def _report(test_id: str, **more: Any) -> dict[str, Any]:
    return {
        "format": "ndjctl.loadtest-report",
        "version": 1,
        "id": test_id,
        "env": "dev",
        "verdict": "PASS",
        "reasons": [],
        "phase": 1,
        "settings": {
            "files": 10,
            "file_size_bytes": 1000,
            "shape": "events",
            "bad_lines": "10",
            "drift": "0",
            "pattern": "steady",
            "rate_per_s": None,
            "chaos": False,
        },
        "configuration": {"hash": "c" * 12},
        "begun_at": "2026-11-26T10:00:00.000Z",
        "seconds": 100.0,
        "mb_per_s": 2.0,
        "counts": {"completed": 10},
        "latency_s": {"p50": 1.0, "p95": 2.0, "p99": 3.0},
        "manifests": 1,
        "runs": {"count": 1, "failed": 0},
        "dpu_hours": 0.5,
        "cost": {"total_usd": 0.22, "estimated_usd": 0.3},
        **more,
    }


def _put(operations: Operations, report: dict[str, Any]) -> None:
    key = result_key(report["id"])
    operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=key, Body=json.dumps(report).encode())


@pytest.fixture
def two(operations: Operations) -> Operations:
    operations.deploy()
    _put(operations, _report(OLD))
    slower = _report(NEW, verdict="FAIL", reasons=["p95 \x1b[31m is [bold]too\nlong"], seconds=150.0)
    _put(operations, slower)
    return operations


def test_an_empty_list_and_one_of_nothing(operations: Operations) -> None:
    answer = operations("loadtest", "list")
    assert answer.code == 2 and "not deployed" in answer.err
    operations.deploy()
    assert operations("loadtest", "list").out == "No load tests.\n"
    assert operations("loadtest", "list", "--json").document["tests"] == []


def test_the_newest_comes_first_with_its_reason(two: Operations) -> None:
    found = two("loadtest", "list", "--json").document
    assert [(each["id"], each["verdict"]) for each in found["tests"]] == [(NEW, "FAIL"), (OLD, "PASS")]
    assert (found["passed"], found["failed"], found["unfinished"]) == (1, 1, 0)
    shown = two("loadtest", "list").out
    assert "p95 \\x1b[31m is [bold]too\\nlong" in shown and "\x1b" not in shown
    step = shlex.split(shown.splitlines()[-1])
    assert step[-6:] == ["loadtest", "compare", "--env", "dev", OLD, NEW]
    assert two(*step[-6:-4], *step[-2:]).code in (0, 1)


def test_a_test_alone_is_compared_with_nothing(operations: Operations) -> None:
    operations.deploy()
    _put(operations, _report(OLD))
    assert operations("loadtest", "list").out.splitlines()[-1] == "1 load test: 1 passed"


def test_what_is_no_report_is_left_out(two: Operations) -> None:
    for name, body in (
        ("x.json", b"{}"),
        ("20261127T110000Z-cccc.json", b"\xff"),
        ("20261127T120000Z-dddd.json", b"[]"),
    ):
        two.s3.put_object(Bucket=NAMES.manifest_bucket, Key=f"loadtests/{name}.json", Body=body)
    assert len(two("loadtest", "list", "--json").document["tests"]) == 2


def test_tests_that_are_not_finished_are_listed(two: Operations, tmp_path: Path) -> None:
    settings = LoadSettings(phase=2, files=100, file_size_bytes=1000, unique_files=1)
    test_id = "20261127T120000Z-0000"
    planned = {"configuration": {"hash": "c" * 12}}
    begin(tmp_path / "loadtests" / "dev", "dev", test_id, settings, "2026-11-27", "2026-11-27T12:00:00Z", planned)
    found = two("loadtest", "list", "--json").document
    assert found["unfinished"] == 1
    assert (found["tests"][0]["id"], found["tests"][0]["verdict"]) == (test_id, None)
    assert f"loadtest --resume --env dev {test_id}" in two("loadtest", "list").out


def test_without_a_deployed_environment_those_of_this_machine_are_listed(
    operations: Operations, tmp_path: Path
) -> None:
    settings = LoadSettings(phase=2, files=100, file_size_bytes=1000, unique_files=1)
    test_id = "20261127T120000Z-0000"
    planned = {"configuration": {"hash": "c" * 12}}
    begin(tmp_path / "loadtests" / "dev", "dev", test_id, settings, "2026-11-27", "2026-11-27T12:00:00Z", planned)
    answer = operations("loadtest", "list", "--json")
    assert answer.code == 0
    assert [each["id"] for each in answer.document["tests"]] == [test_id]
    (line,) = answer.err.splitlines()
    assert line.startswith("the results that are kept in the cloud could not be read: ") and "not deployed" in line


def test_the_reason_of_a_fail_can_be_read_in_80_columns(two: Operations) -> None:
    reason = "p95 from upload to Parquet 59.1 min, allowed 30.0 min, which is a long sentence"
    settings = {**_report(NEW)["settings"], "files": 10_000, "file_size_bytes": 1023 * 1024 + 900}
    slow = {"seconds": 3599.0, "latency_s": {"p95": 3599.0}}
    _put(two, _report(NEW, verdict="FAIL", reasons=[reason], settings=settings, **slow))
    heading, row, why = two("loadtest", "list").out.splitlines()[:3]
    assert max(len(heading), len(row)) <= 80 and "59 min 59 s 59 min 59 s" in " ".join(row.split())
    assert why == f"  {reason}"


def test_two_tests_side_by_side(two: Operations) -> None:
    found = two("loadtest", "compare", OLD, NEW, "--json").document
    figures = {each["name"]: each for each in found["figures"]}
    assert figures["time"] == {
        "name": "time",
        "unit": "s",
        "a": 100.0,
        "b": 150.0,
        "change": 0.5,
        "better": False,
    }
    assert figures["verdict"]["change"] is None and figures["p50"]["change"] is None
    assert "+50.0%" in two("loadtest", "compare", "20261126", "20261127").out


def test_a_comparison_says_what_is_better_and_what_is_worse(operations: Operations) -> None:
    operations.deploy()
    _put(operations, _report(OLD))
    larger = {**_report(NEW)["settings"], "files": 20, "file_size_bytes": 5000}
    worse = {"counts": {"completed": 9}, "runs": {"count": 2, "failed": 1}, "verdict": "FAIL"}
    _put(operations, _report(NEW, settings=larger, seconds=80.0, mb_per_s=3.0, manifests=2, **worse))
    found = operations("loadtest", "compare", OLD, NEW, "--json").document
    better = {each["name"]: each["better"] for each in found["figures"]}
    assert {name for name, is_better in better.items() if is_better} == {"time", "throughput"}
    assert {name for name, is_better in better.items() if is_better is False} == {"verdict", "completed", "failed runs"}
    assert found["remarks"] == ["The tests differ in files and file size: times, runs and cost differ for that alone."]
    shown = operations("loadtest", "compare", OLD, NEW).out
    words = {line[:12].strip(): line.split()[-1] for line in shown.splitlines()}
    assert (words["time (s)"], words["completed (f"], words["failed runs"]) == ("better", "worse", "worse")
    assert found["remarks"][0] in shown


def test_a_comparison_says_what_the_tests_were_asked_for(operations: Operations) -> None:
    operations.deploy()
    settings = {**_report(OLD)["settings"], "pattern": "burst", "rate_per_s": 5.0, "chaos": True, "bad_lines": "0.1%"}
    own = {"shape": "schema", "schema": {"fields": [{"name": "a", "type": "int64"}]}}
    _put(operations, _report(OLD, mb_per_s=0.0, dpu_hours=0.0000042))
    _put(operations, _report(NEW, phase=2, settings={**settings, **own}))
    found = {each["name"]: each for each in operations("loadtest", "compare", OLD, NEW, "--json").document["figures"]}
    assert {name: (found[name]["a"], found[name]["b"]) for name in ("bad lines", "pattern", "rate", "chaos")} == {
        "bad lines": ("10", "0.1%"),
        "pattern": ("steady", "burst"),
        "rate": (None, 5.0),
        "chaos": (False, True),
    }
    assert found["shape"]["a"] == "events" and found["shape"]["b"].startswith("schema ")
    assert (found["phase"]["a"], found["phase"]["b"], found["phase"]["change"]) == (1, 2, None)
    shown = {
        line[:24].strip(): line.split()[-2:] for line in operations("loadtest", "compare", OLD, NEW).out.splitlines()
    }
    assert any(name.startswith("chaos") and words == ["no", "yes"] for name, words in shown.items())
    assert "0.0000042" in operations("loadtest", "compare", OLD, NEW).out


@pytest.mark.parametrize("name", ["", "2026", "nothing", "20261126T100000Z-ffff", "../x", "[bold]"])
def test_a_test_that_is_not_one_is_said_to_be_none(two: Operations, name: str) -> None:
    answer = two("loadtest", "compare", OLD, name)
    assert answer.code == 2
    assert "There is no result" in answer.err or "There are 2 results of load tests whose ids begin" in answer.err


REFUSED = [
    ((), "Name a phase"),
    (("--phase", "5"), "Invalid value for '--phase'"),
    (("--phase", "1", "--file-size", "0"), "--file-size: '0' is no size"),
    (("--phase", "1", "--file-size", "1XB"), "--file-size: '1XB' is no size"),
    (("--phase", "1", "--files", "3", "--scale", "0.5"), "exclude each other"),
    (("--phase", "1", "--scale", "0"), "--scale takes a share above 0"),
    (("--phase", "1", "--scale", "nan"), "--scale"),
    (("--phase", "1", "--max-failed", "nan"), "--max-failed"),
    (("--phase", "1", "--max-cost", "inf"), "--max-cost takes a number"),
    (("--phase", "1", "--max-cost-ratio", "inf"), "--max-cost-ratio takes a number"),
    (("--phase", "1", "--min-throughput", "inf"), "--min-throughput takes a number"),
    (("--phase", "1", "--max-dpu-hours", "inf"), "--max-dpu-hours takes a number"),
    (("--phase", "1", "--max-failed", "inf"), "--max-failed takes a number"),
    (("--phase", "1", "--scale", "-inf"), "--scale takes a number"),
    (("--resume", OLD, "--max-cost", "inf"), "--max-cost takes a number"),
    (("--phase", "1", "--max-p95", "soon"), "--max-p95 takes a time"),
    (("--phase", "1", "--bad-lines", "many"), "--bad-lines: 'many' is no amount"),
    (("--phase", "1", "--rate", "fast"), "--rate: 'fast' is no rate"),
    (("--phase", "1", "--pattern", "burst"), "--pattern burst needs a --rate"),
    (("--phase", "1", "--pattern", "x"), "--pattern takes one of"),
    (("--phase", "1", "--shape", "x"), "There is no shape x"),
    (("--phase", "1", "--shape", "no.json"), "no.json cannot be read"),
    (("--phase", "1", "--chaos"), "is for the embedded cloud only"),
    (("--phase", "1", "--resume", OLD), "leave --phase out"),
    (("--resume", "yesterday"), "is no id of a load test"),
    (("--resume", OLD), "There is no load test"),
    (("--phase", "1", "--file-size", "10KB", "--bad-lines", "500"), "there is room for 2"),
    (("--phase", "1", "list"), "--phase is for 'loadtest' alone"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_is_refused_with_a_sentence(
    operations: Operations, words: tuple[str, ...], sentence: str
) -> None:
    answer = operations("loadtest", *words)
    assert answer.code == 2
    assert sentence in answer.err
