"""The errors a newcomer meets: one sentence on stderr, the right exit code, nothing on stdout, no traceback."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from ndjctl.profiles import BUILT_IN
from tests.e2e.conftest import Finished, Tool

pytestmark = pytest.mark.e2e


def told(finished: Finished, code: int, *parts: str) -> None:
    assert finished.code == code, finished.err
    assert finished.out == ""
    assert "Traceback" not in finished.err
    *before, last = [line for line in finished.err.splitlines() if line.strip()]
    assert last.startswith("error: ")
    assert all(line.startswith(("starting the embedded cloud", "the embedded cloud runs")) for line in before)
    for part in parts:
        assert part in last


def test_unknown_environment(tool: Tool) -> None:
    told(tool("run", "--env", "prd"), 2, "'prd'", "did you mean 'prod'?")
    told(tool("run", NDJ_ENV="nowhere"), 2, "'nowhere'", "dev, local, prod")


def test_misspelt_setting(tool: Tool) -> None:
    told(tool("run", "--set", "job.wokers=3"), 2, "job.wokers", "did you mean 'job.workers'?")


def test_unusable_paths(tool: Tool, tmp_path: Path) -> None:
    told(tool("run", tmp_path / "no.ndjson"), 2, "no.ndjson", "does not exist")
    (tmp_path / "empty.ndjson").touch()
    told(tool("run", tmp_path / "empty.ndjson"), 2, "empty.ndjson is empty (0 bytes)")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/readme.md").write_text("x")
    told(tool("run", tmp_path / "folder"), 2, "holds no NDJSON")


def test_a_command_line_that_cannot_be_understood(tool: Tool) -> None:
    told(tool("run", "--bogus"), 2, "--bogus", "run --help")
    told(tool("rnu"), 2, "'rnu'", "--help")
    told(tool("run", "--timeout", "0"), 2, "--timeout")
    for arguments in (
        ["run", "--bogus", "--json"],
        ["--json", "nothing"],
        ["--json"],
        ["output", "head", "-n0", "--json"],
    ):
        finished = tool(*arguments)
        assert finished.code == 2
        assert finished.document["error"]["exit_code"] == 2, arguments


def test_without_a_command_help_is_shown(tool: Tool) -> None:
    for arguments in ([], ["output"]):
        finished = tool(*arguments)
        assert (finished.code, finished.out) == (2, "")
        assert "Commands:" in finished.err


def test_nothing_is_deleted_where_nobody_can_answer(tool: Tool) -> None:
    told(tool("local", "reset"), 2, "--yes")
    assert tool("local", "status", "--json").document["running"] is True


def test_what_to_type_next_is_in_the_same_environment(tool: Tool, tmp_path: Path) -> None:
    profile = (BUILT_IN / "local.yaml").read_text().replace("environment: local", "environment: mine")
    (tmp_path / "mine.yaml").write_text(profile)
    common = ["--env", "mine", "--profile-dir", str(tmp_path), "--set", "suffix=x"]
    finished = tool("output", "ls", *common)
    try:
        told(finished, 2, f"ndjctl deploy --env mine --profile-dir {tmp_path} --set suffix=x")
    finally:
        tool("local", "reset", "--yes", *common)


def test_port_taken(tool: Tool, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = tool("local", "start", "--set", f"embedded.port={port}", NDJ_DATA_DIR=str(tmp_path / "d"))
        told(finished, 2, str(port), "embedded.port")


def test_no_credentials(tool: Tool) -> None:
    finished = tool("deploy", "--env", "dev", AWS_EC2_METADATA_DISABLED="true")
    told(finished, 3, "no usable AWS credentials", "AWS_PROFILE")
    finished = tool("run", "--env", "dev", "--json", AWS_EC2_METADATA_DISABLED="true")
    assert finished.code == 3
    assert finished.document["error"]["exit_code"] == 3


def test_unknown_profile_and_unreachable_cloud(tool: Tool) -> None:
    told(tool("deploy", "--env", "dev", AWS_PROFILE="nobody"), 3, "nobody", "AWS_PROFILE")
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_MAX_ATTEMPTS": "1"}
    finished = tool("deploy", "--env", "dev", AWS_ENDPOINT_URL="http://127.0.0.1:9", **credentials)
    told(finished, 3, "cannot be reached")


def test_the_users_own_aws_settings_do_not_reach_the_embedded_cloud(tool: Tool) -> None:
    finished = tool(
        "output",
        "ls",
        "--json",
        "--set",
        f"suffix={tool.suffix}",
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_CONFIG_FILE="/nonexistent",
    )
    assert finished.code == 2, finished.err
    assert "deploy" in finished.document["error"]["message"]


def test_unusable_data_folder(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told(tool("local", "status", NDJ_DATA_DIR=str(tmp_path / "file")), 2, "NDJ_DATA_DIR")


def test_disk_full(tool: Tool, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        path = tmp_path / "a.ndjson"
        path.write_text("{}\n")
        told(tool("run", path, NDJ_DATA_DIR=str(small)), 1, "full")
    finally:
        tool("local", "stop", NDJ_DATA_DIR=str(small))
        subprocess.run(["umount", str(small)], check=True)


def test_an_error_is_one_json_document_too(tool: Tool) -> None:
    finished = tool("--json", "config", "show", "--env", "prd")
    assert finished.code == 2
    assert json.loads(finished.out)["error"]["message"].startswith("There is no environment 'prd'")


def test_the_order_of_options_does_not_matter(tool: Tool) -> None:
    before = tool("--env", "dev", "--set", "job.workers=3", "--json", "config", "show")
    after = tool("config", "show", "--env", "dev", "--set", "job.workers=3", "--json")
    assert before.code == after.code == 0
    assert before.out == after.out
    assert before.document["settings"]["job"]["workers"] == 3
