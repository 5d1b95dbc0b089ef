"""`config check` and what it asks the account: real clients against an account that answers over HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from ndjctl.advice import AccountFacts, KeyFacts
from ndjctl.advice.account import ask_account
from ndjctl.advice.quotas import QUOTA_CODES, RUNS_PER_ACCOUNT, RUNS_PER_JOB, TASK_DPUS
from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.contracts import Names
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile
from tests.functional.operations_world import Answer

ACCOUNT = "123456789012"
FUNCTION = Names(ACCOUNT).function
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}],
}


def quota(name: str, value: float, code: str | None = None) -> dict[str, Any]:
    return {"ServiceCode": "glue", "QuotaCode": code or QUOTA_CODES[name], "QuotaName": name, "Value": value}


def refusal(code: str, status: int = 400) -> tuple[int, str]:
    return status, code


class FakeAccount:
    """Answers by operation: a document, a list of pages, or a refusal. asked: the operations, as they came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "GetAccountSettings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 990}
            },
            "GetFunctionConcurrency": {"ReservedConcurrentExecutions": 10},
            "ListServiceQuotas": [
                [quota("Max jobs per account", 1000, "L-611FDDE4"), quota(RUNS_PER_ACCOUNT, 200)],
                [],
                [quota(RUNS_PER_JOB, 1000), quota(TASK_DPUS, 1000)],
            ],
            "ListAWSDefaultServiceQuotas": refusal("NoSuchResourceException"),
            "DescribeKey": {
                "KeyMetadata": {
                    "KeyId": KEY.rsplit("/", 1)[1],
                    "KeyState": "Enabled",
                    "KeyUsage": "ENCRYPT_DECRYPT",
                    "KeySpec": "SYMMETRIC_DEFAULT",
                }
            },
            "GetKeyPolicy": {"Policy": json.dumps(POLICY)},
            # Nothing is deployed.
            "GetQueueUrl": refusal("AWS.SimpleQueueService.NonExistentQueue"),
            "GetFunction": refusal("ResourceNotFoundException", 404),
            "GetJob": refusal("EntityNotFoundException"),
        }

    def deploys(self, **function: str) -> None:
        """A queue, a function and a job that are not as a profile asks for them."""
        names = Names(ACCOUNT)
        self.answers |= {
            "GetQueueUrl": {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{names.queue}"},
            "GetQueueAttributes": {
                "Attributes": {"VisibilityTimeout": "30", "RedrivePolicy": json.dumps({"maxReceiveCount": "2"})}
            },
            "ListQueueTags": {},
            "GetFunction": {"Configuration": {"FunctionName": names.function, "Runtime": "python3.9", **function}},
            "GetJob": {
                "Job": {
                    "Name": names.job,
                    "Command": {"Name": "gluestreaming"},
                    "GlueVersion": "1.0",
                    "DefaultArguments": {"--enable-metrics": "false", "--password": "hush"},
                }
            },
            "GetTags": {},
            "GetJobRuns": {"JobRuns": []},
        }

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(operation)
        if operation in ("DescribeKey", "GetKeyPolicy"):
            assert request["KeyId"] == KEY
        answer = self.answers[operation]
        if isinstance(answer, tuple):
            return answer[0], {"__type": answer[1], "message": "not for you"}
        if isinstance(answer, list):
            assert request["ServiceCode"] == "glue"
            page = int(request.get("NextToken", 0))
            more = {"NextToken": str(page + 1)} if page + 1 < len(answer) else {}
            return 200, {"Quotas": answer[page], **more}
        return 200, answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account: FakeAccount

    def do_GET(self) -> None:
        ends = {"account-settings": "GetAccountSettings", "concurrency": "GetFunctionConcurrency"}
        operation = ends.get(self.path.rstrip("/").rsplit("/", 1)[-1], "GetFunction")
        if operation != "GetAccountSettings":
            assert FUNCTION in self.path
        status, document = self.account.answer(operation, {})
        headers = {"x-amzn-ErrorType": document["__type"]} if status != 200 else {}
        self._send(status, json.dumps(document), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target")
        if target is None:
            assert b"GetCallerIdentity" in body
            told = f"<GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
            self._send(200, f"<GetCallerIdentityResponse>{told}</GetCallerIdentityResponse>", {})
            return
        status, document = self.account.answer(target.split(".")[1], json.loads(body))
        self._send(status, json.dumps(document), {})

    def _send(self, status: int, text: str, headers: dict[str, str]) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr: the tests read it."""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAccount]:
    """An account that boto3 finds through the environment."""
    made = FakeAccount()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"account": made}))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("NDJ_DATA_DIR", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["ndjctl", *words])
        capsys.readouterr()
        code = boundary.run(app)
        return Answer(code, *capsys.readouterr())

    return run


def profile(*assignments: str) -> Profile:
    return load_profile("prod", working_dir=Path("/nonexistent"), assignments=assignments).profile


def asked(*assignments: str) -> AccountFacts:
    return ask_account(lambda service: boto3.client(service, "us-east-1"), profile(*assignments), FUNCTION)


def test_all_that_is_asked(account: FakeAccount) -> None:
    assert asked() == AccountFacts(1000, 990, 10, 200, 1000, 1000)
    assert account.asked == [
        "GetAccountSettings",
        "GetFunctionConcurrency",
        "ListServiceQuotas",
        "ListServiceQuotas",
        "ListServiceQuotas",
    ]


def test_a_key_is_asked_for_its_state_and_policy(account: FakeAccount) -> None:
    facts = asked(f"security.kms_key_arn={KEY}")
    assert facts.key == KeyFacts("Enabled", policy=POLICY)
    assert facts.remarks == ()


def test_a_quota_is_found_by_its_name_and_not_by_the_code_of_another(account: FakeAccount) -> None:
    account.answers["ListServiceQuotas"] = [
        [
            quota("Max spare compute capacity", 50, QUOTA_CODES[RUNS_PER_ACCOUNT]),
            quota("max concurrent job  runs per ACCOUNT", 77, "L-00000000"),
            quota("Max concurrent runs of a job", 78, QUOTA_CODES[RUNS_PER_JOB]),
            quota(TASK_DPUS, 79, "L-5D963659"),
        ]
    ]
    facts = asked()
    assert (facts.glue_runs_per_account, facts.glue_runs_per_job, facts.glue_task_dpus) == (77, 78, 79)
    assert facts.remarks == ()


def test_a_quota_that_was_never_raised_has_awss_default(account: FakeAccount) -> None:
    account.answers["ListServiceQuotas"] = [[quota(RUNS_PER_ACCOUNT, 300)]]
    account.answers["ListAWSDefaultServiceQuotas"] = [[quota(RUNS_PER_ACCOUNT, 200), quota(TASK_DPUS, 1000)]]
    facts = asked()
    assert (facts.glue_runs_per_account, facts.glue_runs_per_job, facts.glue_task_dpus) == (300, None, 1000)
    assert facts.remarks == (f"not checked: the quota '{RUNS_PER_JOB}': AWS lists none of that name",)


def test_a_default_that_is_refused_leaves_what_was_told(account: FakeAccount) -> None:
    account.answers["ListServiceQuotas"] = [[quota(RUNS_PER_ACCOUNT, 300)]]
    account.answers["ListAWSDefaultServiceQuotas"] = refusal("AccessDeniedException")
    facts = asked()
    assert (facts.glue_runs_per_account, facts.glue_task_dpus) == (300, None)
    (remark,) = facts.remarks
    assert remark.startswith("not checked: quotas of Glue: AWS refused ListAWSDefaultServiceQuotas (AccessDenied")


def test_a_function_that_is_not_there_has_reserved_nothing(account: FakeAccount) -> None:
    account.answers["GetFunctionConcurrency"] = refusal("ResourceNotFoundException", 404)
    assert asked().own_concurrency == 0
    account.answers["GetFunctionConcurrency"] = {}
    assert asked().own_concurrency == 0


@pytest.mark.parametrize(
    ("operation", "remark", "missing"),
    [
        (
            "GetAccountSettings",
            "concurrent executions",
            {"concurrency_limit", "unreserved_concurrency", "own_concurrency"},
        ),
        ("GetFunctionConcurrency", "concurrent executions", {"own_concurrency"}),
        ("ListServiceQuotas", "quotas of Glue", {"glue_runs_per_account", "glue_runs_per_job", "glue_task_dpus"}),
        ("DescribeKey", "security.kms_key_arn", {"key"}),
        ("GetKeyPolicy", "policy of the key in security.kms_key_arn", set()),
    ],
)
def test_what_is_refused_is_said_and_the_rest_is_told(
    account: FakeAccount, operation: str, remark: str, missing: set[str]
) -> None:
    account.answers[operation] = refusal("AccessDeniedException", 403)
    facts = asked(f"security.kms_key_arn={KEY}")
    (said,) = facts.remarks
    assert said.startswith(f"not checked: {remark}: AWS refused {operation} (AccessDeniedException: not for you)")
    assert {name for name, value in vars(facts).items() if value is None} == missing
    if operation == "GetKeyPolicy":
        assert facts.key == KeyFacts("Enabled")


def test_a_key_that_is_not_there_is_told_as_such(account: FakeAccount) -> None:
    account.answers["DescribeKey"] = refusal("NotFoundException")
    facts = asked(f"security.kms_key_arn={KEY}")
    assert facts.key == KeyFacts("NotFound")
    assert facts.remarks == ()


def test_a_service_that_cannot_be_reached_stops_nobody_and_a_bug_is_no_remark() -> None:
    def unreachable(service: str) -> Any:
        raise EndpointConnectionError(endpoint_url=f"https://{service}.example")

    facts = ask_account(unreachable, profile(f"security.kms_key_arn={KEY}"), FUNCTION)
    assert [value for name, value in vars(facts).items() if name != "remarks"] == [None] * 7
    assert [remark.split(":")[1].strip() for remark in facts.remarks] == [
        "concurrent executions",
        "quotas of Glue",
        "security.kms_key_arn",
    ]
    with pytest.raises(ZeroDivisionError):
        ask_account(lambda _: 1 // 0, profile(), FUNCTION)


def test_config_check_finds_the_dpus_of_prod(account: FakeAccount, tool: Any) -> None:
    answer = tool("config", "check", "--env", "prod", "--json")
    assert answer.code == 1
    assert answer.err == ""
    document = answer.document
    assert not document["ok"]
    (finding,) = document["findings"]
    assert (finding["code"], finding["severity"], finding["setting"]) == ("dpus", "warning", "job.max_concurrent_runs")
    assert "1200" in finding["sentence"]
    assert "1000" in finding["sentence"]
    assert document["account"] == {
        "checked": True,
        "why": None,
        "remarks": [],
        "told": {
            "concurrent_executions": 1000,
            "unreserved_executions": 990,
            "own_reserved_executions": 10,
            "glue_runs_per_account": 200,
            "glue_runs_per_job": 1000,
            "glue_task_dpus": 1000.0,
            "key_state": None,
        },
    }
    text = tool("config", "check", "--env", "prod")
    assert text.code == 1
    assert "warning: job.max_concurrent_runs is 30" in text.out
    assert text.out.splitlines()[-1] == "found in the settings and the account: errors 0, warnings 1"
    assert ACCOUNT not in text.out + answer.out


def test_config_check_looks_at_what_is_deployed(account: FakeAccount, tool: Any) -> None:
    account.deploys()
    answer = tool("config", "check", "--env", "dev", "--json", "--set", "job.metrics=false")
    assert answer.code == 1
    found = {each["code"] for each in answer.document["findings"]}
    assert found == {
        "visibility",
        "max-receives",
        "runtime-end",
        "gluestreaming",
        "glue-version-end",
        "enable-metrics",
    }
    assert answer.document["deployed"] == {
        "checked": True,
        "remarks": [],
        "told": {
            "queue_visibility_timeout_s": 30,
            "queue_max_receives": 2,
            "function_runtime": "python3.9",
            "job_command": "gluestreaming",
            "job_glue_version": "1.0",
            "job_arguments": ["--enable-metrics", "--password"],
        },
    }
    assert "hush" not in answer.out
    text = tool("config", "check", "--env", "dev")
    assert text.out.splitlines()[-1].startswith("found in the settings, the account and what is deployed: ")


def test_config_check_says_what_of_the_deployed_it_could_not_read(account: FakeAccount, tool: Any) -> None:
    account.deploys(Runtime="python3.12")
    account.answers["GetQueueAttributes"] = refusal("AccessDeniedException", 403)
    account.answers["GetJob"] = refusal("AccessDeniedException")
    answer = tool("config", "check", "--env", "dev")
    assert answer.code == 0
    assert f"not checked: the queue {Names(ACCOUNT).queue}: AWS refused GetQueueAttributes" in answer.out
    assert f"not checked: the job {Names(ACCOUNT).job}: AWS refused GetJob" in answer.out
    assert answer.out.splitlines()[-1] == "nothing to object to in the settings and what the account told"
    document = tool("config", "check", "--env", "dev", "--json").document
    assert document["deployed"]["told"]["function_runtime"] == "python3.12"
    assert len(document["deployed"]["remarks"]) == 2


def test_config_check_of_dev_is_content(account: FakeAccount, tool: Any) -> None:
    answer = tool("config", "check", "--env", "dev")
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "nothing to object to in the settings and the account"


def test_config_check_says_what_it_could_not_ask(account: FakeAccount, tool: Any) -> None:
    account.answers["ListServiceQuotas"] = refusal("AccessDeniedException")
    answer = tool("config", "check", "--env", "prod")
    assert answer.code == 0
    assert "not checked: quotas of Glue: AWS refused ListServiceQuotas" in answer.out
    assert answer.out.splitlines()[-1] == "nothing to object to in the settings and what the account told"


def test_config_check_offline_asks_nothing(account: FakeAccount, tool: Any) -> None:
    answer = tool("config", "check", "--env", "prod", "--offline", "--json", "--set", "lock.ttl_s=60")
    assert (answer.code, account.asked) == (1, [])
    assert [each["code"] for each in answer.document["findings"]] == ["lock-ttl"]
    assert answer.document["account"]["checked"] is False
    assert answer.document["account"]["why"] == "--offline was given"
    assert answer.document["deployed"] == {"checked": False, "remarks": [], "told": {}}


def test_config_check_without_credentials_still_checks_the_settings(
    monkeypatch: pytest.MonkeyPatch, tool: Any, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NDJ_DATA_DIR", str(tmp_path))
    answer = tool("config", "check", "--env", "prod", "--json", "--set", "lock.ttl_s=60")
    assert answer.code == 1
    assert [each["code"] for each in answer.document["findings"]] == ["lock-ttl"]
    assert answer.document["account"]["checked"] is False
    assert "no usable AWS credentials" in answer.document["account"]["why"]
    assert tool("config", "check", "--env", "prod").code == 0


def test_config_show_ends_with_what_the_settings_say_alone(account: FakeAccount, tool: Any) -> None:
    answer = tool("config", "show", "--env", "prod", "--set", "lock.ttl_s=60")
    assert answer.code == 0
    assert account.asked == []
    assert "warning: lock.ttl_s is 60" in answer.out
    document = tool("config", "show", "--env", "prod", "--json", "--set", "lock.ttl_s=60").document
    assert [each["code"] for each in document["findings"]] == ["lock-ttl"]
