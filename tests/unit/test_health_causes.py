"""What a text tells of its cause, and what mends it, typed as it stands."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.health import catalogue
from ndjctl.health.catalogue import CAUSES, UNKNOWN
from ndjctl.health.causes import cause_named, cause_of, cause_of_run, normalised
from ndjctl.health.log_lines import is_error, told_by
from ndjctl.health.remedies import remedies_of
from ndjctl.output.remedies import command_lines
from tests.health_world import PROFILE, ours

TEXTS = [
    # As Glue, Spark, Lambda, boto3 and this project's own programs write them.
    (
        "run jr_1 ended FAILED: Command failed with exit code 10: java.lang.OutOfMemoryError: Java heap space",
        "out-of-memory",
    ),
    ("Error Category: OUT_OF_MEMORY_ERROR; Failed Line Number: 19", "out-of-memory"),
    ("Container killed by YARN for exceeding memory limits. 10.4 GB of 10 GB", "out-of-memory"),
    ("pyarrow.lib.ArrowMemoryError: malloc of size 1073741824 failed", "out-of-memory"),
    ("MemoryError", "out-of-memory"),
    ("RequestId: 1-2 Error: Runtime exited with error: signal: killed", "out-of-memory"),
    ("ExecutorLostFailure (executor 3 exited caused by one of the running tasks)", "executor-lost"),
    ("Spark: org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)", "executor-lost"),
    ("OSError: [Errno 28] No space left on device", "disk-full"),
    (
        "AWS: An error occurred (KMS.DisabledException) when calling the PutObject operation: arn is disabled.",
        "kms-key",
    ),
    ("is not authorized to perform: kms:Decrypt on resource", "kms-key"),
    ("An error occurred (AccessDeniedException) when calling the UpdateItem operation: User: x", "access-denied"),
    ("s3://b/a.ndjson: S3 denies the job access to it", "access-denied"),
    ("An error occurred (ExpiredTokenException) when calling the GetItem operation", "credentials"),
    ("2026-11-27T11:59:00Z 1-2 Task timed out after 300.00 seconds", "function-timed-out"),
    ("run jr_1 ended TIMEOUT: no message", "run-timed-out"),
    (
        "An error occurred (ConcurrentRunsExceededException) when calling the StartJobRun operation",
        "concurrency-exceeded",
    ),
    (
        "Exceeded maximum concurrent compute capacity for your account: 1000. Please contact AWS Support",
        "quota-exceeded",
    ),
    ("ResourceNumberLimitExceededException", "quota-exceeded"),
    ("The specified subnet does not have enough free addresses to satisfy the request.", "no-capacity"),
    (
        "An error occurred (EntityNotFoundException) when calling the StartJobRun operation: Job x not found.",
        "job-missing",
    ),
    ("s3://b/a.ndjson: it is no longer there", "input-gone"),
    ("s3://b/a.ndjson: it was overwritten after its manifest was made (its ETag is another)", "input-overwritten"),
    ("s3://b/a.ndjson: it is archived and cannot be read", "input-archived"),
    ("s3://b/a.ndjson: its gzip data is damaged or cut off (Error -3)", "damaged-input"),
    ("s3://b/a.ndjson: more than 5 bad lines, which is the limit; the first: line 11", "too-many-bad-lines"),
    ("s3://b/a.ndjson: 7 of 10 lines are bad, the limit is 1 lines; the first: line 1", "too-many-bad-lines"),
    ("/a (string in int64, 1 value); no output was made visible (--ON_DRIFT fail)", "schema-drift"),
    (
        "schema drift: 3 places do not fit schema default version 2: /a (string in int64, 1 value), ...",
        "schema-drift",
    ),
    ("schema drift: 1 place does not fit schema default version 1: /MemoryError (new field, 1 value)", "schema-drift"),
    ("FAILED: schema drift: 1 place does not fit schema d version 1: /a; --ON_DRIFT fail", "schema-drift"),
    ("python: can't open file '/tmp/glue_batch_job.py': [Errno 2] No such file or directory", "script-missing"),
    ("[ERROR] Runtime.ImportModuleError: Unable to import module 'lambda_handler.handler'", "import-error"),
    ("ConfigError: the function's environment cannot be used: MANIFEST_BUCKET is missing", "configuration"),
    (
        "An error occurred (SlowDown) when calling the PutObject operation: Please reduce your request rate.",
        "s3-slow-down",
    ),
    ("An error occurred (ThrottlingException) when calling the Query operation: Rate exceeded", "throttled"),
    ("AWS: Could not connect to the endpoint URL: https://s3", "network"),
    ("run jr_1 ended STOPPED: no message", "run-stopped"),
    ("run jr_1 ended FAILED: The driver was ended by signal 9", "run-killed"),
    ("Glue does not know the run jr_1", "run-unknown"),
    ("manifest 20261127T1-1 was taken from this run", "taken-over"),
    ("part 3: its rows are not the sum of its files' rows", "verification-failed"),
    ("Contended: a write met transactions 6 times in a row", "contended"),
    ("ZeroDivisionError: division by zero", "unknown"),
    ("s3://b/OutOfMemory-AccessDenied.ndjson: odd", "unknown"),
]


@pytest.mark.parametrize(("text", "code"), TEXTS)
def test_a_text_tells_its_cause(text: str, code: str) -> None:
    assert cause_of(text).code == code
    assert cause_named(code) in (*CAUSES, UNKNOWN)


@pytest.mark.parametrize(
    ("state", "message", "code"),
    [
        ("TIMEOUT", "", "run-timed-out"),
        ("STOPPED", "", "run-stopped"),
        ("FAILED", "", "unknown"),
        ("FAILED", "MemoryError", "out-of-memory"),
    ],
)
def test_a_state_may_say_it_all(state: str, message: str, code: str) -> None:
    assert cause_of_run(state, message).code == code


def test_every_cause_is_told_by_a_text_and_has_a_remedy() -> None:
    told = {code for _, code in TEXTS}
    untold = {catalogue.BUCKET_MISSING.code, catalogue.MESSAGE.code, catalogue.INVOCATION.code}
    assert {cause.code for cause in CAUSES} - told == untold
    for cause in CAUSES:
        assert cause.meaning.endswith(".")
        if cause is not catalogue.INVOCATION:
            assert remedies_of(cause, PROFILE), cause.code
            assert remedies_of(cause, PROFILE, of_function=True), cause.code


@given(st.text(max_size=400))
def test_any_text_has_a_cause_and_a_pattern(text: str) -> None:
    assert cause_of(text) in (*CAUSES, UNKNOWN)
    assert len(normalised(text)) <= 300
    assert "\n" not in normalised(text)


def test_what_differs_from_time_to_time_is_taken_out() -> None:
    one = "run jr_0aa1 of 20261127T100000000Z-00ff took 3.5 s for s3://b/x y.ndjson at 2026-11-27T10:00:00.123Z"
    two = "run jr_9bc2 of 20261128T110000000Z-11ee took 41 s for s3://b/z w.ndjson at 2026-11-28T11:00:00.9Z"
    assert normalised(one) == normalised(two) == "run <run> of <manifest> took <n> s for <uri> <file> at <time>"


def test_lines_that_tell_of_an_error() -> None:
    assert is_error(ours("file_not_tracked", "E: x"))
    assert not is_error(ours("messages_taken", level="INFO", error="none"))
    assert is_error("[ERROR] ValueError: x\nTraceback")
    assert is_error("botocore.exceptions.ClientError: An error occurred")
    for harmless in (
        "START RequestId: 1",
        "REPORT RequestId: 1 Init ERROR",
        "Traceback (most recent call last):",
        "{",
        "",
    ):
        assert not is_error(harmless)
    assert told_by("[ERROR] ValueError: x\nTraceback (most recent call last):\n  File") == "ValueError: x"
    assert told_by(ours("e", "E: x")) == "E: x"


WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40), min_size=1)


@given(WORDS, st.integers(20, 120))
def test_a_command_in_lines_is_the_command(words: list[str], width: int) -> None:
    lines = command_lines(shlex.join(words), width)
    assert all(line.isprintable() for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    if all(word.isprintable() for word in words):
        joined = " ".join([*(line.removesuffix(" \\") for line in lines[:-1]), lines[-1]])
        assert shlex.split(joined) == words


def test_an_option_keeps_its_value_beside_it() -> None:
    command = "ndjctl deploy --set job.worker_type=G.2X --set job.workers=20 --env dev -y"
    assert command_lines(command, 40) == [
        "ndjctl deploy \\",
        "--set job.worker_type=G.2X \\",
        "--set job.workers=20 --env dev -y",
    ]
