"""Configuration, log, values, and what the package may import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handler import handler
from lambda_handler.config import ConfigError, settings_from
from lambda_handler.dynamo import from_value, to_value
from ndjctl.contracts import MIB, Env
from tests.lambda_world import World

GOOD = {
    Env.TRACKING_TABLE: "t",
    Env.METRICS_TABLE: "m",
    Env.LOCK_TABLE: "t",
    Env.MANIFEST_BUCKET: "mb",
    Env.QUARANTINE_BUCKET: "qb",
    Env.OUTPUT_BUCKET: "ob",
    Env.GLUE_JOB_NAME: "j",
    Env.MAX_FILES_PER_MANIFEST: "100",
    Env.MAX_BATCH_SIZE_GB: "0.5",
    Env.EXPECTED_FILE_SIZE_MB: "3500",
    Env.SIZE_TOLERANCE_PERCENT: "20",
}
PACKAGE = Path(handler.__file__).parent


def test_settings_have_the_documented_defaults_and_units() -> None:
    settings = settings_from({**GOOD, Env.MAX_FILE_SIZE_MB: "4700", Env.MIN_FILE_SIZE_MB: " "})
    assert settings.max_batch_bytes == 512 * MIB
    assert (settings.size_window.min_bytes, settings.size_window.max_bytes) == (2800 * MIB, 4700 * MIB)
    assert (settings.max_partial_age_s, settings.lock_ttl_s, settings.max_lock_wait_s) == (600, 300, 10)
    assert (settings.max_attempts, settings.log_level, settings.stack) == (3, "INFO", "")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (Env.TRACKING_TABLE, "", "TRACKING_TABLE is not set"),
        (Env.MAX_FILES_PER_MANIFEST, "0", "MAX_FILES_PER_MANIFEST='0' is not a number of at least 1"),
        (Env.MAX_FILES_PER_MANIFEST, "1.5", "MAX_FILES_PER_MANIFEST=1.5 is not a whole number"),
        (Env.MAX_FILES_PER_MANIFEST, "", "MAX_FILES_PER_MANIFEST is not set"),
        (Env.MAX_BATCH_SIZE_GB, "0", "MAX_BATCH_SIZE_GB='0' is not a number above 0"),
        (Env.EXPECTED_FILE_SIZE_MB, "ten", "EXPECTED_FILE_SIZE_MB='ten' is not a number above 0"),
        (Env.SIZE_TOLERANCE_PERCENT, "nan", "SIZE_TOLERANCE_PERCENT='nan' is not a number of at least 0"),
        (Env.LOCK_TTL_SECONDS, "inf", "LOCK_TTL_SECONDS='inf' is not a number above 0"),
        (Env.MIN_FILE_SIZE_MB, "5000", "the size window is empty"),
        (Env.LOG_LEVEL, "LOUD", "LOG_LEVEL='LOUD' is none of DEBUG"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from({**GOOD, name: value})
    assert told in str(caught.value)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from({})
    assert all(name in str(caught.value) for name in GOOD)


def test_an_unusable_environment_is_one_clear_log_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    handler._services.cache_clear()
    with pytest.raises(ConfigError):
        handler.handle({"action": "sweep"}, None)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "configuration_unusable" and "TRACKING_TABLE" in json.loads(line)["error"]


def test_log_lines_are_json_with_ids_and_no_key_can_forge_one() -> None:
    world = World()
    key = 'x\n{"level": "ERROR"}\u2028.ndjson'
    raw: list[str] = []
    services = world.services
    world.services = lambda plan: _with_log(services(plan), raw)  # type: ignore[method-assign]
    world.deliver(world.upload(name=key))
    assert raw and all("\n" not in line and line.isascii() for line in raw)
    (line,) = [json.loads(line) for line in raw if '"file_tracked"' in line]
    assert line["file_key"] == key and line["request_id"].startswith("request-") and line["level"] == "INFO"


def _with_log(services: object, raw: list[str]) -> object:
    services.write_log = raw.append  # type: ignore[attr-defined]
    return services


values = st.recursive(
    st.text() | st.booleans() | st.none() | st.integers(-(10**37), 10**37) | st.decimals("-1e9", "1e9", places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_values_survive_the_trip_through_dynamodbs_form(value: object) -> None:
    assert from_value(to_value(value)) == value


def test_whole_numbers_come_back_as_int_and_floats_are_refused() -> None:
    assert type(from_value({"N": "7"})) is int and from_value({"N": "7.5"}) == Decimal("7.5")
    with pytest.raises(TypeError):
        to_value(0.1)


def test_the_package_imports_only_what_its_bundle_holds_and_no_client_at_import() -> None:
    """In a fresh interpreter that refuses everything but the standard library, boto3 and the contracts."""
    program = """
import importlib.abc, sys
allowed = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "lambda_handler", "awscrt"}
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        shared = name == "ndjctl" or f"{name}.".startswith("ndjctl.contracts.")
        if top in sys.stdlib_module_names or top in allowed or shared:
            return None
        raise ImportError(f"{name} is not in the bundle")
sys.meta_path.insert(0, Refuse())
import lambda_handler.handler
assert "boto3" not in sys.modules, "boto3 is imported before a client is needed"
from lambda_handler.services import make_client
import os
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
for service in ("s3", "dynamodb", "glue", "cloudwatch"):
    make_client(service)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_source_is_python_3_10_and_never_scans() -> None:
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 10))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "scan"], path


def _log_calls() -> list[tuple[str, ast.Call]]:
    found = []
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error")
                and ast.unparse(node.func.value) in ("inv.log", "log")
            ):
                found.append((f"{path.name}:{node.lineno}", node))
    return found


def test_every_log_line_says_which_file_manifest_message_or_date_it_is_of() -> None:
    whole = {"invocation_failed", "configuration_unusable", "sweep_done", "pending_not_read", "messages_taken"}
    whole |= {"files_stay_pending", "batching_failed", "metrics_not_published", "pending_age_unknown"}
    subjects = {"file_key", "manifest_id", "message_id", "run_id", "date"}
    calls = _log_calls()
    assert len(calls) > 30
    for place, call in calls:
        name = call.args[0]
        assert isinstance(name, ast.Constant), place
        given = {keyword.arg for keyword in call.keywords}
        assert name.value in whole or given & subjects, (place, name.value)


def test_no_log_line_carries_a_payload() -> None:
    for place, call in _log_calls():
        for value in [*call.args[1:], *(keyword.value for keyword in call.keywords)]:
            names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
            assert not names & {"body", "event", "record", "records", "message", "messages"} or isinstance(
                value, (ast.Attribute, ast.Call)
            ), (place, ast.unparse(value))


def test_what_is_in_a_message_does_not_get_into_the_log() -> None:
    secret = "s3cr3t" * 400
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": secret,
        "s3": {"bucket": {"name": "b"}, "object": {"key": "x.ndjson", "size": 1, "eTag": "e"}},
    }
    world = World()
    bodies = [
        secret,
        json.dumps({"x": secret}),
        json.dumps({"Records": [record]}),
        json.dumps({"Records": [{**record, "eventTime": "2026-03-14T12:00:00Z", "userIdentity": secret}]}),
        json.dumps({"Records": [{"s3": secret, "eventName": "ObjectCreated:Put"}]}),
    ]
    world.send(*bodies)
    assert len(world.lines) > 4
    assert secret[:12] not in json.dumps(world.lines)


def test_a_text_of_any_length_is_cut_in_the_log() -> None:
    world = World()
    with pytest.raises(ValueError):
        world.invoke({"action": "flush", "date": "9" * 5000})
    assert max(len(json.dumps(line)) for line in world.lines) < 1500
