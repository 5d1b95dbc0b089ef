"""The objects of a manifest's output beside what the reports of the runs that wrote them say of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ndjctl.contracts import s3_uri
from ndjctl.reconcile.findings import CHANGED
from ndjctl.reconcile.parts import Content
from ndjctl.reconcile.reports import Report
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.unchanged import Record, is_unchanged
from ndjctl.reconcile.verdicts import Problem


@dataclass
class Compared:
    """as_written: objects that are what their run wrote. problems: of those that are not. Of the others nobody
    knows."""

    as_written: list[Listed] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def compare(
    contents: Iterable[Content],
    own: Report | None,
    report_of: Callable[[str], Report | None],
    are_same_bytes: Callable[[Listed, Record], bool | None],
) -> Compared:
    """own: the report of the manifest's run. report_of: of another manifest, by its id; asked where a run of that one
    took rows out. are_same_bytes: whether the object holds what is on record, None where that cannot be told; asked of
    one with another ETag."""
    compared = Compared()
    reports = {"": own}
    for content in contents:
        by = content.mark.by_manifest
        if by not in reports:
            reports[by] = report_of(by)
        report, listed = reports[by], content.listed
        uri = s3_uri(listed.bucket, listed.key)
        record = report.records.get(uri) if report is not None else None
        if record is None or content.problem:
            continue
        count = sum(content.rows.values())
        found = is_unchanged(listed.etag, listed.size_bytes, count, content.mark, record)
        if found is None:
            continue
        is_same = found or (are_same_bytes(listed, record) if record.etag else None)
        if is_same:
            compared.as_written.append(listed)
        else:
            compared.problems.append(Problem(CHANGED, uri, _why(listed.size_bytes, record, is_same)))
    return compared


def _why(size_bytes: int, record: Record, is_same: bool | None) -> str:
    if record.size_bytes not in (None, size_bytes):
        return f"changed since its run wrote it: {size_bytes:,} bytes, not {record.size_bytes:,}"
    return f"changed since its run wrote it: as many bytes, {'another ETag' if is_same is None else 'others'}"
