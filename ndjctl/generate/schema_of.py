"""The schema that the records of a recipe follow, but for those that drift: what `ndjctl schema pin` takes."""

from __future__ import annotations

from typing import Any

from glue_job import schema
from glue_job.infer import Observer
from glue_job.records import parse
from ndjctl.generate.content import Generator

SCHEMA_FILE = "_schema.json"


def schema_document(generator: Generator) -> dict[str, Any]:
    """The stored form of a schema. Of a shape that was made from one, that one, without the fields of which only null
    and empty lists are made."""
    observer = Observer()
    for line in generator.sample():
        observer.add(parse(line))
    return schema.document(observer.schema(), {})
