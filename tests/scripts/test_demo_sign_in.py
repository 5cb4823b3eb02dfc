"""The demo's act with a sign-in: what is checked on the way, the stand-in browser, and the server that asks for it."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from scripts import demo_server
from scripts.demo_process import DemoError
from scripts.demo_sign_in import answer, browse, link_in

pytestmark = pytest.mark.anyio

LINK = "http://127.0.0.1:9/authorize?response_type=code&state=x"


class ScriptedHost:
    """Receives what a test has written down."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = iter(messages)

    def receive(self) -> dict[str, Any]:
        return next(self._messages)


def received(*messages: dict[str, Any]) -> Any:
    return ScriptedHost(*messages)


def test_the_link_is_found_in_what_the_tool_says() -> None:
    assert link_in(f"Waiting. Open this link:\n{LINK}\n Then call sign_in again.") == LINK


@pytest.mark.parametrize("text", ["You are signed in.", "http://127.0.0.1:9/other", None])
def test_a_tool_without_a_link_is_a_failure(text: object) -> None:
    with pytest.raises(DemoError, match="has to show a link"):
        link_in(text)


def test_notifications_may_come_before_the_result() -> None:
    changed = {"method": "notifications/tools/list_changed"}
    assert answer(received(changed, changed, {"id": 3, "result": {"tools": []}}), 3) == {"tools": []}


@pytest.mark.parametrize("message", [{"id": 3, "error": {"code": 1}}, {"id": 4, "result": {}}])
def test_another_answer_is_a_failure(message: dict[str, Any]) -> None:
    with pytest.raises(DemoError, match="result of request 3"):
        answer(received(message), 3)


class Pages(http.server.BaseHTTPRequestHandler):
    """A page that consents at once, and the callback."""

    def do_GET(self) -> None:
        is_link = self.path == "/authorize"
        self.send_response(302 if is_link else 200 if self.path == "/callback" else 404)
        if is_link:
            self.send_header("Location", "/callback")
        self.end_headers()
        self.wfile.write(b"" if is_link else b"Signed in to the server.")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture
def pages() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_stand_in_browser_follows_the_link_to_the_last_page(pages: str) -> None:
    assert browse(f"{pages}/authorize") == "Signed in to the server."


def test_a_browser_that_ends_nowhere_is_a_failure(pages: str) -> None:
    with pytest.raises(DemoError, match="end at a page"):
        browse(f"{pages}/elsewhere")


async def test_the_protected_server_asks_for_a_sign_in() -> None:
    origin = "http://127.0.0.1:9"
    app = demo_server.build(**demo_server.protection(origin, 3)).streamable_http_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin) as client:
        refused = await client.post("/mcp", json={})
        metadata = await client.get("/.well-known/oauth-authorization-server")
    assert refused.status_code == 401
    assert "resource_metadata" in refused.headers["WWW-Authenticate"]
    assert metadata.json()["authorization_endpoint"] == f"{origin}/authorize"
