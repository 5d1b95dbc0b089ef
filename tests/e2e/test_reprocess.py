"""Converted again, with real Spark on the embedded cloud: an overwritten file, and a manifest whose part is gone."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import ACTION, ACTION_FLUSH, COMPLETED, SOURCE_COLUMN, Attr, manifest_key, part_prefix
from ndjctl.ledger import Ledger
from tests.e2e.conftest import Tool, rows_of

pytestmark = pytest.mark.e2e

DAY = "2026-11-23"


def numbered(first: int, count: int, **more: Any) -> bytes:
    return b"".join(json.dumps({"n": n, **more}).encode() + b"\n" for n in range(first, first + count))


def item_of(cloud: Cloud, key: str) -> dict[str, Any]:
    ledger = Ledger(cloud.client("dynamodb"), cloud.names.tracking_table, time.sleep)
    (item,) = ledger.items([(DAY, key)])
    return {name: next(iter(value.values())) for name, value in item.items()}


def wait_for(what: Any, cloud: Cloud, is_flushed: bool = False) -> None:
    deadline = time.monotonic() + 150
    while not what():
        assert time.monotonic() < deadline
        if is_flushed:
            payload = json.dumps({ACTION: ACTION_FLUSH}).encode()
            cloud.client("lambda").invoke(FunctionName=cloud.names.live_function, Payload=payload)
        time.sleep(0.5)


def parquet(cloud: Cloud) -> list[str]:
    bucket = cloud.names.output_bucket
    found = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"parquet/{DAY}/")
    return [f"s3://{bucket}/{entry['Key']}" for entry in found["Contents"]]


def numbers(cloud: Cloud, folder: Path) -> dict[str, list[int]]:
    """By file."""
    found: dict[str, list[int]] = {}
    for row in rows_of(cloud, parquet(cloud), folder):
        found.setdefault(row[SOURCE_COLUMN].rsplit("/", 1)[-1], []).append(row["n"])
    return {name: sorted(values) for name, values in found.items()}


@pytest.mark.slow
def test_exactly_the_new_rows_and_a_lost_part_comes_back(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = [f"{DAY}-{letter}.ndjson" for letter in "abc"]
    for number, name in enumerate(names):
        (folder / name).write_bytes(numbered(100 * number, 50) + b"bad line\n")
    first = tool.run(folder)
    (old_id,) = first["manifest_ids"]
    s3, options = embedded.client("s3"), ["--set", f"suffix={tool.suffix}"]

    # Overwritten after it was converted: recorded, and nothing else.
    s3.put_object(Bucket=embedded.names.input_bucket, Key=names[1], Body=numbered(500, 7, extra="x"))
    wait_for(lambda: Attr.SUPERSEDED_BY in item_of(embedded, names[1]), embedded)
    assert numbers(embedded, tmp_path)[names[1]] == list(range(100, 150))

    looked = tool("reprocess", "--superseded", "--date", DAY, "--json", *options)
    assert looked.code == 0, looked.err
    assert (looked.document["files"], looked.document["done"]) == (1, False)
    assert "say --yes" in looked.err
    assert item_of(embedded, names[1])["status"] == COMPLETED
    refused = tool("reprocess", names[1], *options)
    assert refused.code == 2
    assert "Nothing was changed: answer 'y', or say --yes." in refused.err
    done = tool("reprocess", names[1], "--yes", "--json", *options)
    assert done.code == 0, done.err
    assert (done.document["done"], done.document["moved"]) == (True, 1)
    assert item_of(embedded, names[1])[Attr.REPLACES] == old_id
    wait_for(lambda: item_of(embedded, names[1])["status"] == COMPLETED, embedded, is_flushed=True)

    expected = {names[0]: list(range(50)), names[1]: list(range(500, 507)), names[2]: list(range(200, 250))}
    assert numbers(embedded, tmp_path) == expected
    item = item_of(embedded, names[1])
    assert Attr.REPLACES not in item
    assert item[Attr.BATCH_ID] != old_id
    assert bad_lines(embedded) == {names[0]: 1, names[2]: 1}

    # A part is deleted by hand: the manifest is written again, without the file that is another's now.
    parts = [uri for uri in parquet(embedded) if part_prefix(DAY, old_id) in uri]
    bucket, key = parts[0].removeprefix("s3://").split("/", 1)
    s3.delete_object(Bucket=bucket, Key=key)
    assert numbers(embedded, tmp_path) != expected
    again = tool("reprocess", "--manifest", old_id, "--yes", "--json", *options)
    assert again.code == 0, again.err
    assert (again.document["files"], [each["key"] for each in again.document["left_out"]]) == (2, [names[1]])
    statuses = lambda: {item_of(embedded, name)["status"] for name in names}  # noqa: E731
    wait_for(lambda: statuses() == {COMPLETED} and parts[0] in parquet(embedded), embedded, is_flushed=True)
    assert numbers(embedded, tmp_path) == expected
    assert bad_lines(embedded) == {names[0]: 1, names[2]: 1}
    nothing = tool("reprocess", names[1], "--yes", "--json", *options)
    assert nothing.code == 1
    assert "nothing to do" in nothing.document["refused"][0]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("body", [None, b"garbage"], ids=["gone", "garbage"])
def test_a_manifest_whose_object_is_lost_comes_to_rest(
    tool: Tool, embedded: Cloud, tmp_path: Path, body: bytes | None
) -> None:
    """Opened again, so that its object can be lost before a run reads it; the run fails on that, and sweeps do the
    rest."""
    folder = tmp_path / "in"
    folder.mkdir()
    name = f"{DAY}-lost.ndjson"
    (folder / name).write_bytes(numbered(0, 50))
    (manifest_id,) = tool.run(folder)["manifest_ids"]
    s3, options = embedded.client("s3"), ["--set", f"suffix={tool.suffix}"]
    place = {"Bucket": embedded.names.manifest_bucket, "Key": manifest_key(DAY, manifest_id)}
    was = s3.get_object(**place)["Body"].read()
    assert tool("reprocess", "--manifest", manifest_id, "--yes", *options).code == 0
    s3.delete_object(**place)
    if body is not None:
        s3.put_object(**place, Body=body)
    wait_for(lambda: item_of(embedded, name)["status"] == COMPLETED, embedded, is_flushed=True)
    assert s3.get_object(**place)["Body"].read() == was
    assert numbers(embedded, tmp_path) == {name: list(range(50))}
    checked = tool("reconcile", "--date", DAY, *options)
    assert checked.code == 0, checked.out


def bad_lines(cloud: Cloud) -> dict[str, int]:
    """Quarantined lines by file."""
    s3, bucket = cloud.client("s3"), cloud.names.quarantine_bucket
    found: Counter[str] = Counter()
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        for line in s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().splitlines():
            found[json.loads(line)["source"].rsplit("/", 1)[-1]] += 1
    return dict(found)
