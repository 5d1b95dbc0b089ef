"""What the kernel leans on: reading ahead, watched fields, guesses. None of it decides what a row is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job.ahead import begun_ahead, read_ahead
from glue_job.conform import Conformer
from glue_job.schema import from_json, to_json
from glue_job.sink import UPLOAD_PART_BYTES, S3Sink
from glue_job.store import Target
from glue_job.suspects import Suspects
from glue_job.watch import MAX_WATCHED, Watch
from ndjctl.contracts import MIB

ROOT = from_json(
    {"struct": [{"name": "i", "type": "int64"}, {"name": "t", "type": {"struct": [{"name": "x", "type": "bool"}]}}]},
    "x",
)


def test_the_next_item_is_drawn_while_the_one_before_is_worked_on() -> None:
    drawn = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(drawn):
            event.set()
            yield number

    with read_ahead(items()) as ahead:
        assert next(ahead) == 0
        assert drawn[1].wait(5)
        assert not drawn[3].is_set()
        assert list(ahead) == [1, 2, 3]
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())


def test_what_drawing_raises_comes_where_the_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("gone")

    with read_ahead(items()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(LookupError, match="gone"):
            next(ahead)
    with pytest.raises(ZeroDivisionError), read_ahead(iter(range(10))) as ahead:
        raise ZeroDivisionError
    assert not any(thread.name.startswith("read-ahead") for thread in threading.enumerate())


def test_fields_outside_the_schema_are_watched_with_what_is_known_of_them() -> None:
    watch = Watch(ROOT)
    assert not watch.add({"i": "not an integer", "t": {"x": 1}})
    assert watch.told is ROOT
    assert watch.add({"n": None, "t": {"y": [None, {"a": 1}]}, "I": 1.5, "e": {}})
    assert not watch.add({"n": None, "e": {}, "I": "x", "t": {"y": []}})
    assert watch.add({"n": "now a string", "t": {"y": [{"b": True}]}})
    assert to_json(watch.told) == {
        "struct": [
            {"name": "i", "type": "int64"},
            {
                "name": "t",
                "type": {
                    "struct": [
                        {"name": "x", "type": "bool"},
                        {
                            "name": "y",
                            "type": {
                                "list": {"struct": [{"name": "a", "type": "int64"}, {"name": "b", "type": "bool"}]}
                            },
                        },
                    ]
                },
            },
            {"name": "n", "type": "string"},
            {"name": "I", "type": "double"},
            {"name": "e", "type": "nothing"},
        ]
    }


def test_watched_fields_are_limited() -> None:
    watch = Watch(ROOT)
    for number in range(3 * MAX_WATCHED):
        watch.add({f"k{number}": {"a": {"b": number}}})
    assert len(watch.told.fields) <= len(ROOT.fields) + MAX_WATCHED
    assert not watch.add({"one more": 1})


@pytest.mark.parametrize(
    ("column", "misfit", "found", "fitting"),
    [
        (
            "int64",
            1.5,
            [b'{"v":1.0}', b'{"v": "1"}', b'{"v":true}', b'{"v" : 99999999999999999999}'],
            [b'{"v":12}', b'{"v": -1,"a":1.5}'],
        ),
        ("double", True, [b'{"v":"1"}', b'{"v": true}', b'{"v":[]}'], [b'{"v":1.5}', b'{"v": null}', b'{"v" :\t-1e5}']),
        ("string", 1, [b'{"v":1}', b'{"v":{}}'], [b'{"v":"x"}', b'{"v": "x"}', b'{"v":null}']),
        ({"list": "bool"}, {}, [b'{"v":{}}', b'{"v":1}'], [b'{"v":[]}', b'{"v": [1]}']),
    ],
)
def test_values_that_do_not_fit_are_guessed(
    column: object, misfit: object, found: list[bytes], fitting: list[bytes]
) -> None:
    conformer = Conformer(from_json({"struct": [{"name": "v", "type": column}]}, "x"))
    conformer.conform({"v": misfit})
    suspects = Suspects()
    assert not suspects
    suspects.learn(conformer.misfits)
    assert [line for line in found if not list(suspects.find(line, 1))] == []
    assert [line for line in fitting if list(suspects.find(line, 1))] == []
    ((position, key),) = suspects.find(b"{}\n" + found[0], 2)
    assert position == len(b"{}\n{")
    for _ in range(20):
        suspects.judge(key, was_right=False)
    suspects.forget()
    assert not suspects


def _begin_all(waits_s: list[float]) -> list[str]:
    """The threads that drew the first block of each item, if drawing the n-th takes waits_s[n] on the clock."""
    now = 0.0
    lock = threading.Lock()
    drawn_by = ["" for _ in waits_s]

    def begin(number: int) -> Iterator[bytes]:
        nonlocal now
        drawn_by[number] = threading.current_thread().name
        with lock:
            now += waits_s[number]
        yield b"%d" % number
        yield b"more"

    def clock() -> float:
        return now

    with begun_ahead(range(len(waits_s)), begin, lambda number: 1, clock) as begun:
        assert [(number, b"".join(blocks)) for number, blocks in begun] == [
            (number, b"%dmore" % number) for number in range(len(waits_s))
        ]
    return drawn_by


def test_what_is_there_at_once_is_drawn_without_a_thread() -> None:
    here = threading.current_thread().name
    names = _begin_all([0.0] * 100)
    assert names[0].startswith("begin-ahead")
    assert names[-40:] == [here] * 40


def test_a_wait_brings_the_threads_back() -> None:
    here = threading.current_thread().name
    assert here not in _begin_all([0.1] * 100)
    names = _begin_all([0.0] * 60 + [0.1] * 60)
    assert here in names[:60]
    assert here not in names[62:]


@pytest.mark.parametrize("cost_s", [0.0, 0.1])
def test_what_drawing_a_beginning_raises_comes_where_its_block_would_have(cost_s: float) -> None:
    def begin(number: int) -> Iterator[bytes]:
        if number == 50:
            raise LookupError("gone")
        yield b"x"

    times = iter(range(10_000))
    with begun_ahead(range(60), begin, lambda number: 1, lambda: next(times) * cost_s) as begun:
        for number, blocks in begun:
            if number == 50:
                with pytest.raises(LookupError, match="gone"):
                    list(blocks)
                break
            assert list(blocks) == [b"x"]


class _Uploads:
    """As much of an S3 client as a sink uses."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def create_multipart_upload(self, **_: object) -> dict[str, str]:
        return {"UploadId": "1"}

    def upload_part(self, PartNumber: int, Body: bytes, **_: object) -> dict[str, str]:
        assert PartNumber == len(self.bodies) + 1
        self.bodies.append(Body)
        return {"ETag": str(PartNumber)}


@given(st.lists(st.sampled_from([0, 3, MIB, 31 * MIB, 32 * MIB, 32 * MIB + 1, 71 * MIB]), max_size=5))
@settings(deadline=None, max_examples=12)
def test_what_is_written_at_once_is_sent_in_parts_of_a_size_that_s3_takes(sizes: list[int]) -> None:
    client = _Uploads()
    sink = S3Sink(client, Target("b", "k"), "text/plain")
    written = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    for data in written:
        assert sink.write(memoryview(data)) == len(data)
    assert sink.finish().size_bytes == sum(sizes)
    assert b"".join(client.bodies) == b"".join(written)
    assert all(UPLOAD_PART_BYTES <= len(body) < 2 * UPLOAD_PART_BYTES for body in client.bodies[:-1])
    assert len(client.bodies[-1]) < 2 * UPLOAD_PART_BYTES
