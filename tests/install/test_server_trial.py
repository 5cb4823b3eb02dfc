"""What an answer to `initialize` says of a server, and the request itself against servers of tests."""

import asyncio

import pytest

from bridge.config import Settings
from bridge.install.server_trial import judge, try_server
from bridge.login.auth_http import AuthResponse
from tests.support.servers.fault_server import FaultServer

URL = "https://mcp.example/mcp"
RESULT = b'{"jsonrpc":"2.0","id":0,"result":{"serverInfo":{"name":"Notes","version":"1"},"capabilities":{}}}'


def reply(status: int, body: bytes = b"", kind: str = "application/json", location: str = "") -> AuthResponse:
    return AuthResponse(URL, status, kind, body, location)


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (reply(200, RESULT), "works", "answers as Notes."),
        (reply(200, b"event: message\ndata: " + RESULT, "text/event-stream"), "works", "as Notes"),
        (reply(400, b'{"jsonrpc":"2.0","error":{"code":-32600}}'), "works", "answers."),
        (reply(401), "sign-in", "asks you to sign in"),
        (reply(403), "sign-in", "asks you to sign in"),
        (reply(404, b"<html>", "text/html; charset=utf-8"), "failed", "HTTP 404 with text/html"),
        (reply(405), "failed", "--transport sse"),
        (reply(200, b"<html>", "text/html"), "failed", "Check that the URL"),
        (reply(502), "failed", "HTTP 502"),
        (reply(307, location="https://other.example/\x1b[31m"), "failed", "redirects to https://other.example/"),
    ],
)
def test_an_answer_is_judged(answer: AuthResponse, verdict: str, words: str) -> None:
    trial = judge(Settings(url=URL), answer)
    assert trial.verdict == verdict
    assert words in trial.said
    assert "\x1b" not in trial.said


def test_a_refusal_of_the_users_own_credential_is_a_failure() -> None:
    settings = Settings(url=URL, headers=(("Authorization", "Bearer planted"),))
    trial = judge(settings, reply(401))
    assert trial.verdict == "failed"
    assert "planted" not in trial.said


def test_a_token_that_can_be_renewed_counts_as_signed_in() -> None:
    assert judge(Settings(url=URL), reply(401), is_renewable=True).verdict == "works"


def test_a_server_is_asked_once_with_the_users_headers() -> None:
    async def play() -> None:
        async with FaultServer() as server:
            trial = await try_server(Settings(url=server.url, headers=(("X-Team", "blue"),)))
            assert trial.verdict == "works"
            [request] = server.http.requests
            assert ("x-team", "blue") in request.headers

    asyncio.run(play())


def test_a_server_that_is_not_there_is_told() -> None:
    async def play() -> None:
        async with FaultServer() as server:
            url = server.url
        trial = await try_server(Settings(url=url))
        assert trial.verdict == "failed"
        assert url in trial.said

    asyncio.run(play())


def test_an_http_sse_server_is_not_tried() -> None:
    trial = asyncio.run(try_server(Settings(url=URL, transport="sse")))
    assert trial.verdict == "not-tried"
