"""Paths on the command line. An empty one is a variable that was not set: it never stands for this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import typer


def path_of(text: str) -> Path:
    """Raises typer.BadParameter for ''."""
    if not text:
        raise typer.BadParameter("'' is no path: name a file or a folder, or '.' for this one")
    return Path(text)


def check_paths(annotation: Any) -> Any:
    """The annotation of a parameter, whose paths are read by path_of from here on."""
    if _takes_paths(annotation):
        for about in annotation.__metadata__:
            about.parser = path_of
    return annotation


def _takes_paths(annotation: Any) -> bool:
    return annotation is Path or any(map(_takes_paths, get_args(annotation)))
