"""What AWS accepts and reality punishes: every rule speaks at its figure and is silent at the boundary."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lambda_handler.services import STOP_MARGIN_S
from ndjctl.advice import AccountFacts, Finding, KeyFacts, Observed, advise
from ndjctl.advice.ends import GLUE_VERSIONS, NEAR_DAYS, RUNTIMES
from ndjctl.advice.load import LONGEST_RUN_MIN, MOST_RUNS
from ndjctl.advice.throughput import throughput
from ndjctl.forecast.rate import RUN_START_S
from ndjctl.profiles import load_profile, setting_paths
from ndjctl.settings import PRESETS, Job, Profile

TODAY = date(2026, 11, 24)
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DEFAULTS = AccountFacts(1000, 1000, 0, 200, 1000, 1000)
"""An account of AWS's default quotas in which nothing is reserved."""


def load(env: str, *assignments: str, preset: str | None = None) -> Profile:
    return load_profile(env, working_dir=Path("/nonexistent"), preset=preset, assignments=assignments).profile


def found(
    *assignments: str,
    facts: AccountFacts | None = None,
    seen: Observed | None = None,
    today: date = TODAY,
    env: str = "prod",
) -> list[Finding]:
    return advise(load(env, *assignments), facts, seen, today)


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


# (what is set in prod, the code of what is found, its severity, what is set at the boundary or in the other way)
SETTINGS = [
    ("queue.visibility_timeout_s=1804", "visibility", "warning", "queue.visibility_timeout_s=1805"),
    ("queue.visibility_timeout_s=299", "visibility", "error", "queue.visibility_timeout_s=1805"),
    ("queue.max_receives=4", "max-receives", "warning", "queue.max_receives=5"),
    ("queue.retention_days=0.1", "retention", "warning", "queue.retention_days=0.11"),
    ("queue.dead_letter_retention_days=4", "retention", "warning", "queue.dead_letter_retention_days=4.1"),
    ("function.reserved_concurrency=2", "concurrency", "warning", "function.reserved_concurrency=3"),
    ("function.timeout_s=20", "function-timeout", "error", "function.timeout_s=21"),
    ("lock.ttl_s=299", "lock-ttl", "warning", "lock.ttl_s=300"),
    ("alarms.oldest_message_age_s=1801", "alarm-late", "warning", "alarms.oldest_message_age_s=1800"),
    ("alarms.oldest_pending_age_s=1801", "alarm-late", "warning", "alarms.oldest_pending_age_s=1800"),
    ("alarms.oldest_pending_age_s=659", "alarm-early", "warning", "alarms.oldest_pending_age_s=660"),
    ("size_rule.max_file_size_mb=4607", "size-window", "error", "size_rule.max_file_size_mb=4608"),
    ("load.min_file_size_mb=2799", "size-window", "error", "load.min_file_size_mb=2800"),
    ("load.min_file_size_mb=4609", "load-sizes", "error", "load.min_file_size_mb=4608"),
    ("batching.max_batch_size_gb=4.49", "batch-size", "warning", "batching.max_batch_size_gb=4.5"),
    ("batching.max_waiting_manifests=29", "waiting-manifests", "warning", "batching.max_waiting_manifests=30"),
    ("job.command=gluestreaming", "gluestreaming", "error", "job.command=glueetl"),
    ("job.timeout_min=3", "job-timeout", "error", "job.timeout_min=4"),
    ("load.mb_per_s_per_vcpu=0.4", "job-timeout", "error", "load.mb_per_s_per_vcpu=0.5"),
    ("batching.max_partial_age_s=1548", "latency", "warning", "batching.max_partial_age_s=1547"),
    ("load.files_per_day=1452905", "day-load", "error", "load.files_per_day=1452904"),
    ("load.peak_files_per_hour=86560", "peak-load", "warning", "load.peak_files_per_hour=86559"),
    ("function.runtime=python3.10", "runtime-end", "warning", "function.runtime=python3.11"),
    (
        f"security.kms_key_arn={KEY.replace('us-east-1', 'eu-west-1')}",
        "key-region",
        "error",
        f"security.kms_key_arn={KEY}",
    ),
]

SEEN: list[tuple[Observed, str, str, Observed]] = [
    (Observed(queue_visibility_timeout_s=30), "visibility", "warning", Observed(queue_visibility_timeout_s=1805)),
    (Observed(queue_max_receives=1), "max-receives", "warning", Observed(queue_max_receives=5)),
    (Observed(job_command="gluestreaming"), "gluestreaming", "error", Observed(job_command="glueetl")),
    (Observed(function_runtime="python3.9"), "runtime-end", "warning", Observed(function_runtime="python3.11")),
    (Observed(function_runtime="python3.8"), "runtime-end", "warning", Observed(function_runtime="nodejs99.x")),
    (Observed(job_glue_version="2.0"), "glue-version-end", "error", Observed(job_glue_version="3.0")),
]

# What the account says, beside AWS's defaults; prod asks for 10 executions and 30 runs of 40 DPUs.
ROOM = replace(DEFAULTS, glue_task_dpus=1200)
FACTS: list[tuple[AccountFacts, str, str, AccountFacts]] = [
    (
        replace(ROOM, unreserved_concurrency=109),
        "concurrency-quota",
        "error",
        replace(ROOM, unreserved_concurrency=110),
    ),
    (
        replace(ROOM, unreserved_concurrency=105, own_concurrency=4),
        "concurrency-quota",
        "error",
        replace(ROOM, unreserved_concurrency=100, own_concurrency=10),
    ),
    (
        replace(ROOM, unreserved_concurrency=10, own_concurrency=0),
        "concurrency-quota",
        "error",
        replace(ROOM, unreserved_concurrency=10, own_concurrency=None),
    ),
    (replace(ROOM, glue_runs_per_account=29), "runs-per-account", "warning", replace(ROOM, glue_runs_per_account=30)),
    (replace(ROOM, glue_runs_per_job=29), "runs-per-job", "warning", replace(ROOM, glue_runs_per_job=30)),
    (replace(ROOM, glue_task_dpus=1199), "dpus", "warning", ROOM),
    (replace(ROOM, glue_task_dpus=39), "dpus", "warning", replace(ROOM, glue_task_dpus=None)),
]


@pytest.mark.parametrize(("loud", "code", "severity", "silent"), SETTINGS)
def test_settings(loud: str, code: str, severity: str, silent: str) -> None:
    assert (code, severity) in {(each.code, each.severity) for each in found(loud)}
    assert code not in codes(found(silent))


@pytest.mark.parametrize(("loud", "code", "severity", "silent"), SEEN)
def test_deployed_resources(loud: Observed, code: str, severity: str, silent: Observed) -> None:
    assert [(each.code, each.severity) for each in found(seen=loud)] == [(code, severity)]
    assert found(seen=silent) == []


@pytest.mark.parametrize(("loud", "code", "severity", "silent"), FACTS)
def test_the_account(loud: AccountFacts, code: str, severity: str, silent: AccountFacts) -> None:
    assert [(each.code, each.severity) for each in found(facts=loud)] == [(code, severity)]
    assert found(facts=silent) == []


def test_what_is_set_and_deployed_alike_is_told_once() -> None:
    seen = Observed(queue_visibility_timeout_s=60, queue_max_receives=2, function_runtime="python3.10")
    alike = ["queue.visibility_timeout_s=60", "queue.max_receives=2", "function.runtime=python3.10"]
    assert sorted(each.code for each in found(*alike, seen=seen)) == ["max-receives", "runtime-end", "visibility"]


def test_metrics_that_are_meant_off_are_told_by_the_presence_of_their_argument() -> None:
    for value in ("true", "false", ""):
        seen = Observed(job_arguments={"--enable-metrics": value})
        (finding,) = found("job.metrics=false", seen=seen)
        assert (finding.code, finding.setting) == ("enable-metrics", "job.metrics")
        assert found("job.metrics=true", seen=seen) == []
    assert found("job.metrics=false", seen=Observed(job_arguments={"--TempDir": "s3://x/"})) == []


def test_alarms_that_are_off_are_not_judged() -> None:
    assert found("alarms.enabled=false", "alarms.oldest_pending_age_s=60", "alarms.oldest_message_age_s=9999") == []


def test_a_size_is_told_with_both_its_settings() -> None:
    for env, field in (("dev", "min_file_size_mb"), ("prod", "max_file_size_mb")):
        (finding,) = found(f"size_rule.{field}=null", env=env)
        assert finding.code == "size-window"
        assert f"load.{field}" in finding.sentence
        assert f"size_rule.{field}" in finding.sentence


@pytest.mark.parametrize("preset", [None, *PRESETS])
@pytest.mark.parametrize("env", ["local", "dev", "prod"])
def test_the_profiles_as_they_are(env: str, preset: str | None) -> None:
    """Against themselves none; against an account of AWS's defaults the DPUs of 30 and 50 runs of 40."""
    profile = load(env, preset=preset)
    assert advise(profile, None, None, TODAY) == []
    dpus = profile.job.max_concurrent_runs * profile.job.dpus
    assert codes(advise(profile, DEFAULTS, None, TODAY)) == ({"dpus"} if dpus > 1000 else set())
    assert (dpus > 1000) == (preset in ("medium", "heavy") or (env == "prod" and preset is None))


@pytest.mark.parametrize(("name", "end"), [each for each in RUNTIMES.items() if each[0] != "python3.13"])
def test_a_runtime_ends_in_steps(name: str, end: Any) -> None:
    def told(today: date) -> list[str]:
        seen = Observed(function_runtime=name)
        others = set(advise(load("prod"), None, None, today))
        return [each.severity for each in advise(load("prod"), None, seen, today) if each not in others]

    assert told(end.unsupported - timedelta(days=NEAR_DAYS + 1)) == []
    assert told(end.unsupported - timedelta(days=NEAR_DAYS)) == ["warning"]
    assert told(end.unusable - timedelta(days=1)) == ["warning"]
    assert told(end.unusable) == ["error"]


def test_the_tables_of_ends_are_sound() -> None:
    assert all(end.unsupported < end.unusable for end in (*RUNTIMES.values(), *GLUE_VERSIONS.values()))
    assert {name for name in RUNTIMES if name in get_args(_annotation("function.runtime"))} == set(
        get_args(_annotation("function.runtime"))
    )


def test_limits_are_those_of_the_settings() -> None:
    for field, limit in (("timeout_min", LONGEST_RUN_MIN), ("max_concurrent_runs", MOST_RUNS)):
        assert load("prod", f"job.{field}={limit}")
        with pytest.raises(Exception, match=str(limit)):
            load("prod", f"job.{field}={limit + 1}")


def _annotation(path: str) -> Any:
    section, name = path.split(".")
    return Profile.model_fields[section].annotation.model_fields[name].annotation  # type: ignore[union-attr]


def test_a_remedy_with_a_figure_mends_it() -> None:
    """Whatever a sentence says to set, is silent once it is set."""
    mended = 0
    for loud, code, _, _ in SETTINGS:
        for finding in (each for each in found(loud) if each.code == code):
            remedy = re.search(r"set (it|[a-z_]+\.[a-z_]+) to (\d[\d.]*) or (more|less)", finding.sentence)
            if remedy is None:
                continue
            path = finding.setting if remedy[1] == "it" else remedy[1]
            assert code not in codes(found(loud, f"{path}={remedy[2].rstrip('.')}")), finding.sentence
            mended += 1
    assert mended >= 12


def test_throughput_is_what_the_figures_make_of_it() -> None:
    """prod: 19 workers of 8 vCPU; a hundred files of 4,608 MB in a manifest; a mean file of 3,972.5 MB."""
    made = throughput(load("prod", "load.mb_per_s_per_vcpu=30"))
    assert made.rate_mb_s == 19 * 8 * 30
    assert made.largest_manifest_mb == 460_800
    assert made.largest_run_s == pytest.approx(RUN_START_S + 460_800 / 4560)
    assert made.busy_s(3000) == pytest.approx(30 / 30 * (RUN_START_S + 397_250 / 4560))


def test_a_batch_limit_cuts_a_manifest_and_a_file_above_it_is_one_alone() -> None:
    made = throughput(load("prod", "batching.max_batch_size_gb=10"))
    assert (made.mean_manifest_files, made.largest_manifest_mb) == (2, 10 * 1024)
    made = throughput(load("prod", "batching.max_batch_size_gb=1"))
    assert (made.mean_manifest_files, made.largest_manifest_mb) == (1, 4608)


# --- any valid profile ---------------------------------------------------------------------------------------------

_SIZES = st.one_of(st.sampled_from([0.0, 5e-324, 0.001, 1.0, 4608.0, 52_428_800.0]), st.floats(0, 60_000_000))
_NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 10**6))
_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "batching.max_files_per_manifest": st.integers(1, 1000),
    "batching.max_batch_size_gb": st.one_of(st.sampled_from([5e-324, 1e-9, 1.0]), st.floats(0, 100_000)),
    "batching.max_partial_age_s": st.integers(1, 86_400),
    "batching.max_waiting_manifests": st.integers(1, 10_000),
    "size_rule.expected_file_size_mb": _SIZES,
    "size_rule.size_tolerance_percent": st.floats(0, 100),
    "size_rule.min_file_size_mb": st.one_of(st.none(), _SIZES),
    "size_rule.max_file_size_mb": st.one_of(st.none(), _SIZES),
    "lock.ttl_s": st.integers(10, 3600),
    "lock.max_wait_s": st.integers(0, 300),
    "function.runtime": st.sampled_from(sorted(RUNTIMES)),
    "function.timeout_s": st.integers(1, 900),
    "function.reserved_concurrency": st.integers(1, 1000),
    "function.batch_window_s": st.integers(0, 300),
    "queue.visibility_timeout_s": st.one_of(st.none(), st.integers(0, 43_200)),
    "queue.max_receives": st.integers(1, 1000),
    "queue.retention_days": st.floats(0.01, 14),
    "queue.dead_letter_retention_days": st.floats(0.01, 14),
    "job.glue_version": st.sampled_from(["4.0", "5.0", "5.1", "6.0"]),
    "job.command": st.sampled_from(["glueetl", "gluestreaming"]),
    "job.worker_type": st.sampled_from(get_args(Job.model_fields["worker_type"].annotation)),
    "job.workers": st.integers(2, 299),
    "job.max_concurrent_runs": st.integers(1, 1000),
    "job.timeout_min": st.integers(1, 10_080),
    "job.metrics": st.booleans(),
    "load.files_per_day": _NUMBERS,
    "load.peak_files_per_hour": st.one_of(st.none(), _NUMBERS),
    "load.min_file_size_mb": _SIZES,
    "load.max_file_size_mb": _SIZES,
    "load.mb_per_s_per_vcpu": st.one_of(st.none(), st.floats(0.005, 10_000)),
    "alarms.enabled": st.booleans(),
    "alarms.oldest_message_age_s": st.integers(60, 10**6),
    "alarms.oldest_pending_age_s": st.integers(60, 10**6),
    "security.kms_key_arn": st.sampled_from(
        [None, KEY, KEY.replace("aws:", "aws-cn:").replace("us-east-1", "cn-north-1")]
    ),
}
_COUNTS = st.one_of(st.none(), st.integers(0, 10_000))
_TEXTS = st.one_of(st.none(), st.sampled_from(["2.0", "python3.9", "gluestreaming"]), st.text(max_size=8))
_JSON = st.recursive(
    st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["*", "Allow", "kms:*"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["Statement", "Effect", "Action", "Principal", "Service", "AWS"]), inner),
    ),
    max_leaves=10,
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile | None:
    """dev, local or prod with any of the settings that are judged changed; None where that is no valid profile."""
    document = load(draw(st.sampled_from(["local", "dev", "prod"]))).model_dump()
    for path in draw(st.sets(st.sampled_from(sorted(_CHANGES)), max_size=12)):
        section, name = path.split(".")
        document[section][name] = draw(_CHANGES[path], label=path)
    try:
        return Profile.model_validate(document)
    except ValidationError:
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    profile=profiles(),
    facts=st.one_of(
        st.none(),
        st.builds(
            AccountFacts,
            *[_COUNTS] * 6,
            st.builds(
                KeyFacts, st.text(max_size=9), policy=st.one_of(st.none(), st.dictionaries(st.just("Statement"), _JSON))
            ),
        ),
    ),
    observed=st.one_of(st.none(), st.builds(Observed, _COUNTS, _COUNTS, _TEXTS, _TEXTS, _TEXTS)),
    today=st.dates(date(2024, 1, 1), date(2032, 1, 1)),
)
def test_advice_is_one_line_about_a_setting_whatever_the_profile(
    profile: Profile | None, facts: AccountFacts | None, observed: Observed | None, today: date
) -> None:
    if profile is None:
        return
    paths = set(setting_paths())
    findings = advise(profile, facts, observed, today)
    assert findings == advise(profile, facts, observed, today)
    assert [each.severity for each in findings] == sorted(each.severity for each in findings)
    for finding in findings:
        assert finding.setting in paths
        assert finding.setting in finding.sentence
        assert finding.sentence.isprintable()
        assert set(re.findall(r"\b[a-z_]+\.[a-z_]+_[a-z_]+\b", finding.sentence)) <= paths


def test_a_profile_takes_no_size_that_is_none() -> None:
    for value in (".inf", ".nan", "1e300"):
        for path in ("load.max_file_size_mb", "size_rule.expected_file_size_mb", "batching.max_batch_size_gb"):
            with pytest.raises(Exception, match=path):
                load("prod", f"{path}={value}")


def test_the_margin_is_that_of_the_function() -> None:
    assert any(
        f"{STOP_MARGIN_S:.0f} s in which nothing is begun" in each.sentence for each in found("function.timeout_s=20")
    )
