"""The shapes by their names. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ndjctl.generate.recipe import Recipe, RecipeError
from ndjctl.generate.shape import Shape
from ndjctl.generate.shape_events import events
from ndjctl.generate.shape_schema import from_schema
from ndjctl.generate.shape_tables import flat, wide
from ndjctl.generate.shape_tweets import tweets

SHAPES: Mapping[str, Callable[[int, str], Shape]] = {"events": events, "flat": flat, "wide": wide, "tweets": tweets}
SCHEMA_SHAPE = "schema"


def shape_of(recipe: Recipe) -> Shape:
    """Raises RecipeError for a shape that is not known, and for a schema that is none."""
    if recipe.schema is not None:
        return from_schema(recipe.seed, recipe.schema)
    if recipe.shape not in SHAPES:
        raise RecipeError(f"There is no shape {recipe.shape!r}: take one of {', '.join(SHAPES)}, or a schema.")
    return SHAPES[recipe.shape](recipe.seed, recipe.date)
