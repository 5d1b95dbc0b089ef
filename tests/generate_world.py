"""Generated files as the record path sees them: what is bad, and what is rescued against which schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from glue_job import schema
from glue_job.conform import Conformer, Place
from glue_job.infer import Observer
from glue_job.records import BadLine, parse
from glue_job.schema import Struct
from ndjctl.generate.content import Generator
from ndjctl.generate.recipe import NONE, Amount, Recipe
from ndjctl.generate.record import FileFacts
from ndjctl.generate.schema_of import schema_document

DATE = "2026-11-23"
SHAPES = ("events", "flat", "wide", "tweets", "schema")

OWN_SCHEMA = {
    "format": "ndjctl.schema",
    "version": 1,
    "fields": [
        {"name": "id", "type": "int64"},
        {"name": "a/b~c %d", "type": "string"},
        {"name": "Added_Text", "type": "double"},
        {"name": "spoiled", "type": "bool"},
        {"name": "größe", "type": {"struct": [{"name": "x", "type": "string"}, {"name": "y", "type": "double"}]}},
        {"name": "only", "type": {"struct": [{"name": "flag", "type": "bool"}]}},
        {"name": "nothing", "type": "unknown"},
        {"name": "list", "type": {"list": {"struct": [{"name": "n", "type": "int64"}]}}},
        {"name": "lists", "type": {"list": {"list": "unknown"}}},
    ],
}


def share(text: str) -> Amount:
    return Amount(share=Fraction(text))


def recipe(shape: str, seed: int = 1, bad: Amount = NONE, drift: Amount = NONE, **more: Any) -> Recipe:
    own = OWN_SCHEMA if shape == "schema" else None
    return Recipe(shape, seed, DATE, bad=bad, drift=drift, schema=own, **more)


def made(generator: Generator, number: int = 0) -> tuple[bytes, FileFacts]:
    content = generator.content(number)
    body = b"".join(content)
    assert content.facts is not None
    return body, content.facts


def root_of(generator: Generator) -> Struct:
    """Of the schema that is written beside the files."""
    return schema.from_json({"struct": schema_document(generator)["fields"]}, "the schema")


@dataclass
class Seen:
    """What a pipeline makes of the lines."""

    lines: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    rescued: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    observer: Observer = field(default_factory=Observer)


def seen(body: bytes, root: Struct | None = None) -> Seen:
    """root: None for the schema that all of the lines show."""
    found = Seen()
    assert body.endswith(b"\n")
    lines = body.removesuffix(b"\n").split(b"\n")
    found.lines = len(lines)
    records = []
    for line in lines:
        try:
            records.append(parse(line))
        except BadLine as error:
            found.bad[error.reason] += 1
        else:
            found.observer.add(records[-1])
    conformer = Conformer(root or found.observer.schema())
    for record in records:
        conformer.conform(record)
    found.rescued = places(conformer.drift.counts.items())
    return found


def places(counts: Iterable[tuple[Place, int]]) -> Counter[tuple[str, str, str]]:
    return Counter({(place.pointer, place.expected or "", place.found): count for place, count in counts})


def promised(facts: FileFacts, *kinds: str) -> Counter[tuple[str, str, str]]:
    """Values off the schema as the record has them, of these kinds or of all."""
    wanted = {p: count for p, count in facts.drifted.items() if not kinds or p.kind in kinds}
    return Counter({(p.pointer, p.expected, p.found): count for p, count in wanted.items()})
