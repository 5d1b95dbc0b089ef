"""A day of 338,000 files and 4,000 runs behind the AWS APIs: a server of its own process that pages as AWS does.

It is no model of what AWS does with writes: it makes each page from what a day like that looks like, so that the time
and memory of whoever asks are what is measured. DynamoDB answers 1 MB a page before it projects, GetJobRuns 200 runs.
What it does not have is refused with AccessDenied, as missing permissions are.

    python -m tests.aws_at_scale FILES RUNS SHARES     shares: status=share,...   prints its port, serves until it ends
"""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ndjctl.contracts import Names, iso_utc, new_manifest_id, s3_uri

PAGE_BYTES = 1024 * 1024
FILE_ITEM_BYTES = 680
MANIFEST_ITEM_BYTES = 700
ACCOUNT = "123456789012"
NAMES = Names(ACCOUNT)
FILES_PER_MANIFEST = 100
DAY_S = 86_400
LATEST_S = 1_200
"""Files of the last 20 minutes are not at rest yet."""


@dataclass
class Day:
    """files: evenly over the day that ends now. shares: of statuses of files that are old enough to be at rest, or of
    any where `always` is set."""

    now: datetime
    files: int
    runs: int
    shares: dict[str, float]
    is_stuck: bool = False
    index: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = list(self.shares)
        ends = [sum(list(self.shares.values())[: number + 1]) for number in range(len(names))]
        for number in range(self.files):
            ago = DAY_S * (self.files - number) / self.files
            place = (number * 7_919 % 10_007) / 10_007
            status = names[min(bisect_right(ends, place), len(names) - 1)]
            if not self.is_stuck and ago < LATEST_S:
                status = ("processing", "manifested", "pending")[min(2, int((LATEST_S - ago) / 400))]
            self.index.setdefault(status, []).append((iso_utc(self.now - timedelta(seconds=ago)), number))

    def file(self, number: int, status: str, upload_time: str, wanted: list[str]) -> dict[str, Any]:
        """Only what is wanted is made: what the server takes is none of what is measured."""
        item: dict[str, Any] = {"upload_time": {"S": upload_time}}
        if "size_bytes" in wanted:
            item["size_bytes"] = {"N": "3700000000"}
        if "batch_id" in wanted and status != "pending":
            made = self.now - timedelta(seconds=DAY_S * (self.files - number) / self.files)
            item["batch_id"] = {"S": new_manifest_id(made, f"{number // FILES_PER_MANIFEST:08x}")}
        if "file_key" in wanted:
            key = f"ingest/region=eu/source-{number % 97:02d}/{upload_time[:10]}-events-{number:09d}.ndjson"
            item |= {"date_prefix": {"S": upload_time[:10]}, "file_key": {"S": key}, "updated_at": {"S": upload_time}}
            item |= {"error": {"S": "the object was overwritten while it was read"}} if status == "failed" else {}
        return item

    def manifest(self, number: int, date: str) -> dict[str, Any]:
        made = self.now - timedelta(seconds=DAY_S * (self.runs - number) / self.runs)
        return {
            "date_prefix": {"S": f"#manifests-closed#{date}"},
            "file_key": {"S": f"{new_manifest_id(made, f'{number:08x}')}#"},
            "state": {"S": "done"},
            "date": {"S": date},
            "file_count": {"N": str(FILES_PER_MANIFEST)},
            "size_bytes": {"N": "370000000000"},
            "created_at": {"S": iso_utc(made)},
            "started_at": {"S": iso_utc(made + timedelta(seconds=60))},
            "completed_at": {"S": iso_utc(min(made + timedelta(seconds=400), self.now))},
        }

    def run(self, newest: int) -> dict[str, Any]:
        """newest: its number, from the newest on."""
        started = self.now - timedelta(seconds=DAY_S * (newest + 0.5) / self.runs)
        manifest = new_manifest_id(started - timedelta(seconds=60), f"{newest:08x}")
        path = s3_uri(NAMES.manifest_bucket, f"manifests/{started:%Y-%m-%d}/manifest-{manifest}.json")
        is_over = newest >= 15
        return {
            "Id": f"jr_{newest:064x}",
            "JobName": NAMES.job,
            "JobRunState": "SUCCEEDED" if is_over else "RUNNING",
            "StartedOn": started.timestamp(),
            **({"CompletedOn": (started + timedelta(seconds=340)).timestamp()} if is_over else {}),
            "ExecutionTime": 340 if is_over else int((self.now - started).total_seconds()),
            "MaxCapacity": 40.0,
            "WorkerType": "G.2X",
            "NumberOfWorkers": 20,
            "Timeout": 120,
            "Attempt": 0,
            "Arguments": {"--MANIFEST_PATH": path},
        }

    # ------------------------------------------------------------------------------------------- operations

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        clauses = re.findall(r"(#?\w+) (=|>=|<) (:\w+)", request["KeyConditionExpression"])
        given = {names.get(name, name): (sign, values[value]["S"]) for name, sign, value in clauses}
        wanted = [names.get(each.strip(), each.strip()) for each in request.get("ProjectionExpression", "").split(",")]
        if "status" in given:
            found = self._files(given["status"][1], given.get("upload_time"), request, wanted)
        elif given.get("date_prefix", ("", ""))[1].startswith("#manifests-closed#"):
            found = self._closed(given["date_prefix"][1].rpartition("#")[2], request)
        else:
            found = [], None
        items, last = found
        answer: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        return {**answer, "LastEvaluatedKey": {"position": {"N": str(last)}}} if last is not None else answer

    def _files(
        self, status: str, bound: Any, request: dict[str, Any], wanted: list[str]
    ) -> tuple[list[dict[str, Any]], int | None]:
        rows = self.index.get(status, [])
        start, stop = 0, len(rows)
        if bound is not None:
            place = bisect_left(rows, (bound[1], -1))
            start, stop = (place, stop) if bound[0] == ">=" else (start, place)
        size = min(PAGE_BYTES // FILE_ITEM_BYTES, request.get("Limit", 10**9))
        span, last = _span(start, stop, size, request)
        return [self.file(rows[at][1], status, rows[at][0], wanted) for at in span], last

    def _closed(self, date: str, request: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        midnight = datetime.fromisoformat(date).replace(tzinfo=timezone.utc)
        ago = [(self.now - moment).total_seconds() for moment in (midnight, midnight + timedelta(days=1))]
        start, stop = (round(self.runs * (1 - each / DAY_S)) for each in ago)
        start, stop = max(0, start), max(0, min(stop, self.runs - 20))  # the newest are open
        span, last = _span(start, max(start, stop), PAGE_BYTES // MANIFEST_ITEM_BYTES, request)
        return [self.manifest(at, date) for at in span], last

    def get_job_runs(self, request: dict[str, Any]) -> dict[str, Any]:
        start = int(request.get("NextToken") or 0)
        stop = min(self.runs, start + min(200, request.get("MaxResults", 200)))
        answer = {"JobRuns": [self.run(number) for number in range(start, stop)]}
        return {**answer, "NextToken": str(stop)} if stop < self.runs else answer


def _span(start: int, stop: int, size: int, request: dict[str, Any]) -> tuple[range, int | None]:
    """(the places of a page in its order, where the next one goes on)."""
    at = request.get("ExclusiveStartKey")
    position = int(at["position"]["N"]) if at else None
    if request.get("ScanIndexForward", True):
        first = start if position is None else position
        end = min(stop, first + size)
        return range(first, end), end if end < stop else None
    first = stop if position is None else position
    end = max(start, first - size)
    return range(first - 1, end - 1, -1), end if end > start else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    day: Day

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _service, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
        if b"Action=GetCallerIdentity" in body:
            return self._xml(
                f"<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
                f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/x</Arn><UserId>x</UserId>"
                f"</GetCallerIdentityResult></GetCallerIdentityResponse>"
            )
        request = json.loads(body) if body.startswith(b"{") else {}
        if operation == "Query":
            return self._json(self.day.query(request))
        if operation == "BatchGetItem":
            return self._json({"Responses": {}, "UnprocessedKeys": {}})
        if operation == "GetJobRuns":
            return self._json(self.day.get_job_runs(request))
        if operation == "GetQueueUrl":
            return self._json({"QueueUrl": f"http://127.0.0.1/{ACCOUNT}/{request['QueueName']}"})
        if operation == "GetQueueAttributes":
            return self._json({"Attributes": {"ApproximateNumberOfMessages": "5"}})
        return self._json({"__type": "AccessDeniedException", "message": f"not allowed: {operation}"}, 400)

    def do_GET(self) -> None:
        self._json({"__type": "AccessDeniedException", "message": "not allowed"}, 403)

    def _json(self, answer: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(answer).encode(), "application/x-amz-json-1.0", status)

    def _xml(self, text: str) -> None:
        self._send(text.encode(), "text/xml", 200)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    files, runs = int(sys.argv[1]), int(sys.argv[2])
    shares = {name: float(share) for name, _, share in (each.partition("=") for each in sys.argv[3].split(","))}
    _Handler.day = Day(datetime.now(timezone.utc), files, runs, shares, is_stuck="stuck" in sys.argv[4:])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
