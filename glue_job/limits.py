"""When a file has too many bad lines to be taken. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from glue_job.convert import PartResult
from glue_job.store import InputFile


def over_limit(
    files: Sequence[InputFile], results: Iterable[PartResult], max_lines: int | None, max_percent: float | None
) -> dict[int, str]:
    """The reasons, by file index, of the files that have more bad lines than that; None is no limit. results: of all
    parts, each with what it read."""
    if max_lines is None and max_percent is None:
        return {}
    lines = dict.fromkeys(range(len(files)), 0)
    bad_lines = dict(lines)
    first: dict[int, str] = {}
    for piece in (piece for result in results for piece in result.slices):
        index = piece.piece.file
        lines[index] += piece.lines
        bad_lines[index] += piece.bad_lines
        if piece.first_bad:
            first.setdefault(index, piece.first_bad)
    reasons = {}
    for index, count in bad_lines.items():
        percent = 100 * count / max(lines[index], 1)
        limits = []
        if max_lines is not None and count > max_lines:
            limits.append(f"{max_lines} lines")
        if max_percent is not None and percent > max_percent:
            limits.append(f"{max_percent:g} %")
        if limits:
            reasons[index] = (
                f"{files[index].uri}: {count} of {lines[index]} lines are bad, the limit is {' and '.join(limits)}; "
                f"the first: {first[index]}"
            )
    return reasons
