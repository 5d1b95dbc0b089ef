"""Memory that is used again instead of being given back and asked for again.

A chunk's bytes, its columns and what is made of them are of the same sizes again and again. By their defaults glibc and
mimalloc, which pyarrow allocates from, give them back to the system every time, and every page that comes back is
zeroed and mapped anew: 1 to 2 CPU seconds per gigabyte of NDJSON. The peak stays what it is.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import MutableMapping

_LARGEST_BYTES = 32 * 1024 * 1024
"""Larger blocks are given back at once: they are of single long lines. It is also glibc's own limit."""

_KEPT_BYTES = 128 * 1024 * 1024

VARIABLES = {
    "MIMALLOC_PURGE_DELAY": "-1",
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
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another C library, with habits of its own
    mallopt(_M_MMAP_THRESHOLD, int(environ["MALLOC_MMAP_THRESHOLD_"]))
    mallopt(_M_TRIM_THRESHOLD, int(environ["MALLOC_TRIM_THRESHOLD_"]))
