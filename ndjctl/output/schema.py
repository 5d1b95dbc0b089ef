"""How schemas look: what was inferred, what is pinned, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from glue_job import schema
from glue_job.pin import StoredVersion
from glue_job.schema import ListOf, Scalar, Struct, Type
from ndjctl.contracts import s3_uri, schema_key
from ndjctl.observed import Inference, describe, left_out
from ndjctl.output.base import View, console, one_line
from ndjctl.output.field_table import FieldRow, field_table
from ndjctl.output.progress import counted
from ndjctl.schemas import ADDED, CHANGED, REMOVED, RENAMED, Difference, type_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

LISTED_VERSIONS = 20


def inference_view(found: Inference) -> View:
    root = found.root
    fields = describe(root, found.observer)
    without_column = left_out(found.observer)
    about = {
        "files": found.files,
        "records": found.records,
        "bad_lines": found.bad_lines,
        "every_line": found.is_all,
        "failed": found.failed,
        "remarks": [{"path": f.path, "remarks": list(f.remarks)} for f in fields if f.remarks],
        "without_column": without_column,
    }
    return View(schema.document(root, about), lambda: _inferred(found, root, without_column))


def _inferred(found: Inference, root: Struct, without_column: Sequence[str]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    rows = [
        FieldRow(field.name, field.depth, field.type, _share(field.values, field.of), "; ".join(field.remarks))
        for field in describe(root, found.observer)
    ]
    lines: list[RenderableType] = [field_table(rows, console().width)] if rows else []
    read = "every line" if found.is_all else "the first lines of each; --all reads every line"
    summary = (
        f"{counted(schema.count_columns(root), 'column')} from {counted(found.records, 'record')} "
        f"of {counted(found.files, 'file')} ({read})"
    )
    lines.append(Text(summary, style="bold"))
    if found.bad_lines:
        lines.append(Text(f"{counted(found.bad_lines, 'bad line')} passed over", style="yellow"))
    for name in without_column[:10]:
        lines.append(Text(one_line(f"{name} can have no column and would go to _rescued"), style="yellow"))
    lines += [Text(one_line(f"failed: {reason}"), style="red") for reason in found.failed[:10]]
    if len(found.failed) > 10:
        lines.append(Text(f"failed: and {len(found.failed) - 10:,} more (see --json)", style="red"))
    return Group(*lines)


def pinned_view(
    bucket: str, dataset: str, shown: StoredVersion | None, root: Struct, versions: Sequence[StoredVersion]
) -> View:
    """shown: the version that `root` is; None if nothing is pinned."""
    listed = [{"version": v.version, "created_at": v.created_at, "manifest_id": v.manifest_id} for v in versions]
    if shown is None:
        empty = (
            f"No schema is pinned for the dataset {dataset} yet: its first manifest does, or 'ndjctl schema pin FILE'."
        )
        return View({"dataset": dataset, "schema_version": None, "versions": []}, lambda: empty)
    uri = s3_uri(bucket, schema_key(dataset, shown.version))
    about = {
        "dataset": dataset,
        "schema_version": shown.version,
        "created_at": shown.created_at,
        "manifest_id": shown.manifest_id,
        "uri": uri,
        "versions": listed,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        rows = [FieldRow(name, depth, type_text(column)) for name, column, depth in _walk(root, 0)]
        table = field_table(rows, console().width)
        head = f"{dataset} version {shown.version}, {counted(schema.count_columns(root), 'column')}, {uri}"
        return Group(Text(one_line(head), style="bold"), table, _versions(shown, versions))

    return View(schema.document(root, about), render)


def _versions(shown: StoredVersion, versions: Sequence[StoredVersion]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("version", "pinned at (UTC)", "by"):
        table.add_column(column)
    for version in list(reversed(versions))[:LISTED_VERSIONS]:
        by = f"manifest {version.manifest_id}" if version.manifest_id else "'ndjctl schema pin'"
        style = "bold" if version == shown else ""
        table.add_row(str(version.version), Text(one_line(version.created_at)), Text(one_line(by)), style=style)
    if len(versions) > LISTED_VERSIONS:
        table.add_row("...", "", f"and {len(versions) - LISTED_VERSIONS:,} older (see --json)")
    return table


def differences_document(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "path": found.path,
            "kind": found.kind,
            "before": found.before or None,
            "after": found.after or None,
            "breaks_readers": found.breaks_readers,
        }
        for found in differences
    ]


def difference_view(before: str, after: str, differences: Sequence[Difference]) -> View:
    """before, after: what the two schemas are called."""
    document = {
        "before": before,
        "after": after,
        "equal": not differences,
        "differences": differences_document(differences),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if not differences:
            return Text(one_line(f"{before} and {after} are the same schema"), style="green")
        return Group(*(_line(found) for found in differences))

    return View(document, render)


def pin_view(
    dataset: str, version: int, is_pinned: bool, differences: Sequence[Difference], is_refused: bool = False
) -> View:
    """version: the newest one, after what was done. differences: to the one before."""
    document = {
        "dataset": dataset,
        "schema_version": version,
        "pinned": is_pinned,
        "refused": is_refused,
        "differences": differences_document(differences),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines = [_line(found) for found in differences]
        if is_pinned:
            return Group(*lines, Text(f"pinned as version {version} of {dataset}", style="bold green"))
        if not is_refused:
            return Text(f"version {version} of {dataset} is this very schema: nothing to do", style="green")
        breaking = [found for found in differences if found.breaks_readers]
        refused = (
            f"REFUSED  whoever reads {dataset} would stumble over {counted(len(breaking), 'change')} (marked !); "
            f"version {version} stays the newest, --force pins it all the same"
        )
        return Group(*lines, Text(refused, style="bold red"))

    return View(document, render)


def _line(found: Difference) -> Text:
    from rich.text import Text

    signs = {ADDED: ("+", "green"), REMOVED: ("-", "red"), CHANGED: ("~", "yellow"), RENAMED: ("~", "yellow")}
    sign, style = signs.get(found.kind, ("~", "dim"))
    what = {
        ADDED: found.after,
        REMOVED: found.before,
        CHANGED: f"{found.before} -> {found.after}",
        RENAMED: f"is {found.after} now, which differs in case only",
    }.get(found.kind, "its fields come in another order")
    mark = "  !" if found.breaks_readers else ""
    return Text(one_line(f"{sign} {found.path}  {what}{mark}"), style=style)


def _share(values: int, of: int) -> str:
    return f"{values:,} of {of:,}" if values < of else "all"


def _walk(column: Type, depth: int) -> Iterator[tuple[str, Type, int]]:
    """(name, type, depth) of every field below."""
    if isinstance(column, Struct):
        for field in column.fields:
            yield field.name, field.type, depth
            yield from _walk(field.type, depth + 1)
    elif isinstance(column, ListOf) and not isinstance(column.element, Scalar):
        yield "[]", column.element, depth
        yield from _walk(column.element, depth + 1)
