"""Cookies, redirects and credentials stay with the exact origin."""

import pytest

from tests.support.process.bridge_process import launch
from tests.support.servers.fault_answers import page, plain, redirect
from tests.support.servers.fault_server import Answer, Call, FaultServer

pytestmark = pytest.mark.anyio

SECRET = ("--header", "Authorization: Bearer s3cret", "--header", "X-Api-Key: s3cret")


def cookies(header: str | None) -> set[str]:
    return {part.strip() for part in (header or "").split(";") if part.strip()}


def sets(*lines: str) -> list[tuple[str, str]]:
    return [("Set-Cookie", line) for line in lines]


def giving(*lines: str) -> Answer:
    """A good answer that sets the cookies."""

    async def answer(call: Call) -> None:
        await call.json(call.reply({"given": len(lines)}), headers=sets(*lines))

    return answer


async def test_cookies_come_back_on_every_kind_of_request() -> None:
    async def first(call: Call) -> None:
        server.sessions.append("s")
        result = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "serverInfo": {"name": "s", "version": "1"},
        }
        headers = [
            ("Mcp-Session-Id", "s"),
            *sets("node=a1; Path=/; HttpOnly", "lb=x=y; Max-Age=60; SameSite=Lax"),
        ]
        await call.json(call.reply(result), headers=headers)

    async with FaultServer() as server, launch(server.url) as host:
        server.once("initialize", first)
        await host.initialize()
        await server.stream()
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        _, _, *later = server.http.requests  # The probe and the handshake.
        assert {request.method for request in later} == {"POST", "GET", "DELETE"}
        assert all(cookies(request.header("cookie")) == {"node=a1", "lb=x=y"} for request in later)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=1; Path=/mcp"], {"a=1"}),
        (["a=1; Path=/elsewhere"], set()),
        (["a=1; Path=/mc"], set()),
        (["a=1", "a=2"], {"a=2"}),
        (["a=1", "a=; Max-Age=0"], set()),
        (["a=1", "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], set()),
        (["a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT"], {"a=1"}),
        (["=nameless; Path=/", "bad", "a=1"], {"a=1"}),
    ],
    ids=["path", "other-path", "half-path", "newer", "max-age-0", "expired", "expires", "broken"],
)
async def test_cookie_attributes_hold(lines: list[str], expected: set[str]) -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        for line in lines:
            server.once("ping", giving(line))
            assert (await host.request("ping")).result == {"given": 1}
        await host.call("echo")
        sent = cookies(server.seen("tools/call")[0].header("cookie"))
        assert {pair for pair in sent if pair.startswith("a=")} == expected


async def test_a_cookie_set_with_an_error_counts_too() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("tools/call:echo", plain(500, b"oops", "text/plain", sets("route=b; Path=/")))
        assert (await host.call("echo")).kind == "http-status"
        assert (await host.call("echo")).result
        assert cookies(server.seen("tools/call")[1].header("cookie")) == {"route=b"}


async def test_the_users_own_cookie_header_is_kept() -> None:
    async with FaultServer() as server, launch(server.url, "--header", "Cookie: mine=1") as host:
        await host.initialize()
        server.once("ping", giving("theirs=2; Path=/"))
        await host.request("ping")
        await host.call("echo")
        assert "mine=1" in cookies(server.seen("tools/call")[0].header("cookie"))


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_on_the_same_origin_is_followed_with_everything(status: int) -> None:
    async with FaultServer() as server, launch(server.url, *SECRET) as host:
        await host.initialize()
        for location in ("/mcp?moved=1", server.http.origin + "/mcp?moved=2", "mcp?moved=3"):
            server.once("tools/call:echo", redirect(status, location))
            assert "whole" in (await host.call("echo", text="whole")).result["content"][0]["text"]
            first, second = server.seen("tools/call")[-2:]
            assert "moved=" in second.path
            assert second.body == first.body
            for name in ("authorization", "mcp-session-id", "mcp-protocol-version", "accept", "content-type"):
                assert second.header(name) == first.header(name)


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("key", ["tools/call:echo", "GET", "initialize", "DELETE"])
async def test_no_redirect_crosses_an_origin(status: int, key: str) -> None:
    async with (
        FaultServer() as other,
        FaultServer() as server,
        launch(server.url, *SECRET, patience=1) as host,
    ):
        server.always(key, redirect(status, other.url))
        if key == "initialize":
            params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
            answer = await host.request("initialize", params)
        else:
            await host.initialize()
            answer = await host.call("echo")
        if key in ("initialize", "tools/call:echo"):
            assert answer.kind == "redirect"
            assert other.http.origin in answer.error["message"]
            assert answer.error["data"]["source"] == "mcp-remote-bridge"
        elif key == "GET":
            await server.until_seen("GET")
            assert (await host.call("echo")).result
        host.close_stdin()
        assert await host.wait() == 0
        assert other.http.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1:{port}/mcp",
        "http://localhost:{port}/mcp",
        "//localhost:{port}/mcp",
        "ftp://x/",
        "http://[",
    ],
)
async def test_a_redirect_elsewhere_or_nowhere_is_one_error(location: str) -> None:
    async with FaultServer() as server, launch(server.url, *SECRET) as host:
        await host.initialize()
        server.once("tools/call:echo", redirect(307, location.format(port=server.http.port)))
        answer = await host.call("echo")
        assert answer.kind in ("redirect", "http-status")
        assert len(server.seen("tools/call")) == 1
        assert (await host.call("echo")).result


async def test_a_redirect_loop_ends_in_one_error() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.always("tools/call:echo", redirect(307, "/mcp?again"))
        answer = await host.call("echo")
        assert answer.kind == "redirect"
        assert len(server.seen("tools/call")) <= 25
        assert (await host.request("ping")).result == {}


async def test_a_redirected_session_goes_on_and_is_deleted() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        server.once("initialize", redirect(307, "/mcp?tenant=1"))
        await host.initialize()
        assert (await host.call("echo")).result
        host.close_stdin()
        assert await host.wait() == 0
        assert server.sessions == []


async def test_a_redirect_to_another_page_that_answers_is_not_taken_for_the_server() -> None:
    async with FaultServer() as server, launch(server.url) as host:
        await host.initialize()
        server.once("ping", redirect(302, "/login"), page(200))
        answer = await host.request("ping")
        assert answer.kind in ("redirect", "http-status", "not-json")
        assert (await host.request("ping")).result == {}
