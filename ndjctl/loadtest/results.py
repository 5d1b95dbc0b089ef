"""Reports of tests as they are kept: an object each in the manifest bucket, so that colleagues see them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import FormatError, Names
from ndjctl.contracts.formats import read_document
from ndjctl.errors import UsageError
from ndjctl.loadtest.model import PHASES, is_test_id, told_shape
from ndjctl.loadtest.verdict import PASS
from ndjctl.plain import counted
from ndjctl.reconcile.streams import list_bucket

REPORT_FORMAT = "ndjctl.loadtest-report"
REPORT_VERSION = 1
PREFIX = "loadtests/"

Report = Mapping[str, Any]


def result_key(test_id: str) -> str:
    return f"{PREFIX}{test_id}.json"


class Results:
    """Of one environment. Raises what boto3 raises."""

    def __init__(self, s3: Any, names: Names) -> None:
        self._s3 = s3
        self._bucket = names.manifest_bucket

    def put(self, report: Report) -> None:
        body = (json.dumps(report, indent=1) + "\n").encode()
        self._s3.put_object(
            Bucket=self._bucket, Key=result_key(str(report["id"])), Body=body, ContentType="application/json"
        )

    def ids(self) -> list[str]:
        """The newest first."""
        keys = (listed.key for listed in list_bucket(self._s3, self._bucket, PREFIX))
        found = (key.removeprefix(PREFIX).removesuffix(".json") for key in keys)
        return sorted((test_id for test_id in found if is_test_id(test_id)), reverse=True)

    def all(self) -> Iterator[Report]:
        """The newest first, each read when asked for; what is no report is left out."""
        yield from self.each(self.ids())

    def each(self, ids: Iterable[str]) -> Iterator[Report]:
        """Those with these ids, each read when asked for; what is no report is left out."""
        for test_id in ids:
            try:
                yield self.get(test_id)
            except UsageError:
                continue

    def get(self, test_id: str) -> Report:
        """The report of the test whose id is or begins with this. Raises UsageError where there is none, or several."""
        from botocore.exceptions import ClientError

        wanted = test_id
        if not is_test_id(test_id):
            found = [each for each in self.ids() if test_id and each.startswith(test_id)]
            if len(found) != 1:
                what = f"are {len(found)} results of load tests" if found else "is no result of a load test"
                which = "ids begin" if found else "id begins"
                raise UsageError(f"There {what} whose {which} with {test_id!r}: see 'ndjctl loadtest list'.")
            wanted = found[0]
        key = result_key(wanted)
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return read_document(body, REPORT_FORMAT, REPORT_VERSION, key)
        except ClientError as error:
            if not is_not_found(error):
                raise
            raise UsageError(f"There is no result of a load test {test_id!r}: see 'ndjctl loadtest list'.") from error
        except FormatError as error:
            raise UsageError(f"{str(error).rstrip('.')}.") from error


Passed = Mapping[int, tuple[Report, ...]]
"""Passed tests of one configuration by their phase, the largest first: one that is smaller says nothing against it."""


def passed(reports: Iterable[Report], configuration: str) -> Passed:
    """reports: of any configuration and verdict."""
    found: dict[int, list[Report]] = {}
    for report in reports:
        if report.get("verdict") == PASS and report.get("configuration", {}).get("hash") == configuration:
            phase = int(report.get("phase", 0))
            if phase in PHASES:
                found.setdefault(phase, []).append(report)
    return {phase: tuple(sorted(each, key=_size_bytes, reverse=True)) for phase, each in found.items()}


def _size_bytes(report: Report) -> int:
    return int(report["settings"]["files"]) * int(report["settings"]["file_size_bytes"])


def is_allowed(phase: int, file_size_bytes: int, share: float, shape: str, done: Passed) -> bool:
    """Whether the phase before was passed, with records of the same shape, files as large and at least as large a share
    of its files. done: of passed(). share: of the phase's own files, that the test has. shape: of told_shape()."""
    if phase <= min(PHASES):
        return True
    return any(
        told_shape(each["settings"]) == shape
        and int(each["settings"]["file_size_bytes"]) >= file_size_bytes
        and int(each["settings"]["files"]) / PHASES[phase - 1] >= min(share, 1.0) * (1 - 1e-9)
        for each in done.get(phase - 1, ())
    )


def _of_shape(report: Report) -> str:
    shape = told_shape(report["settings"])
    return "" if shape == "events" else f" of {shape}"


def told_phases(done: Passed) -> str:
    """One sentence's worth: which phases were passed, with the largest test of each, and which were not."""
    told = [
        f"phase {phase} ({counted(int(report['settings']['files']), 'file')} of "
        f"{counted(int(report['settings']['file_size_bytes']), 'byte')}{_of_shape(report)}, {report['id']})"
        for phase, (report, *_) in sorted(done.items())
    ]
    missing = [str(phase) for phase in PHASES if phase not in done]
    if not told:
        return "no phase was passed"
    return f"passed: {', '.join(told)}" + (f"; not passed: phase {', '.join(missing)}" if missing else "")


@dataclass(frozen=True)
class Compared:
    """One row of a comparison. unit: empty for what has none. read(): the figure in a report; it may raise KeyError or
    TypeError. is_quantity: whether the change from one to the other says something."""

    name: str
    unit: str
    read: Callable[[Report], Any]
    is_quantity: bool = True


COMPARED: tuple[Compared, ...] = (
    Compared("verdict", "", lambda report: report["verdict"], False),
    Compared("phase", "", lambda report: report["phase"], False),
    Compared("configuration", "", lambda report: report["configuration"]["hash"], False),
    Compared("files", "", lambda report: report["settings"]["files"]),
    Compared("file size", "bytes", lambda report: report["settings"]["file_size_bytes"]),
    Compared("shape", "", lambda report: told_shape(report["settings"]), False),
    Compared("bad lines", "each file", lambda report: report["settings"]["bad_lines"], False),
    Compared("drift", "each file", lambda report: report["settings"]["drift"], False),
    Compared("pattern", "", lambda report: report["settings"]["pattern"], False),
    Compared("rate", "files/s", lambda report: report["settings"]["rate_per_s"]),
    Compared("chaos", "", lambda report: report["settings"]["chaos"], False),
    Compared("completed", "files", lambda report: report["counts"].get("completed", 0)),
    Compared("time", "s", lambda report: report["seconds"]),
    Compared("throughput", "MB/s", lambda report: report["mb_per_s"]),
    Compared("p50", "s", lambda report: report["latency_s"]["p50"]),
    Compared("p95", "s", lambda report: report["latency_s"]["p95"]),
    Compared("p99", "s", lambda report: report["latency_s"]["p99"]),
    Compared("manifests", "", lambda report: report["manifests"]),
    Compared("runs", "", lambda report: report["runs"]["count"]),
    Compared("failed runs", "", lambda report: report["runs"]["failed"]),
    Compared("DPU hours", "", lambda report: report["dpu_hours"]),
    Compared("cost", "USD", lambda report: report["cost"]["total_usd"]),
    Compared("estimate", "USD", lambda report: report["cost"]["estimated_usd"]),
)
"""What two reports are compared by: first what they were asked for, then what they came to."""
