"""Where a `server.json` comes from: a file, a URL, a registry in its documented shape."""

import json
from pathlib import Path

import pytest

from bridge.errors import BridgeError, UsageError
from bridge.registry.published import (
    OFFICIAL_REGISTRY,
    is_published,
    is_registry_name,
    is_server_json,
    published_server,
    registry_url,
)
from tests.registry.documents import NAME, document, encoded, remote
from tests.support.servers.fault_http import Exchange, HttpServer

PATH = "/v0.1/servers/io.github.owner%2Fweather/versions/"


@pytest.mark.parametrize(
    ("text", "is_name", "is_document"),
    [
        (NAME, True, False),
        ("com.example/server@1.2.3", True, False),
        ("example.com/mcp", True, False),
        ("github", False, False),
        ("https://example.com/mcp", False, False),
        ("https://example.com/server.json?x=1", False, True),
        ("server.json", False, True),
        ("my.folder/server.json", False, True),
        ("../io.github.owner/server", False, False),
        ("a.b/c/d", False, False),
        ("", False, False),
    ],
)
def test_a_word_is_told_by_its_form(text: str, is_name: bool, is_document: bool) -> None:
    assert (is_registry_name(text), is_server_json(text), is_published(text)) == (
        is_name,
        is_document,
        is_name or is_document,
    )


def test_the_registry_is_the_options_then_the_variables_then_the_official_one() -> None:
    environ = {"MCP_BRIDGE_REGISTRY": "https://variable.example"}
    assert registry_url("https://option.example", environ) == "https://option.example"
    assert registry_url(" ", environ) == "https://variable.example"
    assert registry_url(None, {"MCP_BRIDGE_REGISTRY": ""}) == OFFICIAL_REGISTRY


class Registry:
    """A registry on this machine. `answers` are the responses by path: a status and a body."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.http = HttpServer(self._answer)

    async def _answer(self, exchange: Exchange) -> None:
        status, body = self.answers.get(exchange.request.path, (404, b'{"error": "Server not found"}'))
        await exchange.respond(status, body, "application/json", tuple(self.headers.items()))


@pytest.mark.anyio
class TestFromARegistry:
    async def test_the_latest_version_is_asked_for(self) -> None:
        registry = Registry()
        registry.answers[f"{PATH}latest"] = (200, encoded({"server": document(remote()), "_meta": {}}))
        async with registry.http as http:
            server = await published_server(NAME, f"{http.origin}/")
        assert server.remotes[0].url == "https://example.com/mcp"
        [request] = http.requests
        assert (request.method, request.path) == ("GET", f"{PATH}latest")

    async def test_a_version_that_is_named_is_asked_for(self) -> None:
        registry = Registry()
        registry.answers[f"{PATH}1.2.3%2Bx"] = (200, encoded({"server": document(remote())}))
        async with registry.http as http:
            assert (await published_server(f"{NAME}@1.2.3+x", http.origin)).name == NAME

    async def test_an_unknown_name_says_what_else_may_be_meant(self) -> None:
        async with Registry().http as http:
            with pytest.raises(BridgeError) as said:
                await published_server("mcp.example.com/mcp", http.origin)
        assert "has no server mcp.example.com/mcp (version latest)." in str(said.value)
        assert "write https://mcp.example.com/mcp." in str(said.value)

    @pytest.mark.parametrize(
        ("status", "body", "says"),
        [
            (500, b"", "answered 500"),
            (200, b"<html>", "is not JSON"),
            (
                200,
                encoded({"server": document(remote(), name="io.github.other/one")}),
                "answered with io.github.other/one",
            ),
            (200, b" " * 600_000, "larger than the limit of 512 KB"),
        ],
    )
    async def test_a_wrong_answer_is_told(self, status: int, body: bytes, says: str) -> None:
        registry = Registry()
        registry.answers[f"{PATH}latest"] = (status, body)
        async with registry.http as http:
            with pytest.raises(BridgeError, match=says):
                await published_server(NAME, http.origin)

    async def test_a_redirect_is_not_followed(self) -> None:
        registry = Registry()
        registry.headers["Location"] = "http://127.0.0.1:1/secret"
        registry.answers["/server.json"] = (302, b"")
        async with registry.http as http:
            with pytest.raises(
                BridgeError, match=r"redirects to http://127\.0\.0\.1:1/secret, which the bridge does not"
            ):
                await published_server(f"{http.origin}/server.json", OFFICIAL_REGISTRY)
            assert len(http.requests) == 1

    async def test_a_url_is_read_without_a_registry(self) -> None:
        registry = Registry()
        registry.answers["/a/server.json"] = (200, encoded(document(remote())))
        async with registry.http as http:
            assert (await published_server(f"{http.origin}/a/server.json", OFFICIAL_REGISTRY)).name == NAME
            with pytest.raises(BridgeError, match="There is nothing at"):
                await published_server(f"{http.origin}/b/server.json", OFFICIAL_REGISTRY)

    async def test_plain_http_to_another_machine_is_refused(self) -> None:
        with pytest.raises(UsageError, match="plain http to example"):
            await published_server("http://example.com/server.json", OFFICIAL_REGISTRY)


@pytest.mark.anyio
async def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    path.write_text(json.dumps(document(remote())), encoding="utf-8-sig")
    assert (await published_server(str(path), OFFICIAL_REGISTRY)).name == NAME
    path.write_bytes(b" " * 600_000)
    with pytest.raises(UsageError, match="has more than 512 kB"):
        await published_server(str(path), OFFICIAL_REGISTRY)
    with pytest.raises(UsageError, match="cannot be read"):
        await published_server(str(tmp_path / "none.json"), OFFICIAL_REGISTRY)
