"""Profiles: the reference table, and every mistake told by file, path, value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ndjctl.contracts import MIB
from ndjctl.errors import UsageError
from ndjctl.profiles import BUILT_IN, available, load_profile, setting_paths
from ndjctl.settings import PRESETS, Profile
from tests import reference
from tests.reference import expected

NOWHERE = Path("/nonexistent")


def load(env: str, **options: object) -> Profile:
    return load_profile(env, working_dir=NOWHERE, **options).profile  # type: ignore[arg-type]


def value_at(profile: Profile, path: str) -> object:
    value: object = profile
    for part in path.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("preset", [None, *PRESETS])
@pytest.mark.parametrize("env", ["dev", "prod"])
def test_the_reference_tables(env: str, preset: str | None) -> None:
    profile = load(env, preset=preset)
    settings = expected(env, preset)
    assert {path: value_at(profile, path) for path in settings} == settings


def test_every_preset_sets_settings_that_exist() -> None:
    assert set(PRESETS) == set(reference.PRESETS)
    for preset in PRESETS.values():
        assert set(preset) <= set(setting_paths())


def test_dpus_count_the_worker_type() -> None:
    assert load("dev").job.dpus == 10
    assert load("prod").job.dpus == 40


@pytest.mark.parametrize(
    ("env", "sizes_bytes"),
    [
        ("dev", [10_000, 20_000, 10 * 1024, 20 * 1024, 10 * MIB, 5 * MIB, 15 * MIB]),
        ("prod", [3_500_000_000, 3500 * MIB, 4_500_000_000, 4_200_000_000, int(4.5 * 1024**3)]),
        ("local", [1, 300, 10_000, 3_500_000, 4_500_000_000]),
    ],
)
def test_the_stated_files_pass_the_size_rule(env: str, sizes_bytes: list[int]) -> None:
    window = load(env).size_rule.window
    assert {size: window.verdict(size) for size in sizes_bytes} == dict.fromkeys(sizes_bytes)


def _refused(env: str, **options: object) -> str:
    with pytest.raises(UsageError) as caught:
        load(env, **options)
    return str(caught.value)


def test_an_unknown_environment_names_the_known_and_the_nearest() -> None:
    message = _refused("prd")
    assert "'prd'" in message
    assert "did you mean 'prod'?" in message
    assert "dev, local, prod" in message


@pytest.mark.parametrize("env", ["../dev", "", ".", "a/b", "dev\0"])
def test_an_environment_is_a_name_not_a_path(env: str) -> None:
    assert "There is no environment" in _refused(env)


def test_presets_and_assignments_are_checked() -> None:
    assert "did you mean 'heavy'?" in _refused("prod", preset="haevy")
    assert "did you mean 'job.workers'?" in _refused("prod", assignments=["job.wokers=3"])
    assert "did you mean 'batching.max_files_per_manifest'?" in _refused("prod", assignments=["MAX_FILES=3"])
    assert "path.to.key=value" in _refused("prod", assignments=["job.workers"])
    assert re.search(r"--set: job\.workers is 'many': .*integer", _refused("prod", assignments=["job.workers=many"]))
    assert re.search(r"job\.worker_type is 'G\.9X': .*'G\.2X'", _refused("prod", assignments=["job.worker_type=G.9X"]))
    assert "no file could pass" in _refused("prod", assignments=["size_rule.min_file_size_mb=9999"])


def test_assignments_win_over_presets_and_map_keys_keep_their_dots() -> None:
    profile = load("prod", preset="light", assignments=["job.workers=3", "job.spark_conf.spark.x.y=1"])
    assert profile.job.workers == 3
    assert profile.job.spark_conf["spark.x.y"] == "1"


def _written(folder: Path, text: str, env: str = "dev") -> Path:
    (folder / f"{env}.yaml").write_text(text)
    return folder


def test_a_misspelt_key_in_a_file_names_file_path_and_match(tmp_path: Path) -> None:
    text = (BUILT_IN / "dev.yaml").read_text().replace("worker_type:", "worker_typ:")
    message = _refused("dev", profile_dir=_written(tmp_path, text))
    assert str(tmp_path / "dev.yaml") in message
    assert "job.worker_typ: no such setting (did you mean 'worker_type'?)" in message
    assert "missing" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "not valid YAML"),
        ("just text", "is a mapping of settings"),
        ("region: a\nregion: b\n", "line 2: not valid YAML: the key 'region' stands twice"),
        ("", "it is empty"),
    ],
)
def test_a_broken_file_is_told_in_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    message = _refused("dev", profile_dir=_written(tmp_path, text))
    assert why in message
    assert str(tmp_path / "dev.yaml") in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("tags.a{b=x", "tags.a{b"),
        ("tags.team=x$y", "tags.team is 'x$y': it takes letters, digits, blanks"),
        ("function.keep_variables=[A-B]", "function.keep_variables is 'A-B': it takes names of environment variables"),
        ("network.security_group_ids=[x]", "network.security_group_ids is 'x': it takes ids such as sg-"),
        ("security.kms_key_arn=alias/x", "security.kms_key_arn is 'alias/x': it takes the ARN of a key"),
        ("network.subnets.subnet-1=us-east-1a", "subnets and security_group_ids are given together or not at all"),
        ("alarms.email=nobody", "alarms.email is 'nobody': it takes an e-mail address"),
        ("retention.logs_days=4", "retention.logs_days is 4"),
    ],
)
def test_a_value_that_aws_would_not_take_is_told_in_words(assignment: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("dev", assignments=[assignment])
    assert told in str(caught.value)


def test_a_profile_of_another_name_is_refused(tmp_path: Path) -> None:
    text = (BUILT_IN / "dev.yaml").read_text()
    assert "environment is 'dev'" in _refused("stage", profile_dir=_written(tmp_path, text, "stage"))


def test_the_nearer_profile_wins(tmp_path: Path) -> None:
    text = (BUILT_IN / "dev.yaml").read_text()
    (tmp_path / "profiles").mkdir()
    _written(tmp_path / "profiles", text.replace("workers: 10", "workers: 7"))
    (tmp_path / "other").mkdir()
    _written(tmp_path / "other", text.replace("workers: 10", "workers: 8"))
    assert load_profile("dev", working_dir=tmp_path).profile.job.workers == 7
    assert load_profile("dev", working_dir=tmp_path, profile_dir=tmp_path / "other").profile.job.workers == 8
    assert load_profile("prod", working_dir=tmp_path).source == "prod.yaml (built in)"
    assert available(None, tmp_path) == ["dev", "local", "prod"]


@pytest.mark.parametrize("version", ["5.1", "6.0", '"6.0"', " 6.0"])
def test_a_text_that_looks_like_a_number_is_taken_as_it_was_typed(version: str) -> None:
    assert load("dev", assignments=[f"job.glue_version={version}"]).job.glue_version == version.strip(' "')
    confs = load("dev", assignments=["job.spark_conf.spark.x=5.10", "job.dataset=0011"])
    assert (confs.job.spark_conf["spark.x"], confs.job.dataset) == ("5.10", "0011")
    for assignment in ("job.workers=5.5", "job.glue_version=7.0", "cost.max_per_day=x"):
        with pytest.raises(UsageError):
            load("dev", assignments=[assignment])


def test_a_number_where_a_file_needs_a_text_is_told_to_be_quoted(tmp_path: Path) -> None:
    text = re.sub(r"glue_version: .*", "glue_version: 5.1", (BUILT_IN / "dev.yaml").read_text())
    assert "is put in quotes" in _refused("dev", profile_dir=_written(tmp_path, text))
