"""From parts that are whole but out of sight to parts that are visible: all of them, after everything was counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from glue_job.convert import PartResult
from glue_job.store import Published, Store

_THREADS = 8


def publish(store: Store, results: Sequence[PartResult]) -> list[list[Published]]:
    """Makes what the results wrote visible: of each part the objects, bad lines first, so that rows are never seen
    without the bad lines beside them. Raises what Store.publish() raises; some are then visible."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda result: _publish_part(store, result), results))


def _publish_part(store: Store, result: PartResult) -> list[Published]:
    return [store.publish(written) for written in (result.bad_lines_written, result.written) if written is not None]


def discard(store: Store, results: Iterable[PartResult]) -> None:
    """Drops what the results wrote and is not published. Never raises."""
    for result in results:
        for written in (result.bad_lines_written, result.written):
            if written is not None:
                store.discard(written)
        result.written = result.bad_lines_written = None
