"""How files of the ledger look: a line each, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import STATUSES
from ndjctl.listing.files import ListedFile
from ndjctl.output.base import StreamView, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.times import shown, told
from ndjctl.redrive.choice import reason_alone

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {"completed": "green", "failed": "red", "quarantined": "yellow"}
_LINE = "{:<11}  {:<20}  {:>10}  {}"


def files_view(env: str, files: Iterable[ListedFile], next_: str) -> StreamView:
    """next_: what to type about one of them, with the environment in it."""
    counts: Counter[str] = Counter()
    size_bytes = 0

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal size_bytes
        for file in files:
            counts[file.status] += 1
            size_bytes += file.size_bytes or 0
            yield file_document(file), lambda file=file: _line(file)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        return Text(_LINE.format("status", "uploaded", "size", "file"), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        total = sum(counts.values())
        members = {"count": total, "bytes": size_bytes, "statuses": dict(counts)}
        if not total:
            return members, Text("No files.")
        known = [status for status in STATUSES if counts[status]]
        others = [status for status in counts if status not in STATUSES]
        statuses = ", ".join(f"{counts[status]:,} {one_line(status)}" for status in (*known, *others))
        text = Text(f"{counted(total, 'file')}, {size(size_bytes)}: {statuses}", style="bold")
        return members, text.append(f"\nnext: {one_line(next_)}", style="dim not bold")

    return StreamView({"env": env}, "files", rows(), heading, summary)


def file_document(file: ListedFile) -> dict[str, Any]:
    return {
        "date": file.date,
        "key": file.key,
        "status": file.status,
        "bucket": file.bucket or None,
        "size_bytes": file.size_bytes,
        "etag": file.etag or None,
        "uploaded_at": told(file.uploaded_at),
        "updated_at": told(file.updated_at),
        "completed_at": told(file.completed_at),
        "manifest_id": file.manifest_id or None,
        "run_id": file.run_id or None,
        "attempt": file.attempt,
        "reason": file.why or None,
        "quarantine_key": file.quarantine_key or None,
        "lines": file.lines,
        "rows": file.rows,
        "bad_lines": file.bad_lines,
        "superseded_by_etag": file.superseded_by or None,
    }


def _line(file: ListedFile) -> Text:
    from rich.text import Text

    known_size = "-" if file.size_bytes is None else size(file.size_bytes)
    text = Text(_LINE.format(one_line(file.status), shown(file.uploaded_at), known_size, one_line(file.key)))
    text.stylize(STYLES.get(file.status, "cyan"), 0, len(one_line(file.status)))
    notes = [reason_alone(file.why, file.key)] if file.why else []
    notes += ["overwritten since"] if file.superseded_by else []
    if file.bad_lines:
        notes.append(f"{counted(file.bad_lines, 'line')} quarantined")
    return text.append(f"  {one_line('; '.join(notes))}", style=STYLES.get(file.status, "yellow")) if notes else text
