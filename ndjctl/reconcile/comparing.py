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


def compare(contents: Iterable[Content], own: Report | None, report_of: Callable[[str], Report | None]) -> Compared:
    """own: the report of the manifest's run. report_of: of another manifest, by its id; asked where a run of that one
    took rows out."""
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
        if found:
            compared.as_written.append(listed)
        elif found is False:
            compared.problems.append(Problem(CHANGED, uri, _why(listed.size_bytes, record)))
    return compared


def _why(size_bytes: int, record: Record) -> str:
    if record.size_bytes in (None, size_bytes):
        return "changed since its run wrote it: as many bytes, another ETag"
    return f"changed since its run wrote it: {size_bytes:,} bytes, not {record.size_bytes:,}"
