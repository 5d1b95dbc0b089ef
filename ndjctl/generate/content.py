"""The bytes of one generated file, block by block, and what is in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ndjctl.generate.recipe import Recipe
from ndjctl.generate.record import FileFacts


class Generator:
    """Makes files by one recipe; built once, which takes a moment, and then used for all of them."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def content(self, number: int) -> FileContent:
        """The file of that number, from 0. The same number is the same bytes."""
        return FileContent(self, number)


class FileContent:
    """Iterates over the bytes of one file in blocks of whole lines; iterating again gives the same bytes again.
    `facts` is there when an iteration has come to its end."""

    def __init__(self, generator: Generator, number: int) -> None:
        self._generator = generator
        self.number = number
        self.facts: FileFacts | None = None

    def __iter__(self) -> Iterator[bytes]:
        raise NotImplementedError
