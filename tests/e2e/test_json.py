"""Every command in --json: one document on stdout and nothing else, whatever state the cloud is in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Tool
from tests.unit.test_docs import _commands

pytestmark = pytest.mark.e2e

# (command, exit code), in an order that takes a cloud from nothing to nothing.
STORY = [
    ("local status", 0),
    ("config show", 0),
    ("config check", 0),
    ("cost", 0),
    ("cost --explain --files-per-day 0 --run-time 5m --no-free-allowance", 0),
    ("local start", 0),
    ("output ls", 2),  # nothing is deployed
    ("output head", 2),
    ("schema show", 2),
    ("redrive dlq", 2),
    ("redrive failed", 2),
    ("reprocess no.ndjson", 2),
    ("run no.ndjson", 2),
    ("reconcile", 2),
    ("backfill --dry-run", 2),
    ("monitor", 2),
    ("files", 2),
    ("queue", 2),
    ("runs", 2),
    ("quarantine list", 2),
    ("quarantine show", 2),
    ("quarantine release a.ndjson", 2),
    ("quarantine purge --date 2026-01-01", 2),
    ("quarantine history", 2),
    ("quarantine backtest", 2),
    ("manifests", 2),
    ("locks", 2),
    ("sweep", 2),
    ("cost lift", 2),
    ("doctor", 1),  # it says so
    ("errors", 2),
    ("explain a.ndjson", 2),
    ("logs lambda", 2),
    ("logs glue", 2),
    ("tune", 2),
    ("cost compare", 0),
    ("cost --actual", 2),
    ("cost prices", 0),
    ("cost prices --refresh", 3),  # the embedded cloud has no Price List
    ("loadtest list", 2),
    ("loadtest compare a b", 2),
    ("loadtest --phase 1", 2),
    ("generate", 2),  # where to?
    ("generate --records 5 -o made", 0),
    ("generate --records 5 --upload --yes", 2),
    ("generate --records 5 --upload --dry-run", 0),
    ("plan", 0),
    ("history", 0),
    ("rollback", 2),
    ("destroy", 0),
    ("convert a.ndjson -o out", 0),
    ("schema infer a.ndjson", 0),
    ("deploy", 0),
    ("deploy", 0),
    ("plan --exit-code", 0),
    ("plan --out saved.plan", 0),
    ("deploy --plan saved.plan", 0),
    ("deploy --plan a.ndjson", 2),
    ("drift", 0),
    ("history", 0),
    ("history 1999", 2),
    ("rollback", 2),  # there is nothing before
    ("destroy", 0),  # only looks
    ("export cloudformation", 0),
    ("local env", 0),
    ("schema show", 0),  # nothing is pinned yet
    ("schema pin out/_schema.json", 0),
    ("schema show", 0),
    ("schema show --version 2", 2),
    ("schema diff 1 out/_schema.json", 0),
    ("redrive dlq", 0),  # nothing is to be done
    ("redrive failed", 0),
    ("redrive stuck --yes", 0),
    ("reprocess --superseded", 0),
    ("output ls", 0),  # nothing came out yet
    ("output head", 0),
    ("reconcile", 0),
    ("reconcile --remove-orphans", 0),
    ("reconcile --date yesterday", 2),
    ("backfill", 0),
    ("monitor", 0),
    ("files", 0),
    ("files --status broken", 2),
    ("queue", 0),
    ("runs", 0),
    ("quarantine list", 0),
    ("quarantine show", 0),
    ("quarantine show --save saved.ndjson", 0),
    ("quarantine release --date 2026-01-01", 0),
    ("quarantine release --mended a.ndjson", 0),  # only looks
    ("quarantine release --mended profiles", 2),
    ("quarantine purge --date 2026-01-01 --yes", 0),
    ("quarantine history", 0),
    ("quarantine backtest --set size_rule.min_file_size_mb=0", 0),
    ("manifests", 0),
    ("manifests show 2026", 2),
    ("locks", 0),
    ("locks break 2026-01-01", 0),
    ("sweep", 0),
    ("cost lift", 0),  # nothing is held
    ("cost lift --undo", 0),
    ("doctor", 0),
    ("doctor --quick", 0),
    ("errors", 0),
    ("explain a.ndjson", 1),  # it was never uploaded
    ("explain nothing", 2),
    ("logs lambda", 0),
    ("logs lambda --follow", 2),  # a document has an end
    ("logs glue", 0),
    ("logs glue --run 2026", 2),
    ("tune --preset heavy", 0),
    ("cost --actual", 0),  # nothing
    ("loadtest", 2),
    ("loadtest list", 0),
    ("loadtest compare a b", 2),
    ("loadtest --phase 1 --files 2 --file-size 50KB", 0),  # only looks
    ("loadtest --phase 2 --files 2 --file-size 50KB", 1),  # after phase 1
    ("loadtest --resume 2026", 2),
    ("generate --records 5 --upload", 0),  # only looks
    ("generate --records 5 --files 2 --unique 1 --upload --yes", 0),
    ("local status", 0),
    ("local stop", 0),
    ("local stop", 0),
    ("output ls", 0),  # starts it again
    ("destroy --yes", 0),
    ("destroy --yes --delete-data", 0),
    ("local reset --yes", 0),
    ("local status", 0),
]


def test_a_whole_story_in_documents(tool: Tool, tmp_path: Path) -> None:
    own = Tool(tmp_path / "data with a space", tool.home, "")
    (tool.home / "a.ndjson").write_text('{"a":1}\n')
    documents = {}
    for command, code in STORY:
        finished = own(*command.split(), "--json")
        assert finished.code == code, (command, finished.err)
        document = json.loads(finished.out)
        # A check that finds something is no error.
        assert ("error" in document) == (code > 1), command
        assert "\x1b" not in finished.out + finished.err
        assert "Traceback" not in finished.err
        documents[command] = document
    assert documents["output ls"] == {
        "bucket": "ndjson-output-sqs-000000000000",
        "parts": 0,
        "rows": 0,
        "bytes": 0,
        "dates": [],
        "damaged": [],
    }
    assert documents["deploy"]["unchanged"] == len(documents["deploy"]["resources"])
    assert documents["local status"]["running"] is False
    assert not (tmp_path / "data with a space/local/s3").exists()


def test_the_story_leaves_no_command_out() -> None:
    told = {" ".join(command.split()[:2]) for command, _ in STORY} | {command.split()[0] for command, _ in STORY}
    assert {name for name, _ in _commands()} <= told


def test_a_status_says_where_everything_is(tool: Tool) -> None:
    document = tool("local", "status", "--json").document
    assert document["running"] is True
    assert document["endpoint_url"].startswith("http://127.0.0.1:")
    assert document["data_dir"]
    assert document["version"]
    expected = {"S3", "SQS", "DynamoDB", "Lambda", "Logs", "EventBridge", "IAM", "STS", "CloudWatch", "Glue"}
    assert set(document["parts"]) == expected
    assert {part["state"] for part in document["parts"].values()} == {"running"}
