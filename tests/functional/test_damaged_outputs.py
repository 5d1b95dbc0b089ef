"""Outputs that cannot be read, on moto: told by whatever reads them, with what writes them again."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from ndjctl.contracts import COMPLETED, RESCUED_COLUMN, SOURCE_COLUMN, bad_lines_key, part_key
from ndjctl.explain.reads_of_lines import read_bad_line_examples
from ndjctl.generate.record import OTHER_TYPE, DriftedPlace, FileFacts
from ndjctl.loadtest.proving import prove
from ndjctl.output.views import run_view
from ndjctl.proof import Evidence, balance, gather
from ndjctl.reconcile.parts import read_part
from ndjctl.reconcile.streams import list_bucket
from ndjctl.run import FileOutcome, RunResult
from tests.functional.operations_world import DAY, NAMES, Operations, now
from tests.reconcile_world import bad_lines

OLD, NEW = "20261123T120000000Z-00000001", "20261123T130000000Z-00000002"
FILE = f"s3://{NAMES.input_bucket}/a.ndjson"
URI = f"s3://{NAMES.output_bucket}/{part_key(DAY, NEW, 0)}"
BAD_URI = f"s3://{NAMES.quarantine_bucket}/{bad_lines_key(DAY, NEW, 0)}"


def table(rows: int = 200, rescued: str | None = None) -> pa.Table:
    columns = {
        "n": pa.array([f"{number * 7919}" for number in range(rows)]),
        SOURCE_COLUMN: pa.array([FILE] * rows).dictionary_encode(),
        RESCUED_COLUMN: pa.array([rescued] * rows, pa.string()),
    }
    return pa.table(columns)


def written(content: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(content, sink, compression="zstd")
    return sink.getvalue()


def with_source(values: pa.Array) -> pa.Table:
    return table().set_column(1, SOURCE_COLUMN, values)


WHOLE = written(table())
NO_PARQUET = {
    "cut": WHOLE[:-100],
    "empty": b"",
    "no Parquet": b"x" * 5000,
    "footer": WHOLE[:-300] + bytes(200) + WHOLE[-100:],
}
NO_DATA = {"beginning gone": WHOLE[500:], "flipped": b"PAR1" + bytes(b ^ 0x55 for b in WHOLE[4:600]) + WHOLE[600:]}
NO_COUNTS = {
    "no _rescued": written(table().drop_columns([RESCUED_COLUMN])),
    "no _source_file": written(table().drop_columns([SOURCE_COLUMN])),
    "numbers for sources": written(with_source(pa.array(range(200)))),
    "_rescued no JSON": written(table(rescued='{"/a')),
    "_rescued a list": written(table(rescued="[1]")),
}
LINE = bad_lines([FILE])
NO_LINES = {
    "cut": LINE + LINE[:-9],
    "garbage": b"garbage\n" + LINE,
    "not UTF-8": b"\xff\xfe\n" + LINE,
    "no source": b'{"version":1}\n' + LINE,
    "a list": b"[]\n" + LINE,
    "deep": b"[" * 15_000,
}


@pytest.fixture
def world(operations: Operations) -> Operations:
    """Two parts, and an object of two bad lines beside the newer."""
    operations.deploy()
    for manifest_id in (OLD, NEW):
        put_part(operations, WHOLE, manifest_id)
    put_lines(operations, LINE * 2)
    return operations


def put_part(world: Operations, body: bytes, manifest_id: str = NEW) -> None:
    world.s3.put_object(Bucket=NAMES.output_bucket, Key=part_key(DAY, manifest_id, 0), Body=body)


def put_lines(world: Operations, body: bytes) -> None:
    world.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=bad_lines_key(DAY, NEW, 0), Body=body)


def gathered(world: Operations, s3: Any = None) -> Evidence:
    return gather(s3 or world.s3, NAMES, [(DAY, OLD), (DAY, NEW)])


class Vanishing:
    """An S3 in which an object goes between its listing and its reading."""

    def __init__(self, s3: Any, key: str, code: str = "NoSuchKey") -> None:
        self._s3, self._key, self._code = s3, key, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **request: Any) -> Any:
        if request["Key"] == self._key:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, "GetObject")
        return self._s3.get_object(**request)


def test_nothing_is_damaged_where_nothing_is_wrong(world: Operations) -> None:
    found = gathered(world)
    assert (found.rows, found.bad_lines, found.damaged) == ({FILE: 400}, {FILE: 2}, [])
    assert [part.rows for part in found.parts] == [200, 200]
    assert world("output", "ls", "--json").document["damaged"] == []


def test_a_proof_names_a_part_that_cannot_be_read_and_counts_nothing_of_it(world: Operations) -> None:
    for case, body in {**NO_PARQUET, "beginning gone": WHOLE[500:], **NO_COUNTS}.items():
        put_part(world, body)
        found = gathered(world)
        assert [(each.uri, each.manifest_id) for each in found.damaged] == [(URI, NEW)], case
        assert found.damaged[0].why.startswith("it cannot be read as Parquet ("), case
        assert (found.rows, found.rescued_rows, [part.rows for part in found.parts]) == ({FILE: 200}, {}, [200, None])


def test_a_proof_names_bad_lines_that_cannot_be_read(world: Operations) -> None:
    for case, body in NO_LINES.items():
        put_lines(world, body)
        found = gathered(world)
        assert [(each.uri, each.manifest_id) for each in found.damaged] == [(BAD_URI, NEW)], case
        assert "cannot be read as quarantined lines (line " in found.damaged[0].why, case
        assert (found.rows, found.bad_lines, found.reasons) == ({FILE: 400}, {}, {}), case


def test_what_goes_while_it_is_read_is_told_and_a_refusal_is_no_damage(world: Operations) -> None:
    for key, uri in ((part_key(DAY, NEW, 0), URI), (bad_lines_key(DAY, NEW, 0), BAD_URI)):
        (damage,) = gathered(world, Vanishing(world.s3, key)).damaged
        assert (damage.uri, damage.why) == (uri, "it changed or went while it was read (NoSuchKey)")
        with pytest.raises(ClientError, match="AccessDenied"):
            gathered(world, Vanishing(world.s3, key, "AccessDenied"))
    world.clients["s3"] = Vanishing(world.s3, part_key(DAY, NEW, 0))
    listed, head = world("output", "ls", "--json"), world("output", "head", "--json")
    assert (listed.code, listed.document["parts"], head.code) == (0, 1, 0), "it is not there any more"
    assert OLD in head.document["part"]


def test_a_reconciliation_says_it_of_a_part_without_sources(world: Operations) -> None:
    for case in ("no _source_file", "numbers for sources"):
        put_part(world, NO_COUNTS[case])
        (listed,) = list_bucket(world.s3, NAMES.output_bucket, part_key(DAY, NEW, 0))
        content = read_part(world.s3, listed)
        assert (content.rows, "_source_file" in content.problem) == ({}, True), case


# ------------------------------------------------------------------------------------------------ output ls and head


def test_a_listing_shows_a_damaged_part_as_damaged(world: Operations) -> None:
    for body in (NO_PARQUET["empty"], NO_PARQUET["footer"]):
        put_part(world, body)
        told = world("output", "ls")
        assert (told.code, told.err) == (1, "")
        assert f"2 parts, 200 rows, {told.out.split('200 rows, ')[1].split(', ')[0]}, 1 damaged" in told.out
        assert f"damaged: {URI}: it cannot be read as Parquet (" in told.out
        assert f"reprocess --manifest {NEW} --env dev\n" in told.out
        document = world("output", "ls", "--json").document
        assert [part["rows"] for part in document["dates"][0]["parts"]] == [200, None]
        (damaged,) = document["damaged"]
        assert (damaged["uri"], damaged["command"].endswith(f"reprocess --manifest {NEW} --env dev")) == (URI, True)


def test_a_head_passes_over_what_cannot_be_read(world: Operations) -> None:
    for body in (NO_PARQUET["cut"], *NO_DATA.values()):
        put_part(world, WHOLE, OLD)
        put_part(world, body)
        told = world("output", "head", "-n", "1")
        assert (told.code, len(told.err.splitlines())) == (0, 1)
        assert told.err.startswith(f"{URI} is passed over: it cannot be read as Parquet (")
        assert told.err.endswith(f"reprocess --manifest {NEW} --env dev' writes it again\n")
        assert OLD in told.out
        document = world("output", "head", "--json").document
        assert (OLD in document["part"], [each["uri"] for each in document["damaged"]]) == (True, [URI])
        put_part(world, body, OLD)
        told = world("output", "head", "--json")
        assert (told.code, told.document["error"]["kind"], len(told.err.splitlines())) == (1, "failed", 1)
        assert told.err.startswith(f"error: {URI}: it cannot be read as Parquet (")
        assert told.err.endswith("writes it again; 1 other part cannot be read either.\n")


def test_a_part_that_no_manifest_gives(world: Operations) -> None:
    key = f"parquet/{DAY}/\x1b[31mcopy.parquet"
    world.s3.put_object(Bucket=NAMES.output_bucket, Key=key, Body=b"x" * 99)
    told = world("output", "ls")
    assert (told.code, "\x1b" in told.out, "mend: " in told.out) == (1, False, True)
    assert "ndjctl reconcile --env dev" in told.out.replace("\n", " ").split("mend: ")[1].replace("  ", " ")


@pytest.mark.parametrize(
    ("body", "told"),
    [(WHOLE[:-100], "magic bytes"), (NO_DATA["flipped"], "cannot be read as Parquet"), (b"", "0 bytes")],
)
def test_the_head_of_a_folder(operations: Operations, tmp_path: Path, body: bytes, told: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "part-00000.parquet").write_bytes(body)
    alone = operations("output", "head", "out")
    assert (alone.code, told in alone.err, "what wrote it has to write it again" in alone.err) == (1, True, True)
    named = operations("output", "head", "out/part-00000.parquet")
    assert (named.code, len(named.err.splitlines())) in ((1, 1), (2, 1))
    (folder / "part-00001.parquet").write_bytes(WHOLE)
    both = operations("output", "head", "out", "--json")
    assert (both.code, both.document["part"]) == (0, "out/part-00001.parquet")
    assert both.err.startswith("out/part-00000.parquet is passed over: it cannot be read as Parquet (")
    assert both.document["damaged"][0]["command"] is None


def test_the_head_of_parquet_of_another_program(operations: Operations, tmp_path: Path) -> None:
    """Its types are none of ours, and no damage."""
    columns = {
        "time": pa.array([5], pa.time64("us")),
        "took": pa.array([5], pa.duration("us")),
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "real": pa.array([float("nan")]),
        "price": pa.array([None], pa.decimal128(9, 2)),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert operations("output", "head", "x.parquet").code == 0
    told = operations("output", "head", "x.parquet", "--json")
    assert "NaN" not in told.out
    row = {"time": "00:00:00.000005", "took": "0:00:00.000005", "map": [["a", 1]], "real": "nan", "price": None}
    assert told.document["rows"] == [row]


# ------------------------------------------------------------------------------------------------ other readers


def test_quarantined_lines_that_cannot_be_shown(world: Operations) -> None:
    for body in (NO_LINES["a list"], NO_LINES["deep"]):
        put_lines(world, body)
        told = world("quarantine", "show")
        assert (told.code, f"reprocess --manifest {NEW} --env dev' writes it again." in told.err) == (1, True)
        assert f"error: {BAD_URI}: it cannot be read as quarantined lines (line " in told.err


def test_an_explanation_passes_over_lines_that_are_none(world: Operations) -> None:
    endless = LINE.replace(b'"byte_offset": 0', b'"byte_offset": 1e999')
    assert endless != LINE
    put_lines(world, endless + b"[" * 15_000 + b"\n[]\n\xff\n" + LINE)
    found = read_bad_line_examples(world.s3, NAMES, DAY, NEW, FILE)
    assert (found.objects, [line.reason for line in found.examples]) == (1, ["not JSON"])


def test_a_load_test_tells_them_in_its_proof(world: Operations) -> None:
    """With drift it reads the rescued values too, without only the sources."""
    drifted = {DriftedPlace("/n", OTHER_TYPE, "int64", "string"): 1}
    for drift, part, lines in (
        (drifted, NO_COUNTS["no _rescued"], NO_LINES["cut"]),
        (drifted, NO_DATA["beginning gone"], NO_LINES["garbage"]),
        ({}, NO_COUNTS["no _source_file"], NO_LINES["no source"]),
        ({}, NO_PARQUET["cut"], NO_LINES["deep"]),
    ):
        put_part(world, part)
        put_lines(world, lines)
        made = {FILE: FileFacts(0, 9, 402, "sha256:0", drifted=drift)}
        proof = prove(world.s3, NAMES, DAY, now() - timedelta(hours=1), made)
        assert [each.split(": it cannot be read as ")[0] for each in proof.unreadable] == [URI, BAD_URI]
        assert (proof.rows, proof.bad_lines) == (200, 0)


# ------------------------------------------------------------------------------------------------ the screen of a run


def result_of(found: Evidence, **more: Any) -> RunResult:
    outcome = FileOutcome("a.ndjson", FILE, COMPLETED, 9, 402, found.rows[FILE], found.bad_lines[FILE])
    facts: dict[str, Any] = {
        "env": "dev",
        "endpoint_url": None,
        "outcomes": (outcome,),
        "already_done": 0,
        "skipped_empty": (),
        "balance": balance({FILE: 402}, found),
        "reasons": {},
        "rescued_rows": 0,
        "rescued_fields": {},
        "manifest_ids": (OLD, NEW),
        "parts": tuple(found.parts),
        "output_prefixes": (),
        "seconds": 1.0,
        "damaged": tuple(found.damaged),
    }
    return RunResult(**(facts | more))


def typed_words(*words: str) -> str:
    return shlex.join(["ndjctl", *words])


def screen(render: Callable[[], Any]) -> str:
    console = Console(width=400, file=io.StringIO(), markup=False)
    with console.capture() as captured:
        console.print(render())
    return captured.get()


def test_a_run_is_not_proven_and_names_each_of_them(world: Operations) -> None:
    put_part(world, b"")
    put_lines(world, b"[]\n")
    result = result_of(gathered(world))
    view = run_view(result, typed_words, lambda damage: f"ndjctl reprocess --manifest {damage.manifest_id}")
    told = screen(view.render)
    assert not result.ok
    assert f"damaged: {URI}: it cannot be read as Parquet (" in told
    assert f"damaged: {BAD_URI}: it cannot be read as quarantined lines (line 1: without a source)" in told
    assert told.count(f"mend: ndjctl reprocess --manifest {NEW}\n".rstrip("\n")) == 1
    assert "NOT PROVEN  2 outputs cannot be read; without that: 402 lines in, 200 rows + 0 quarantined" in told
    document = json.loads(json.dumps(view.document))
    assert [each["uri"] for each in document["damaged"]] == [URI, BAD_URI]
    assert (document["ok"], document["damaged"][1]["why"].count("line 1")) == (False, 1)


def test_what_a_run_does_not_list_is_counted(world: Operations) -> None:
    found = gathered(world)
    many = {f"/f{number:02}": 20 - number for number in range(13)}
    told = screen(
        run_view(result_of(found, rescued_rows=9, rescued_fields=many, reasons=many), typed_words, str).render
    )
    assert "10 x" not in told
    assert told.count("11 x /f09") == 2
    assert "and 3 more places (see --json)" in told
    assert "and 3 more reasons (see --json)" in told
    less = screen(run_view(result_of(found, rescued_rows=9, rescued_fields={"/a": 1}), typed_words, str).render)
    assert "more" not in less


def test_a_field_that_is_named_by_digits_is_none_of_a_list(world: Operations) -> None:
    inner = pa.array([[{"b": 1}]] * 5, pa.list_(pa.struct([("b", pa.int64())])))
    rescued = '{"/0":1,"/list/12/b":"x","/list/3":5,"/one/7":{}}'
    one = pa.array([{"7": 1}] * 5, pa.struct([("7", pa.int64())]))
    content = (
        table(5, rescued).append_column("list", inner).append_column("one", one).append_column("0", pa.array(["0"] * 5))
    )
    put_part(world, written(content))
    fields = gathered(world).rescued_fields
    assert fields == {(FILE, place): 5 for place in ("/0", "/list/*/b", "/list/*", "/one/7")}
