"""Schemas of one's own as pinned versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glue_job import schema
from glue_job.infer import Observer
from glue_job.pin import Pinned, SchemaStore
from glue_job.schema import Field, Scalar, Struct
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.pinning import DECLARED, history, pin_declared, read_version
from tests.glue_world import MANIFESTS, NOW, World, glue_world


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


@pytest.fixture
def store(world: World) -> SchemaStore:
    return SchemaStore(world.s3, MANIFESTS, "default", lambda: NOW)


def struct(**kinds: str) -> Struct:
    return Struct(tuple(Field(name, Scalar(kind)) for name, kind in kinds.items()))


ONE = struct(a=schema.INT64)
MORE = struct(a=schema.INT64, b=schema.STRING)
OTHER = struct(a=schema.STRING)


def test_versions_are_added_and_the_newest_again_is_nothing_to_do(store: SchemaStore) -> None:
    assert read_version(store, None) == Pinned.nothing()
    assert history(store) == []
    first = pin_declared(store, ONE, is_forced=False)
    assert (first.version, first.is_pinned, first.differences) == (1, True, ())
    again = pin_declared(store, ONE, is_forced=True)
    assert (again.version, again.is_pinned, again.is_refused) == (1, False, False)
    second = pin_declared(store, MORE, is_forced=False)
    assert (second.version, second.is_pinned, [found.path for found in second.differences]) == (2, True, ["b"])
    assert read_version(store, None) == Pinned(2, MORE)
    assert read_version(store, 1) == Pinned(1, ONE)
    assert [(found.version, found.manifest_id) for found in history(store)] == [(1, DECLARED), (2, DECLARED)]


def test_what_readers_would_stumble_over_needs_force(store: SchemaStore) -> None:
    pin_declared(store, MORE, is_forced=False)
    for root in (OTHER, ONE, struct(A=schema.INT64, b=schema.STRING)):
        refused = pin_declared(store, root, is_forced=False)
        assert (refused.version, refused.is_pinned, refused.is_refused) == (1, False, True)
        assert any(found.breaks_readers for found in refused.differences)
    assert pin_declared(store, OTHER, is_forced=True).version == 2
    assert store.latest() == Pinned(2, OTHER)


def test_somebody_who_pins_meanwhile_is_not_written_over(world: World, store: SchemaStore) -> None:
    class Late(SchemaStore):
        """Another one pins between its look and its put."""

        def latest(self) -> Pinned:
            found = super().latest()
            store.pin(Pinned(found.version + 1, OTHER), "m1")
            return found

    late = Late(world.s3, MANIFESTS, "default", lambda: NOW)
    with pytest.raises(WorkFailed, match="Version 1 of the schema of default was pinned by somebody else"):
        pin_declared(late, ONE, is_forced=False)
    assert store.latest() == Pinned(1, OTHER)


def test_a_run_goes_on_from_a_declared_schema(store: SchemaStore) -> None:
    pin_declared(store, ONE, is_forced=False)
    seen = Observer()
    seen.add({"a": 1, "b": "x"})
    assert store.extend(seen, "m1", may_add=True) == Pinned(2, MORE)
    assert [found.manifest_id for found in history(store)] == [DECLARED, "m1"]


def test_a_version_that_is_not_there_is_told(store: SchemaStore) -> None:
    with pytest.raises(UsageError, match="nothing is pinned yet"):
        read_version(store, 1)
    for root in (ONE, MORE, OTHER):
        pin_declared(store, root, is_forced=True)
    with pytest.raises(UsageError, match="no version 7 of the schema of default: there are 1 to 3"):
        read_version(store, 7)
