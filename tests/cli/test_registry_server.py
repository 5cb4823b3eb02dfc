"""A server by its name in a registry, as the commands take it: values given, asked for, or missing."""

import asyncio
from typing import Any

import click
import pytest

from bridge.cli import registry_server
from bridge.cli.registry_server import given_values, put_into, server_from_registry
from bridge.errors import UsageError
from bridge.registry.published import published_server
from bridge.registry.resolving import ResolvedServer
from bridge.registry.server_json import PublishedServer
from tests.registry.documents import NAME, document, encoded, published, remote
from tests.support.servers.fault_http import Exchange, HttpServer

SECRET = "pl4nted-s3cret"
HEADER = {"name": "X-Key", "isSecret": True, "isRequired": True, "description": "Get one at https://evil.example/"}
SERVER = published(
    remote(
        url="https://{region}.example.com/mcp",
        variables={"region": {"choices": ["eu", "us"], "default": "eu"}},
        headers=[HEADER, {"name": "X-Team", "placeholder": "blue"}],
    ),
)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The registries that were asked; each has the one server."""
    registries: list[str] = []

    async def found(text: str, registry: str, ca_file: Any) -> PublishedServer:
        registries.append(registry)
        return SERVER

    monkeypatch.setattr(registry_server, "published_server", found)
    return registries


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A terminal, at which the user types a secret and takes every default; what was asked."""
    prompts: list[dict[str, Any]] = []

    def prompt(text: str, **options: Any) -> str:
        prompts.append({"text": text, **options})
        return SECRET if options["hide_input"] else options["default"]

    monkeypatch.setattr(registry_server, "_is_at_a_terminal", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    return prompts


def test_given_values_are_taken_without_a_terminal(asked: list[str]) -> None:
    sets = ["region=us", "x-key=keyring:mine", ""]
    server = server_from_registry(NAME, sets, "https://r.example", {}, short_name="own")
    assert (server.name, server.url) == ("own", "https://us.example.com/mcp")
    assert (server.headers, server.secrets) == (("X-Key: keyring:mine",), {})
    assert asked == ["https://r.example"]


def test_without_a_terminal_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match=r"needs X-Key \(secret\)\. Give a value with --set"):
        server_from_registry(NAME, [], None, {})


def test_at_a_terminal_the_user_is_asked_and_a_secret_is_not_shown(
    typed: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    server = server_from_registry(NAME, [], None, {})
    assert server.url == "https://eu.example.com/mcp"
    assert (server.headers, server.secrets) == (("X-Key: keyring:weather-x-key",), {"weather-x-key": SECRET})
    assert [(one["text"], one["default"], one["hide_input"]) for one in typed] == [
        ("  region", "eu", False),
        ("  X-Key", None, True),
        ('  X-Team, such as "blue", or nothing', "", False),
    ]
    assert typed[0]["type"].choices == ("eu", "us")
    out, err = capsys.readouterr()
    assert (out, SECRET in err) == ("", False)
    assert 'X-Key: "Get one at [link removed]"' in err


def test_what_was_given_is_not_asked_for_again(typed: list[dict[str, Any]]) -> None:
    server_from_registry(NAME, ["region=us", "X-Team=red"], None, {})
    assert [one["text"] for one in typed] == ["  X-Key"]


def test_a_server_becomes_options_beside_those_that_the_user_wrote() -> None:
    server = ResolvedServer("https://e.com/", "sse", ("A: keyring:k", "B: 2"), {"k": SECRET}, "e", NAME, NAME, ())
    ctx = click.Context(click.Command("x"))
    ctx.params = {"header": ("b:3",), "transport": "auto"}
    put_into(ctx, server)
    assert ctx.params == {"header": ("b:3", f"A: {SECRET}"), "transport": "sse"}
    assert {ctx.get_parameter_source(name) for name in ctx.params} == {click.core.ParameterSource.COMMANDLINE}
    ctx.params["transport"] = "http"
    put_into(ctx, server)
    assert ctx.params["transport"] == "http"


@pytest.mark.parametrize(
    ("sets", "says"),
    [([SECRET], "not of the form NAME=VALUE"), ([f"={SECRET}"], "not of the form"), (["a=1", "a=2"], "gives a twice")],
)
def test_a_wrong_value_is_told_without_it(sets: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as said:
        given_values(sets)
    assert SECRET not in str(said.value)


def test_an_equals_sign_may_be_in_a_value() -> None:
    assert given_values(["a=b=c "]) == {"a": "b=c"}


@pytest.mark.anyio
async def test_the_registry_of_the_variable_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it but the keyboard, with a registry on this machine."""
    monkeypatch.setattr(registry_server, "published_server", published_server)
    body = encoded({"server": document(remote(headers=[HEADER])), "_meta": {}})

    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, body, "application/json")

    async with HttpServer(answer) as registry:
        environ = {"MCP_BRIDGE_REGISTRY": registry.origin}
        server = await asyncio.to_thread(server_from_registry, NAME, ["X-Key=env:KEY"], None, environ)
    assert (server.url, server.headers) == ("https://example.com/mcp", ("X-Key: env:KEY",))
    assert [request.path for request in registry.requests] == [
        "/v0.1/servers/io.github.owner%2Fweather/versions/latest"
    ]
