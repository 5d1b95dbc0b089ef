"""Memory that is used again instead of being given back and asked for again.

A chunk's bytes, its columns and what is made of them are of the same sizes again and again. By their defaults glibc and
mimalloc, which pyarrow allocates from, give them back to the system every time, and every page that comes back is
zeroed and mapped anew: 1 to 2 CPU seconds per gigabyte of NDJSON. What is kept would be added to the peak of a long
line, whose blocks are of other sizes; so it is given back before one.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import MutableMapping
from functools import lru_cache

_LARGEST_BYTES = 32 * 1024 * 1024
"""Larger blocks are given back at once: they are of single long lines. It is also glibc's own limit."""

_KEPT_BYTES = 128 * 1024 * 1024

_KEPT_MS = 10_000
"""Long enough for everything that is used again. Not for ever, which is -1: then nothing is given back on demand."""

VARIABLES = {
    "MIMALLOC_PURGE_DELAY": str(_KEPT_MS),
    "MALLOC_MMAP_THRESHOLD_": str(_LARGEST_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES),
}
"""Environment of a process that converts. They work from its start only."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_memory(environ: MutableMapping[str, str] = os.environ) -> None:
    """For this process, before it imports pyarrow, and for those that it starts. What the environment says already
    stays."""
    for name, value in VARIABLES.items():
        environ.setdefault(name, value)
    library = _c_library()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, int(environ["MALLOC_MMAP_THRESHOLD_"]))
        library.mallopt(_M_TRIM_THRESHOLD, int(environ["MALLOC_TRIM_THRESHOLD_"]))


def give_back() -> None:
    """What is kept, to the system: before something that takes much memory at once, of other sizes."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _c_library() -> ctypes.CDLL | None:
    """glibc; None where there is another one, with habits of its own."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        library.mallopt, library.malloc_trim  # noqa: B018 - looked up by name, here
    except (OSError, AttributeError):
        return None
    return library
