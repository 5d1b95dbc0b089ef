"""Rules of the local Glue that need no process: arguments, Spark's settings, capacity, errors, the request check."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.embedded.glue import arguments, definitions, failure, spark, workspace
from ndjctl.embedded.glue.errors import GlueError
from ndjctl.embedded.glue.logs import LogTail
from ndjctl.embedded.glue.supervisor import parallel_runs
from ndjctl.embedded.glue.validation import RequestValidator

keys = st.from_regex(r"[a-z][a-zA-Z.]{0,20}", fullmatch=True)
values = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(str.strip)


@given(settings=st.lists(st.tuples(keys, values.filter(lambda value: "--conf" not in value)), max_size=5))
def test_conf_is_taken_apart_and_reaches_spark_as_it_was(settings: list[tuple[str, str]]) -> None:
    text = " --conf ".join(f"{key}={value}" for key, value in settings)
    assert arguments.spark_conf({"--conf": text}) == settings
    words = shlex.split(spark.submit_arguments(settings, thread_count=2, tmp_dir=Path("/a b")))
    given_last = [f"{key}={value}" for key, value in settings]
    passed = [words[number + 1] for number, word in enumerate(words) if word == "--conf"]
    assert passed[len(passed) - len(settings) :] == given_last
    assert words[-1] == "pyspark-shell"


@pytest.mark.parametrize("text", ["spark.a", "=1", "spark.a=1 --conf spark.b", "a b=1"])
def test_conf_that_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError, match="key=value"):
        arguments.spark_conf({"--conf": text})


def test_settings_that_cannot_hold_here_are_named() -> None:
    applied, refused = spark.split_conf(
        [("spark.sql.shuffle.partitions", "200"), ("spark.executor.cores", "8"), ("spark.master", "yarn")]
    )
    assert applied == [("spark.sql.shuffle.partitions", "200")]
    assert [setting for setting, _ in refused] == ["spark.executor.cores=8", "spark.master=yarn"]


def test_whose_argument_counts_and_which_reach_the_script() -> None:
    job = {
        "DefaultArguments": {"--a": "job", "--b": "job", "--enable-metrics": "true", "--extra-py-files": "s3://b/k"},
        "NonOverridableArguments": {"--b": "fixed"},
    }
    merged = arguments.merged(job, {"--a": "run", "--b": "run", "--job-bookmark-option": "x"})
    words = arguments.for_script(merged, job_name="j", run_id="jr_1")
    assert words == ["--a", "run", "--b", "fixed", "--JOB_NAME", "j", "--JOB_RUN_ID", "jr_1", "--JOB_ID", "j_j"]


@pytest.mark.parametrize(
    ("environ", "runs"), [({"NDJ_GLUE_PARALLEL_RUNS": "3"}, 3), ({"NDJ_GLUE_PARALLEL_RUNS": "0"}, None)]
)
def test_parallel_runs(environ: dict[str, str], runs: int | None) -> None:
    assert parallel_runs(environ) == (runs or parallel_runs({})) and parallel_runs({}) in (1, 2)
    assert spark.threads({"NDJ_SPARK_THREADS": "5"}) == 5
    assert spark.threads({"NDJ_SPARK_THREADS": "-5"}) == spark.threads({}) >= 1


@pytest.mark.parametrize(
    ("given_fields", "dpus"),
    [
        ({"WorkerType": "G.1X", "NumberOfWorkers": 10}, 10),
        ({"WorkerType": "G.2X", "NumberOfWorkers": 20}, 40),
        ({"WorkerType": "G.8X", "NumberOfWorkers": 2}, 16),
        ({"WorkerType": "G.025X", "NumberOfWorkers": 2}, 0.5),
        ({"MaxCapacity": 3.5}, 3.5),
        ({}, 10),
    ],
)
def test_capacity(given_fields: dict[str, Any], dpus: float) -> None:
    found = definitions.capacity(given_fields)
    assert (found["MaxCapacity"], found["AllocatedCapacity"]) == (dpus, int(dpus))
    # A run without capacity of its own has the job's, and one with its own has that.
    assert definitions.capacity({}, {**given_fields, **found})["MaxCapacity"] == dpus
    assert definitions.capacity({"MaxCapacity": 7.0}, {**given_fields, **found})["MaxCapacity"] == 7


TRACEBACK = """
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    {}["k"]
KeyError: 'k'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise ValueError(
ValueError: two
lines
25/01/31 12:00:00 INFO ShutdownHookManager: bye
"""


def test_the_last_exception_is_the_message(tmp_path: Path) -> None:
    assert failure.last_exception(TRACEBACK) == "ValueError: two"
    assert failure.last_exception("Traceback (most recent call last):\n  File\n    x\nKeyboardInterrupt\n") == (
        "KeyboardInterrupt"
    )
    assert failure.last_exception("WARN: nothing of the kind") is None
    errors = tmp_path / "stderr.log"
    errors.write_bytes(b"\xff" * 10 + TRACEBACK.encode() + b"x" * 1000)
    assert failure.error_message(errors, 1) == "ValueError: two"
    assert failure.error_message(tmp_path / "absent", 2) == "SystemExit: 2"


@given(text=st.text(max_size=300))
def test_no_output_of_a_script_breaks_the_message(text: str) -> None:
    found = failure.last_exception("Traceback (most recent call last):\n" + text)
    assert found is None or "\n" not in found


@given(key=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
def test_no_key_leaves_the_workspace(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "space"
    plan = {"script_location": f"s3://b/{key}", "arguments": {"--extra-py-files": f"s3://b/{key.replace(',', '')}.zip"}}
    written: list[Path] = []
    place = workspace.prepare(folder, plan, lambda bucket, name, target: written.append(target))
    assert all(path.resolve().is_relative_to(folder.resolve()) and ":" not in path.name for path in written)
    assert [place.script, *place.python_path] == written


@pytest.fixture(scope="module")
def validator() -> RequestValidator:
    return RequestValidator()


def test_every_pattern_of_the_job_operations_is_understood(validator: RequestValidator) -> None:
    from ndjctl.embedded.glue.validation import _compiled

    shapes = validator._model.shape_names
    metadata = [validator._model.shape_for(name).metadata for name in ("NameString", "GlueVersionString", "IdString")]
    assert len(shapes) > 500 and all(_compiled(each["pattern"]) for each in metadata)
    assert validator.check("GetJob", {"JobName": "ü \U0001f600"}) == {"JobName": "ü \U0001f600"}
    with pytest.raises(GlueError, match="pattern"):
        validator.check("GetJob", {"JobName": "a\nb"})


def test_null_stands_for_a_field_that_is_not_given(validator: RequestValidator) -> None:
    assert validator.check("GetJobRuns", {"JobName": "j", "MaxResults": None}) == {"JobName": "j"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    operation=st.sampled_from(["CreateJob", "UpdateJob", "StartJobRun", "BatchStopJobRun"]), request_body=json_values
)
def test_any_json_is_either_taken_or_refused(operation: str, request_body: Any) -> None:
    validator = _shared_validator()
    try:
        assert isinstance(validator.check(operation, request_body), dict)
    except GlueError as error:
        assert error.code in ("ValidationException", "SerializationException")


_validators: list[RequestValidator] = []


def _shared_validator() -> RequestValidator:
    if not _validators:
        _validators.append(RequestValidator())
    return _validators[0]


class FakeLogs:
    """CloudWatch Logs that refuses now and then."""

    class exceptions:
        class ResourceAlreadyExistsException(Exception):
            pass

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refusing = False

    def create_log_group(self, **_: Any) -> None:
        raise self.exceptions.ResourceAlreadyExistsException

    def create_log_stream(self, **_: Any) -> None:
        pass

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: Any) -> None:
        if self.refusing:
            raise OSError("refused")
        self.batches.append([event["message"] for event in logEvents])


def test_logs_that_were_refused_are_sent_later_in_order(tmp_path: Path) -> None:
    path, logs = tmp_path / "out", FakeLogs()
    tail = LogTail(logs, "g", "s", path, clock=lambda: 1.0)
    tail.ship(ended=False)
    path.write_text("one\ntwo\nthr")
    logs.refusing = True
    tail.ship(ended=False)
    logs.refusing = False
    tail.ship(ended=False)
    with path.open("a") as stream:
        stream.write("ee\nfour")
    tail.ship(ended=True)
    assert [message for batch in logs.batches for message in batch] == ["one", "two", "three", "four"]
