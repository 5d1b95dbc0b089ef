"""The page of `ndjctl monitor --web`: over HTTP, and in a real browser where there is one."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ndjctl.errors import UsageError, WorkFailed
from ndjctl.health.model import Remedy
from ndjctl.monitor.model import Arrivals
from ndjctl.monitor.server import HEADERS, Shared, serve, url_of
from ndjctl.output.monitor import monitor_document
from ndjctl.reading import Reading
from tests.browser import Browser, browser_path
from tests.loopback import running
from tests.monitor_world import ODD_KEY, PANELS, busy, refused

PATHS = ("/", "/monitor.js", "/charts.js", "/monitor.css", "/favicon.svg", "/api/snapshot")


def typed(remedy: Remedy) -> str:
    words = remedy.words
    return " ".join(["ndjctl", *words]) if words else ""


@dataclass
class Source:
    """Documents, each asked for once; the last one again and again. now: of the steady clock."""

    documents: list[Mapping[str, Any]]
    made: int = 0
    now: float = 0.0
    step: float = 0.0
    before: Callable[[], None] = field(default=lambda: None)

    def make(self) -> Mapping[str, Any]:
        self.before()
        self.made += 1
        return self.documents[min(self.made, len(self.documents)) - 1]

    def timer(self) -> float:
        self.now += self.step
        return self.now


@contextmanager
def served(source: Source, interval_s: float = 10.0) -> Iterator[ThreadingHTTPServer]:
    with running(serve(0, Shared(source.make, interval_s, source.timer))) as server:
        yield server


@pytest.fixture
def source() -> Source:
    return Source([monitor_document(busy(), typed)])


@pytest.fixture
def server(source: Source) -> Iterator[ThreadingHTTPServer]:
    with served(source) as server:
        yield server


def ask(
    server: ThreadingHTTPServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


# ---------------------------------------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("path", PATHS)
def test_everything_is_served_under_a_strict_policy(server: ThreadingHTTPServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, bool(body)) == (200, True)
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "'unsafe" not in headers["Content-Security-Policy"]
    assert ask(server, path, "HEAD")[::2] == (200, b"")


def test_it_listens_on_the_loopback_alone(server: ThreadingHTTPServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert url_of(server) == f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_this_machine_s_names_are_served(server: ThreadingHTTPServer, host: str) -> None:
    assert ask(server, "/api/snapshot", Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "",
        "[::2]",
        "127.0.0.2",
    ],
)
def test_another_host_is_refused_and_costs_nothing(server: ThreadingHTTPServer, source: Source, host: str) -> None:
    for path in PATHS:
        status, _, body = ask(server, path, Host=host)
        assert (status, b"pending" in body) == (421, False)
    assert source.made == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_it_is_for_reading(server: ThreadingHTTPServer, method: str) -> None:
    status, headers, _ = ask(server, "/api/snapshot", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/nothing", "/../model.py", "/page/../server.py", "//etc/passwd", "/%2e%2e/model.py", "/api"]
)
def test_there_is_nothing_else(server: ThreadingHTTPServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_a_snapshot_is_the_document_of_json(server: ThreadingHTTPServer) -> None:
    status, headers, body = ask(server, "/api/snapshot?x=1")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert json.loads(body) == {**json.loads(json.dumps(monitor_document(busy(), typed))), "interval_s": 10.0}


def test_one_look_is_for_all_who_look(server: ThreadingHTTPServer, source: Source) -> None:
    assert source.made == 0, "nothing is asked of AWS while nobody looks"
    with ThreadPoolExecutor(8) as pool:
        bodies = set(pool.map(lambda _: ask(server, "/api/snapshot")[2], range(24)))
    assert (source.made, len(bodies)) == (1, 1)
    source.now += 10.5
    ask(server, "/api/snapshot")
    assert source.made == 2


def test_while_one_looks_others_get_what_there_is(server: ThreadingHTTPServer, source: Source) -> None:
    ask(server, "/api/snapshot")
    source.now += 11
    is_looking, may_go_on = threading.Event(), threading.Event()

    def wait() -> None:
        is_looking.set()
        may_go_on.wait(10)

    source.before = wait
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, server, "/api/snapshot")
        assert is_looking.wait(10)
        assert ask(server, "/api/snapshot")[0] == 200
        assert source.made == 1
        may_go_on.set()
        assert slow.result()[0] == 200
    assert source.made == 2


def test_a_look_that_fails_is_told_and_the_next_one_tries_again(server: ThreadingHTTPServer, source: Source) -> None:
    def fail() -> None:
        raise WorkFailed("The cloud cannot be reached.")

    source.before = fail
    status, _, body = ask(server, "/api/snapshot")
    assert (status, json.loads(body)) == (503, {"error": "The cloud cannot be reached."})
    source.before = lambda: None
    assert ask(server, "/api/snapshot")[0] == 200


def test_a_port_that_is_taken_is_said(server: ThreadingHTTPServer, source: Source) -> None:
    with pytest.raises(UsageError, match=f"Port {server.server_address[1]} cannot be listened on"):
        serve(server.server_address[1], Shared(source.make, 1, source.timer))


# ---------------------------------------------------------------------------------------------- in a browser


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium on the PATH")
    return Browser(path, tmp_path)


def heights(dom: str, kind: str) -> list[float]:
    """Of the bars of the flow chart."""
    return [float(height) for height in re.findall(rf'<rect class="{kind}" x=[^>]* height="([\d.]+)"', dom)]


@pytest.mark.slow
def test_the_page_shows_the_snapshot_and_asks_nobody_else(browser: Browser, server: ThreadingHTTPServer) -> None:
    dom, requests = browser.dom(url_of(server))
    for wanted in (
        ">DEGRADED<",
        ">ndjctl redrive dlq<",
        ">6,220<",
        ">42 min 10 s<",
        "grows by 1,560 files an hour",
        "$1,234.56",
    ):
        assert wanted in dom, wanted
    assert len(heights(dom, "in")) == len(heights(dom, "out")) == 60
    of_page = [each["url"] for each in requests if "127.0.0.1" in each.get("network_isolation_key", "")]
    assert {url.removeprefix(url_of(server)) for url in of_page} >= {
        "",
        "monitor.js",
        "charts.js",
        "monitor.css",
        "api/snapshot",
    }
    assert all(url.startswith(url_of(server)) for url in of_page), of_page


@pytest.mark.slow
def test_charts_move_with_the_data(browser: Browser) -> None:
    rising = tuple(float(minute) for minute in range(60))
    falling = rising[::-1]
    documents = [
        monitor_document(busy(arrivals=Reading(Arrivals({"pending": 1}, 1, series, True))), typed)
        for series in (rising, falling)
    ]
    for shown, looks in ((documents[:1], 1), (documents, 2)):
        source = Source(shown, step=100.0 if looks == 2 else 0.0)
        with served(source, interval_s=1.0) as server:
            dom, _ = browser.dom(url_of(server), budget_ms=2_500)
        bars = heights(dom, "in")
        assert len(bars) == 60
        assert bars == sorted(bars, reverse=looks == 2)
        assert source.made >= looks
        assert int(re.findall(r'data-shown="(\d+)"', dom)[0]) >= looks


@pytest.mark.slow
def test_keys_are_text(browser: Browser, server: ThreadingHTTPServer) -> None:
    dom, requests = browser.dom(url_of(server))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;" in dom
    assert "<script>alert" not in dom and "<img" not in dom
    assert not [each for each in requests if each["url"].endswith("/x")]
    assert ODD_KEY.count("<") == 3


@pytest.mark.slow
def test_every_panel_that_was_refused_says_so_in_the_browser(browser: Browser) -> None:
    for panels in ((panel,) for panel in PANELS):
        with served(Source([monitor_document(refused(*panels), typed)])) as server:
            dom, _ = browser.dom(url_of(server), budget_ms=1_500)
        assert dom.count("not read (denied): AWS refused Query") >= 1, panels
        assert dom.count('<section class="card') == len(PANELS), panels


@pytest.mark.slow
def test_a_foreign_name_for_this_machine_is_refused_in_the_browser(
    browser: Browser, server: ThreadingHTTPServer
) -> None:
    port = server.server_address[1]
    dom, _ = browser.dom(f"http://evil.example:{port}/", names="MAP evil.example 127.0.0.1")
    assert "This page answers on this machine's loopback alone." in dom
    assert "DEGRADED" not in dom and "monitor.js" not in dom


@pytest.mark.slow
def test_a_server_that_is_gone_is_told(browser: Browser, source: Source) -> None:
    def fail() -> None:
        if source.made:
            raise WorkFailed("The cloud cannot be reached.")

    source.before, source.step = fail, 100.0
    with served(source, interval_s=1.0) as server:
        dom, _ = browser.dom(url_of(server), budget_ms=2_500)
    assert "What is below is not the newest: The cloud cannot be reached." in dom
    assert ">DEGRADED<" in dom
