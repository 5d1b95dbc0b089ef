"""A part is damaged and an input of its manifest is not what it was: `reconcile` names every step, and they work."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import count_lines, s3_uri, split_s3_uri
from tests.e2e.conftest import Finished, Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, wait
from tests.e2e.test_planted_faults import FILES, LINES, at_rest, name_of, reconciled

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def damaged(pipeline: Pipeline, is_there: bool) -> None:
    """Every part is gone, or is there and no Parquet any more."""
    parts = pipeline.parts()
    assert parts
    for bucket, key in map(split_s3_uri, parts):
        if is_there:
            pipeline.s3.put_object(Bucket=bucket, Key=key, Body=b"no Parquet")
        else:
            pipeline.s3.delete_object(Bucket=bucket, Key=key)


def typed(pipeline: Pipeline, command: str) -> Finished:
    words = shlex.split(command)
    return pipeline.tool(*words[words.index("ndjctl") + 1 :], "--yes")


def mended(pipeline: Pipeline, command: str) -> None:
    finished = typed(pipeline, command)
    assert finished.code == 0, finished.err + finished.out
    pipeline.settle(timeout_s=300)


def missing(pipeline: Pipeline) -> dict[str, Any]:
    (finding,) = [each for each in reconciled(pipeline, code=1)["findings"] if each["kind"] == "missing"]
    return dict(finding)


def test_an_input_that_is_gone_is_put_back_or_given_up(tool: Tool, embedded: Cloud) -> None:
    pipeline = at_rest(tool, embedded)
    bucket, gone = pipeline.names.input_bucket, name_of(0)
    body = pipeline.s3.get_object(Bucket=bucket, Key=gone)["Body"].read()
    pipeline.s3.delete_object(Bucket=bucket, Key=gone)
    damaged(pipeline, is_there=False)
    finding = missing(pipeline)
    assert "put each object back with the same content" in finding["remedy"]
    assert finding["examples"][0] == {"subject": s3_uri(bucket, gone), "why": "its object is gone"}
    refused = typed(pipeline, finding["then"])
    assert refused.code == 1
    assert f"'{gone}': the object is gone; put it back with the same content" in refused.err
    assert finding["otherwise"] in refused.err

    pipeline.put(gone, body)
    pipeline.wait_for_events()
    mended(pipeline, finding["then"])
    assert reconciled(pipeline, code=0)["totals"]["rows"] == FILES * LINES

    pipeline.s3.delete_object(Bucket=bucket, Key=gone)
    damaged(pipeline, is_there=True)
    mended(pipeline, missing(pipeline)["otherwise"])
    document = reconciled(pipeline, code=0)
    assert document["totals"]["rows"] == document["totals"]["lines"] == (FILES - 1) * LINES
    (failed,) = document["failed"]
    assert [each["why"] for each in failed["examples"]] == [
        "its object is gone; its rows were given up when the Parquet of its manifest was written again"
    ]


@pytest.mark.parametrize(("is_there", "is_patient"), [(False, True), (True, False), (True, True)])
def test_an_input_that_was_overwritten_goes_first(
    tool: Tool, embedded: Cloud, is_there: bool, is_patient: bool
) -> None:
    pipeline = at_rest(tool, embedded)
    key = name_of(1)
    body = b"".join(b'{"file":1,"n":%d}\n' % n for n in range(LINES + 5))
    pipeline.put(key, body)
    pipeline.wait_for_events()

    def superseded() -> bool:
        found = reconciled(pipeline, code=1)["findings"]
        return any("--superseded" in each["remedy"] for each in found)

    wait(superseded, 60, lambda: "the newer version is not recorded", 1.0)
    damaged(pipeline, is_there)
    finding = missing(pipeline)
    refused = typed(pipeline, finding["then"])
    assert refused.code == 1
    assert f"'{key}': overwritten since; '{finding['remedy']}' first" in refused.err

    # Meant to be typed at once. Whoever waits in between has the newer version's run meet parts that it cannot read.
    assert typed(pipeline, finding["remedy"]).code == 0
    if is_patient:
        pipeline.settle(timeout_s=300)
    mended(pipeline, finding["then"])
    document = reconciled(pipeline, code=0)
    if document["failed"]:
        assert is_there and is_patient
        mended(pipeline, document["failed"][0]["remedy"])
        document = reconciled(pipeline, code=0)
    assert (document["findings"], document["failed"]) == ([], [])
    lines = sum(pipeline.lines.values())
    assert lines == FILES * LINES + 5 == count_lines([body]) + (FILES - 1) * LINES
    assert (document["totals"]["lines"], document["totals"]["rows"]) == (lines, lines)
    assert DAY in key
