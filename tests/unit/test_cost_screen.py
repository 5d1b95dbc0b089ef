"""How an estimate looks on 80 columns and as a document, and what is said of odd input."""

from __future__ import annotations

import json
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ndjctl.cli.main import app
from ndjctl.output.money import dollars, exact

OFFLINE = ("cost", "--offline")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NDJ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def document(*words: str) -> Any:
    return json.loads(run(*OFFLINE, *words, "--json"))


def test_dollars() -> None:
    amounts = ("0", "0.00001", "0.0004", "0.25", "1", "1234.567", "1e6")
    shown = ["$0", "<$0.0001", "$0.0004", "$0.2500", "$1.00", "$1,234.57", "$1,000,000.00"]
    assert [dollars(D(each)) for each in amounts] == shown
    assert [exact(D(each)) for each in ("0", "100", "1E+3", "0.10", "1e-30")] == ["0", "100", "1000", "0.1", "0"]
    assert exact(None) is None


def test_the_document_adds_up_and_has_every_source() -> None:
    found = document("--env", "prod", "--file-size", "3.5GB")
    assert list(found["cases"]) == ["low", "expected", "high"]
    for case in found["cases"].values():
        total = sum(D(line["usd_per_month"]) for line in case["lines"])
        assert total == pytest.approx(D(case["usd_per_month"]), abs=D("1e-9"))
        for line in case["lines"]:
            assert line["formula"] and line["inputs"]
            assert all(each["source"] and each["value"] for each in line["inputs"])
            assert line["price"] is None or line["price"]["source"]
    assert (found["load"]["manifests_per_day"], found["load"]["file_bytes"]) == ("3380", "3500000000")
    assert found["complete"] and found["hint"].startswith("the largest line is Amazon S3, input kept")


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (("--files-per-day", "1", "--manifests-per-day", "1"), "; 1 run of "),
        (("--files-per-day", "0"), "; no runs"),
        (("--files-per-day", "338000"), " runs of "),
    ],
)
def test_one_run_is_no_runs(load: tuple[str, ...], words: str) -> None:
    shown = " ".join(run(*OFFLINE, *load).split())
    assert words in shown and ", 0 DPUs" not in shown


def test_a_formula_names_its_inputs() -> None:
    words = {"x", "or", "and", "more", "rounded", "up", "of", "one", "where", "parts", "the", "larger", "bytes"}
    for line in document("--env", "prod")["cases"]["expected"]["lines"]:
        names = {each["name"] for each in line["inputs"]}
        used = {word.strip("(),=+/*") for word in line["formula"].replace("(", " ").split()} - words
        assert {word for word in used if word and word[0].isalpha()} <= names, line["formula"]


@pytest.mark.parametrize("case", ["low", "expected", "high"])
def test_the_largest_glue_line_can_be_worked_again_from_its_inputs(case: str) -> None:
    lines = document("--env", "prod", "--file-size", "3.5GB")["cases"][case]["lines"]
    line = next(each for each in lines if each["name"] == "runs, converting")
    of = {each["name"]: D(each["value"]) for each in line["inputs"]}
    converting_s = of["manifest_bytes"] / 2**20 / (of["mb_per_s_per_vcpu"] * of["task_slots"])
    hours = of["manifests"] * converting_s / 3600 * of["dpus"] * of["used_share"] * 30
    assert hours == pytest.approx(D(line["quantity_per_month"]), rel=D("1e-9"))
    assert (of["manifest_bytes"], of["task_slots"]) == (350_000_000_000, 152)
    typed = document("--env", "prod", "--run-time", "5m")["cases"][case]["lines"]
    line = next(each for each in typed if each["name"] == "runs, converting")
    assert [each["value"] for each in line["inputs"] if each["name"] == "converting_s"] == ["300"]


def test_what_is_typed_counts() -> None:
    given = document("--env", "prod", "--files-per-day", "50", "--manifests-per-day", "1", "--run-time", "5m")
    assert given["cases"]["expected"]["run"]["seconds"] == "300"
    assert given["load"]["manifests_per_day"] == "1"
    slow, fast = (document("--env", "prod", "--throughput", rate)["cases"] for rate in ("5", "10"))
    assert D(slow["expected"]["usd_per_day"]) > D(fast["expected"]["usd_per_day"])
    assert slow["low"]["usd_per_day"] == slow["high"]["usd_per_day"]
    whole = document("--env", "dev", "--no-free-allowance")
    assert not whole["free_allowances_deducted"]
    assert D(whole["cases"]["low"]["usd_per_day"]) > D(document("--env", "dev")["cases"]["low"]["usd_per_day"])
    kept = document("--env", "prod", "--set", "cost.input_kept_days=0")
    assert "input kept" not in {line["name"] for line in kept["cases"]["expected"]["lines"] if D(line["usd_per_day"])}


def test_the_screen() -> None:
    text = run(*OFFLINE, "--env", "prod")
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith(("S3", "Glue", "a ", "Cloud")))
    assert text.index("S3 input kept") < text.index("Glue runs, starting") < text.index("DynamoDB writes")
    assert "the largest line is Amazon S3, input kept" in text and "not measured: --offline" in text
    explained = run(*OFFLINE, "--env", "dev", "--explain")
    assert "manifests x start_s / 3,600 x dpus x used_share x 30" in explained
    assert "(load.files_per_day)" in explained and "glue.dpu_hour" in explained


def test_the_embedded_cloud_is_not_started_for_it(tmp_path: Path) -> None:
    text = run("cost")
    assert "the embedded cloud's speed tells nothing of Glue's" in text
    assert not (tmp_path / "data" / "local").exists()


def test_without_credentials_the_built_in_rate_is_taken_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    found = json.loads(run("cost", "--env", "prod", "--json"))
    assert found["rate_source"].startswith("built in")
    assert any(each.startswith("not measured: There are no usable AWS credentials") for each in found["remarks"])


def test_a_price_that_is_missing_is_marked(tmp_path: Path) -> None:
    price = {"usd": "0.44", "unit": "DPU hour", "as_of": "2026-09-25", "source": "a test"}
    (tmp_path / "prices.json").write_text(
        json.dumps({"version": 1, "region": "us-east-1", "prices": {"glue.dpu_hour": price}})
    )
    text = run(*OFFLINE, "--env", "prod", "--prices", "prices.json")
    assert "NOT IN THE TOTAL" in text and "s3.storage_gb_month" in text.replace("\n", " ")
    found = document("--env", "prod", "--prices", "prices.json")
    assert not found["complete"]
    assert {line["service"] for line in found["cases"]["expected"]["lines"]} == {"AWS Glue", "transfer"}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--files-per-day", "-3"), "--files-per-day takes 0 to 1,000,000,000 files"),
        (("--files-per-day", "3", "--manifests-per-day", "4"), "more than the 3 files"),
        (("--file-size", "-3GB"), "no size"),
        (("--file-size", "0"), "at least one byte"),
        (("--file-size", "51TiB"), "largest object of S3"),
        (("--throughput", "nan"), "'nan' is none of that"),
        (("--throughput", "inf"), "'inf' is none of that"),
        (("--throughput", "0"), "'0' is none of that"),
        (("--run-time", "5"), "takes a time such as"),
        (("--run-time", "0s"), "more than nothing"),
        (("--region", "mars"), "no name of a region"),
        (("--region", "eu-west-9"), "not known"),
        (("--prices", "/nonexistent"), "cannot be read"),
        (("--set", "load.mb_per_s_per_vcpu=.nan"), "finite"),
        (("--set", "cost.output_share=0"), "greater than 0"),
    ],
)
def test_odd_input_is_one_sentence(words: tuple[str, ...], what: str) -> None:
    text = run(*OFFLINE, *words, code=2)
    assert what in text
    assert len([line for line in text.splitlines() if line.startswith("error:")]) == 1


def test_no_file_and_tiny_files_are_sane() -> None:
    nothing = document("--files-per-day", "0")
    assert D(nothing["cases"]["high"]["usd_per_day"]) < 1
    assert nothing["cases"]["high"]["usd_per_tb"] is None
    assert "Glue" not in run(*OFFLINE, "--files-per-day", "0").split("total")[0].replace("Glue's", "")
    assert D(document("--file-size", "1")["cases"]["expected"]["usd_per_day"]) > 0


def test_what_the_profile_states_of_a_dpu_hour_counts_before_all_but_a_file_with_it(tmp_path: Path) -> None:
    def glue(*words: str) -> tuple[str, str]:
        found = document("--env", "prod", *words)["cases"]["expected"]
        price = next(line["price"] for line in found["lines"] if line["service"] == "AWS Glue")
        return price["tiers"][0]["usd"], price["source"]

    stated = ("--set", "cost.usd_per_dpu_hour=0.20")
    assert glue(*stated) == ("0.2", "cost.usd_per_dpu_hour of the profile")
    assert glue(*stated, "--region", "eu-west-1")[0] == "0.44"
    price = {"usd": "0.40", "unit": "DPU hour", "as_of": "2026-11-01", "source": "ours"}
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"version": 1, "region": "us-east-1", "prices": {"glue.dpu_hour": price}}), "utf-8-sig")
    assert glue(*stated, "--prices", str(path)) == ("0.40", "ours")
    assert glue(*stated, "--set", "job.glue_version=6.0", "--prices", str(path))[0] == "0.2"
    there = document("--env", "prod", *stated, "--set", "region=eu-north-1")
    assert not there["complete"] and "cost.usd_per_dpu_hour" in there["remarks"][0]


@pytest.mark.parametrize("command", [OFFLINE, ("cost", "compare")])
def test_a_warning_is_told_once_and_not_in_the_data(command: tuple[str, ...], tmp_path: Path) -> None:
    price = {"usd": "0.40", "unit": "DPU hour", "as_of": "2025-12-31", "source": "ours"}
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"version": 1, "region": "us-east-1", "prices": {"glue.dpu_hour": price}}))
    result = CliRunner().invoke(app, [*command, "--env", "prod", "--prices", str(path)])
    assert result.exit_code == 0
    assert result.stderr.count("2025-12-31") == 1 and result.stderr.startswith("warning: The prices of us-east-1")
    assert "are from" not in result.stdout


@pytest.mark.parametrize("command", [OFFLINE, ("cost", "compare")])
@pytest.mark.parametrize(("size", "is_told"), [("10TB", True), ("200KB", True), ("3.5GB", False)])
def test_a_size_that_would_be_quarantined_is_told(command: tuple[str, ...], size: str, is_told: bool) -> None:
    result = CliRunner().invoke(app, [*command, "--env", "prod", "--file-size", size])
    assert result.exit_code == 0
    assert result.stderr.count("outside of size_rule") == is_told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--files-per-day", "abc"),
            "--files-per-day takes 0 to 1,000,000,000 files as a whole number; 'abc' is",
        ),
        (("--files-per-day", "-1"), "--files-per-day takes 0 to"),
        (("compare", "--files-per-day", "abc"), "--files-per-day takes 0 to 1,000,000,000 files as a whole number"),
        (("compare", "--files-per-day", "0"), "There is nothing to compare: the load is 0 files a day"),
        (("--manifests-per-day", "1.5"), "--manifests-per-day takes 1 to 1,000,000,000 manifests"),
        (("--throughput", "fast"), "--throughput takes 0.01 to 10,000 MB a second of one vCPU; 'fast' is none of that"),
        (("--throughput", "12", "--run-time", "5m"), "--throughput and --run-time both say how long a run takes"),
    ],
)
def test_a_number_that_is_none_gets_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(app, ["cost", *words, "--env", "prod"])
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Input should" not in result.output


def test_sizes_are_told_as_they_were_typed() -> None:
    text = run(*OFFLINE, "--env", "prod", "--file-size", "3.5GB")
    assert "338,000 files of 3.5 GB a day, 1,183 TB;" in text and "TiB" not in text
