"""What an answer to `initialize` says of a server, and the requests against servers of tests."""

import json

import pytest

from bridge.config import Settings
from bridge.install import server_trial
from bridge.install.server_trial import Answer, judge, try_server
from tests.support.servers.fault_http import Exchange, HttpServer
from tests.support.servers.fault_server import FaultServer

pytestmark = pytest.mark.anyio

URL = "https://mcp.example/mcp"
RESULT = b'{"jsonrpc":"2.0","id":0,"result":{"serverInfo":{"name":"Notes","version":"1"},"capabilities":{}}}'
JSON = "application/json"


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (Answer(200, JSON, RESULT), "works", "answers as Notes."),
        (Answer(200, "text/event-stream", RESULT, streams=True), "works", "as Notes"),
        (Answer(200, "text/event-stream", streams=True), "works", "over HTTP+SSE"),
        (Answer(400, JSON, b'{"jsonrpc":"2.0","error":{"code":-32600}}'), "works", "answers."),
        (Answer(401), "sign-in", "asks you to sign in"),
        (Answer(403, "text/html"), "failed", "HTTP 403 with text/html"),
        (Answer(404, "text/html; charset=utf-8", b"<html>"), "failed", "HTTP 404 with text/html"),
        (Answer(200, "text/\x1b[31mhtml", b"<html>"), "failed", "Check that the URL"),
        (Answer(502), "failed", "HTTP 502 with no content type"),
        (Answer(failure="Cannot reach it."), "failed", "Cannot reach it."),
    ],
)
def test_an_answer_is_judged(answer: Answer, verdict: str, words: str) -> None:
    trial = judge(Settings(url=URL), answer)
    assert trial.verdict == verdict
    assert words in trial.said
    assert "\x1b" not in trial.said


def test_a_refusal_of_the_users_own_credential_is_a_failure() -> None:
    settings = Settings(url=URL, headers=(("Authorization", "Bearer planted"),))
    trial = judge(settings, Answer(401))
    assert trial.verdict == "failed"
    assert "planted" not in trial.said


def test_a_token_that_can_be_renewed_counts_as_signed_in() -> None:
    assert judge(Settings(url=URL), Answer(401), is_renewable=True).verdict == "works"


async def test_a_server_is_asked_once_with_the_users_headers_and_its_session_is_ended() -> None:
    async with FaultServer() as server:
        trial = await try_server(Settings(url=server.url, headers=(("X-Team", "blue"),)))
        assert trial.verdict == "works"
        first, last = server.http.requests
        assert (first.method, first.header("x-team"), first.rpc_method) == ("POST", "blue", "initialize")
        assert (last.method, last.header("mcp-session-id") is not None) == ("DELETE", True)


async def test_a_server_that_is_not_there_is_told() -> None:
    async with FaultServer() as server:
        url = server.url
    trial = await try_server(Settings(url=url))
    assert trial.verdict == "failed"
    assert url in trial.said


async def test_a_redirect_within_the_origin_is_followed_and_no_other() -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.request.path == "/mcp":
            await exchange.respond(307, headers=[("Location", "/mcp/")])
        elif exchange.request.path == "/away":
            await exchange.respond(307, headers=[("Location", "https://other.example/")])
        else:
            await exchange.respond(200, RESULT, JSON)

    async with HttpServer(answer) as server:
        base = f"http://127.0.0.1:{server.port}"
        assert (await try_server(Settings(url=f"{base}/mcp"))).verdict == "works"
        trial = await try_server(Settings(url=f"{base}/away"))
        assert (trial.verdict, "https://other.example" in trial.said) == ("failed", True)


async def test_a_server_of_http_sse_works_whether_or_not_that_was_said() -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            await exchange.start(200, "text/event-stream")
            await exchange.chunk(b"event: endpoint\ndata: /messages\n\n")
            await exchange.gone.wait()
        else:
            await exchange.respond(405)

    async with HttpServer(answer) as server:
        url = f"http://127.0.0.1:{server.port}/sse"
        assert await try_server(Settings(url=url)) == ("works", f"{url} answers, over HTTP+SSE.")
        assert (await try_server(Settings(url=url, transport="sse"))).verdict == "works"
        assert (await try_server(Settings(url=url, transport="http"))).verdict == "failed"


async def test_a_page_is_no_server() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(404, b"<html>not here</html>", "text/html")

    async with HttpServer(answer) as server:
        trial = await try_server(Settings(url=f"http://127.0.0.1:{server.port}/"))
        assert trial.verdict == "failed"
        assert "HTTP 404 with text/html" in trial.said


async def test_a_silent_server_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.gone.wait()

    monkeypatch.setattr(server_trial, "_SECONDS", 0.2)
    async with HttpServer(answer) as server:
        trial = await try_server(Settings(url=f"http://127.0.0.1:{server.port}/"))
    assert trial.verdict == "failed"
    assert "did not answer within" in trial.said


def test_what_is_asked_is_an_initialize() -> None:
    message = json.loads(server_trial._initialize())
    assert (message["method"], message["params"]["clientInfo"]["name"]) == ("initialize", "mcp-remote-bridge")
