"""Rules of the embedded cloud that need no process: what may ask, what is kept, what a process inherits."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.embedded import callers, environment, keeping, quotas
from ndjctl.embedded.gate import gated, may_change_state, why_refused
from ndjctl.embedded.ranges import LEAST_BYTES, RangedReads
from ndjctl.embedded.record import CloudRecord, PartRecord, read_record, write_record
from ndjctl.embedded.storage import RESERVE_BYTES, GuardedStorage


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4566", "localhost:1", "LOCALHOST", "[::1]:80", "b.localhost:1"]
)
def test_programs_of_this_machine_are_served(host: str) -> None:
    assert why_refused({"host": host}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.test"},
        {"host": "127.0.0.1.evil.test:80"},
        {"host": "xlocalhost"},
        {"host": "localhost", "origin": "http://localhost:3000"},
        {"host": "localhost", "sec-fetch-site": "cross-site"},
    ],
)
def test_others_are_not(headers: dict[str, str]) -> None:
    assert why_refused(headers)


@pytest.mark.parametrize(
    ("method", "path", "target", "expected"),
    [
        ("GET", "/bucket/key", "", False),
        ("PUT", "/bucket/key", "", True),
        ("POST", "/", "DynamoDB_20120810.PutItem", True),
        ("POST", "/", "DynamoDB_20120810.Query", False),
        ("POST", "/", "DynamoDB_20120810.TransactGetItems", True),
        ("POST", "/", "AmazonSQS.ReceiveMessage", True),
        ("POST", "/", "", True),
        ("POST", "/_ministack/health", "", False),
    ],
)
def test_only_reads_are_known_to_change_nothing(method: str, path: str, target: str, expected: bool) -> None:
    assert may_change_state(method, path, {"x-amz-target": target}) is expected


def test_a_change_is_told_even_when_the_request_fails() -> None:
    touched: list[int] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise OSError

    scope = {"type": "http", "method": "PUT", "path": "/b/k", "headers": [(b"Host", b"localhost")]}
    with pytest.raises(OSError):
        asyncio.run(gated(failing, lambda: touched.append(1))(scope, None, None))
    assert touched == [1]


def test_processes_inherit_only_what_is_listed(tmp_path: Path) -> None:
    user = {
        "PATH": "/bin",
        "HOME": "/home/u",
        "AWS_PROFILE": "prod",
        "AWS_SECRET_ACCESS_KEY": "real",
        "PYTHONPATH": "/elsewhere",
        "JAVA_TOOL_OPTIONS": "-Dx",
        "https_proxy": "http://p",
        "AUTH": "true",
    }
    variables = environment.services_environment(
        user, tmp_path, port=5, glue_endpoint_url="http://127.0.0.1:6", import_root=Path("/root-of-the-package")
    )
    assert {name for name in user if variables.get(name) == user[name]} == {"PATH", "HOME"}
    assert variables["AWS_SECRET_ACCESS_KEY"] == "test" and variables["BIND_HOST"] == "127.0.0.1"
    assert variables["LAMBDA_ACCOUNT_CONCURRENCY"] == "1000"
    assert not {"AWS_PROFILE", "JAVA_TOOL_OPTIONS", "https_proxy", "AUTH"} & variables.keys()


@pytest.mark.parametrize(
    ("environ", "limits"),
    [
        ({}, quotas.Limits(200, 1000, 1000)),
        ({"NDJ_GLUE_MAX_RUNS_PER_ACCOUNT": "3", "NDJ_GLUE_MAX_DPUS": "7"}, quotas.Limits(3, 1000, 7)),
        ({"NDJ_GLUE_MAX_RUNS_PER_JOB": "0", "NDJ_GLUE_MAX_DPUS": "-1"}, quotas.Limits()),
        ({"NDJ_GLUE_MAX_RUNS_PER_JOB": "ten", "NDJ_GLUE_MAX_DPUS": "1.5"}, quotas.Limits()),
    ],
)
def test_limits_are_those_of_a_new_account_unless_set(environ: dict[str, str], limits: quotas.Limits) -> None:
    assert quotas.limits_of(environ) == limits
    assert set(quotas.limits_of(environ).by_code()) == {q.code for q in quotas.QUOTAS if q.service == "glue"}
    assert quotas.lambda_concurrency({**environ, "NDJ_LAMBDA_CONCURRENCY": "12"}) == 12


@given(
    caller=st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3).map(lambda d: {"kind": "k", **d}),
    junk=st.text(max_size=30),
)
def test_a_session_token_names_its_caller(caller: dict[str, str], junk: str) -> None:
    token = callers.session_token(caller)
    assert callers.caller_of(token) == caller
    assert token.isascii() and token.isprintable() and " " not in token
    assert callers.caller_of(junk) == callers.OTHER
    assert callers.caller_of(f"ndj.{junk}") == callers.OTHER


ports = st.integers(1, 65535)
parts = st.builds(PartRecord, st.integers(1, 2**22), ports, st.none() | st.floats(0, 2e9), st.text(max_size=30))
records = st.builds(
    CloudRecord,
    st.dictionaries(st.sampled_from(["services", "glue"]), parts),
    st.booleans(),
    st.text(max_size=30),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@given(record=records)
def test_a_record_comes_back_as_written(tmp_path_factory: pytest.TempPathFactory, record: CloudRecord) -> None:
    folder = tmp_path_factory.getbasetemp() / "record"
    folder.mkdir(exist_ok=True)
    write_record(folder, record)
    assert read_record(folder) == record
    assert [path.name for path in folder.iterdir()] == ["cloud.json"]


@given(record=records, cut=st.integers(0, 400), junk=st.binary(max_size=8))
def test_a_damaged_record_is_read_or_refused_but_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, record: CloudRecord, cut: int, junk: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    write_record(folder, record)
    text = (folder / "cloud.json").read_bytes()
    (folder / "cloud.json").write_bytes(text[:cut] + junk + text[cut + len(junk) :])
    read_record(folder)


def test_objects_are_counted_without_what_is_beside_them(tmp_path: Path) -> None:
    for name in ("b/k", "b/k.meta.json", "b/folder/k2", "b/folder/k2.meta.json", "b/cut-short.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert keeping.count_objects(tmp_path) == (2, 2)
    assert keeping.count_objects(tmp_path / "absent") == (0, 0)


class FakeStorage:
    """As much of ministack's S3 as the guard touches: it stores in memory, writes, and hides a failed write."""

    def __init__(self) -> None:
        self._buckets: dict[str, Any] = {"b": {"objects": {"old": {"size": 9, "body": b"old"}}}}
        self._multipart_uploads = {"u": {"parts": {1: {"size": 100}, 2: {"size": 50}}}}
        self.failing = ""
        self.written: list[str] = []
        self.handled = 0

    def _parse_bucket_key(self, path: str, headers: dict[str, str]) -> tuple[str, str]:
        bucket, _, key = path.strip("/").partition("/")
        return bucket, key

    def _error(self, code: str, message: str, status: int, path: str) -> Any:
        return status, {}, f"{code}: {message}".encode()

    def _atomic_write(self, path: str, data: Any, *, text: bool = False) -> None:
        if self.failing and path.endswith(self.failing):
            raise OSError(errno.EIO, "input/output error")
        self.written.append(path)

    async def handle_request(self, method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        self.handled += 1
        bucket, key = self._parse_bucket_key(path, headers)
        self._buckets[bucket]["objects"][key] = {"size": len(body), "body": body}
        try:
            self._atomic_write(f"/nowhere/{key}", body)
            self._atomic_write(f"/nowhere/{key}.meta.json", "{}", text=True)
        except OSError:
            pass
        return 200, {}, b""


def guarded(free_bytes: int) -> tuple[FakeStorage, GuardedStorage]:
    s3 = FakeStorage()
    guard = GuardedStorage(s3, lambda: free_bytes, Path("/data"))
    guard.install()
    return s3, guard


def ask(s3: Any, method: str, path: str, body: bytes = b"", **options: Any) -> tuple[int, bytes]:
    status, _, answer = asyncio.run(
        s3.handle_request(method, path, options.get("headers", {}), body, options.get("query", {}))
    )
    return status, answer


def test_a_write_without_room_is_refused_before_anything_changes() -> None:
    s3, _ = guarded(RESERVE_BYTES + 99)
    assert ask(s3, "PUT", "/b/k", b"x" * 99)[0] == 200
    for request in (
        {"method": "PUT", "path": "/b/k2", "body": b"x" * 100},
        {"method": "POST", "path": "/b/k2", "query": {"uploadId": ["u"]}},
    ):
        status, answer = ask(s3, **request)  # type: ignore[arg-type]
        assert status == 507 and b"MB are free" in answer and b"/data" in answer
    assert s3.handled == 1 and "k2" not in s3._buckets["b"]["objects"]
    s3, _ = guarded(RESERVE_BYTES + 8)
    assert ask(s3, "PUT", "/b/k2", headers={"x-amz-copy-source": "/b/old?versionId=1"})[0] == 507
    assert ask(s3, "GET", "/b/old")[0] == 200


def test_a_write_that_fails_is_told_and_undone() -> None:
    s3, _ = guarded(2**40)
    s3.failing = "k"
    status, answer = ask(s3, "PUT", "/b/k", b"new")
    assert status == 507 and b"input/output error" in answer
    assert "k" not in s3._buckets["b"]["objects"]
    s3.failing = "old"
    assert ask(s3, "PUT", "/b/old", b"new")[0] == 507
    assert s3._buckets["b"]["objects"]["old"]["body"] == b"old"
    s3.failing = ""
    assert ask(s3, "PUT", "/b/old", b"new")[0] == 200


def test_the_guard_fits_the_pinned_ministack() -> None:
    """The names that the guard and the launcher take hold of; they are no public interface."""
    import importlib.util

    found = importlib.util.find_spec("ministack")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the local extra is not installed")
    root = Path(found.submodule_search_locations[0])
    s3 = (root / "services" / "s3.py").read_text("utf-8")
    for name in ("def _atomic_write(", "def _parse_bucket_key(", "_multipart_uploads = ", "def _error(", "_buckets = "):
        assert name in s3, name
    for name in ("def _read_body(bucket_name", "def _object_disk_path(", "slice_body = body[start : end + 1]"):
        assert name in s3, name
    app = (root / "app.py").read_text("utf-8")
    for place, name in (
        (app, "SERVICE_HANDLERS = {"),
        ((root / "core" / "lambda_runtime.py").read_text("utf-8"), "def execution_credentials(config: dict)"),
        ((root / "services" / "lambda_svc.py").read_text("utf-8"), "_ACCOUNT_CONCURRENCY_CAP = "),
        ((root / "services" / "eventbridge.py").read_text("utf-8"), "def _put_events(data, allow_aws_source=False)"),
        ((root / "core" / "responses.py").read_text("utf-8"), "def request_scope(account_id: str, region: str)"),
    ):
        assert name in place, name
    assert "def _build_persistence_save_dict(" in app and "save_all(_build_persistence_save_dict())" in app


class FakeBodies:
    """As much of ministack's S3 as reads touch. read_whole: objects of which all was read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.records: dict[str, Any] = {}
        self.read_whole: list[str] = []

    def put(self, key: str, body: bytes) -> None:
        new = self._folder / "new"
        new.write_bytes(body)
        new.replace(self._folder / key)
        self.records[key] = {"size": len(body)}

    def _object_disk_path(self, bucket: str, key: str) -> str:
        return str(self._folder / key)

    def _read_body(self, bucket: str, key: str, record: Any) -> bytes:
        self.read_whole.append(key)
        return (self._folder / key).read_bytes()

    async def handle_request(self, method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        bucket, _, key = path.strip("/").partition("/")
        found = self._read_body(bucket, key, self.records[key])
        if "range" not in headers:
            return 200, {}, found
        start, end = map(int, headers["range"].removeprefix("bytes=").split("-"))
        return 206, {}, found[start : end + 1]


def test_of_a_large_object_only_the_range_is_read(tmp_path: Path) -> None:
    s3 = FakeBodies(tmp_path)
    RangedReads(s3).install()
    body = bytes(range(256)) * 8192
    s3.put("large", body)
    s3.put("small", b"0123456789")
    for start, end in ((0, 0), (5, 4_000), (len(body) - 3, len(body) - 1)):
        answer = ask(s3, "GET", "/b/large", headers={"range": f"bytes={start}-{end}"})
        assert answer == (206, body[start : end + 1]) and type(answer[1]) is bytes
    assert s3.read_whole == []
    assert ask(s3, "GET", "/b/small", headers={"range": "bytes=2-3"}) == (206, b"23")
    assert ask(s3, "GET", "/b/large") == (200, body)
    s3.put("large", b"x" * len(body))
    assert ask(s3, "GET", "/b/large", headers={"range": "bytes=7-8"}) == (206, b"xx")
    assert s3.read_whole == ["small", "large"]


def test_an_object_whose_body_is_gone_is_the_modules_business(tmp_path: Path) -> None:
    s3 = FakeBodies(tmp_path)
    RangedReads(s3).install()
    s3.put("k", b"x" * LEAST_BYTES)
    (tmp_path / "k").unlink()
    with pytest.raises(FileNotFoundError):
        ask(s3, "GET", "/b/k", headers={"range": "bytes=0-1"})
    assert s3.read_whole == ["k"]


def test_settings_of_a_client_point_at_the_cloud() -> None:
    from ndjctl.embedded import CloudStatus, client_settings

    status = CloudStatus(True, "http://127.0.0.1:1", "http://127.0.0.1:2", "/d", "1")
    assert client_settings(status)["endpoint_url"] == "http://127.0.0.1:1"
    assert SimpleNamespace(**status.to_dict()).account_id == "000000000000"
