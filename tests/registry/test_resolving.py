"""From a published server to a URL and headers: given values, asked ones, defaults, secrets."""

from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.process.redact import Redactor
from bridge.registry.resolving import MissingValues, ResolvedServer, resolved, secret_name, short_name_of
from bridge.registry.server_json import PublishedInput
from tests.registry.documents import NAME, published, remote

SECRET = "pl4nted-s3cret"
BEARER = {
    "name": "Authorization",
    "value": "Bearer {token}",
    "variables": {"token": {"isRequired": True, "isSecret": True, "description": "A token."}},
}


def with_header(header: dict[str, Any], given: dict[str, str] | None = None, ask: Any = None) -> ResolvedServer:
    return resolved(published(remote(headers=[header])), given or {}, ask)


def test_a_server_without_values_is_ready() -> None:
    server = resolved(published(remote()), {}, None)
    assert server == ResolvedServer("https://example.com/mcp", "http", (), {}, "weather", NAME, NAME, ())


def test_streamable_http_comes_before_sse_and_a_choice_is_told() -> None:
    sse = {"type": "sse", "url": "https://example.com/sse"}
    server = resolved(published(sse, remote()), {}, None)
    assert (server.url, server.transport) == ("https://example.com/mcp", "http")
    assert server.warnings == (f"{NAME} has 2 addresses; the bridge uses https://example.com/mcp.",)
    assert resolved(published(sse), {}, None).transport == "sse"


def test_a_default_fills_a_url_and_a_given_value_replaces_it() -> None:
    variables = {"region": {"default": "eu", "choices": ["eu", "us"]}}
    server = published(remote(url="https://{region}.example.com/", variables=variables))
    assert resolved(server, {}, None).url == "https://eu.example.com/"
    assert resolved(server, {"region": "us"}, None).url == "https://us.example.com/"
    with pytest.raises(UsageError, match=r"region is one of eu, us\. Give a value with"):
        resolved(server, {"region": "asia"}, None)


def test_a_secret_is_kept_apart_as_the_whole_value_of_its_header() -> None:
    server = with_header(BEARER, {"token": SECRET})
    assert server.headers == ("Authorization: keyring:weather-authorization",)
    assert server.secrets == {"weather-authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(server)
    assert server.whole_headers == (f"Authorization: Bearer {SECRET}",)


def test_the_name_that_the_user_chose_begins_the_names_of_secrets() -> None:
    server = resolved(published(remote(headers=[BEARER])), {"token": SECRET}, None, short_name="work mail")
    assert (server.name, list(server.secrets)) == ("work mail", ["work-mail-authorization"])


def test_the_user_is_asked_for_what_is_missing_with_what_the_document_says() -> None:
    asked: list[PublishedInput] = []

    def ask(one: PublishedInput) -> str:
        asked.append(one)
        return f" {SECRET} "

    server = with_header(BEARER, {}, ask)
    assert [(one.name, one.description, one.is_secret) for one in asked] == [("token", "A token.", True)]
    assert server.secrets == {"weather-authorization": f"Bearer {SECRET}"}


def test_where_nobody_can_be_asked_all_that_is_missing_is_named_with_the_way_to_give_it() -> None:
    variables = {"tenant": {"description": "Yours."}}
    server = published(remote(url="https://{tenant}.example.com/", variables=variables, headers=[BEARER]))
    with pytest.raises(MissingValues) as said:
        resolved(server, {}, None)
    assert str(said.value) == (
        f"{NAME} needs tenant, token (secret). Give a value with --set NAME=VALUE, and a secret with "
        "--set NAME=keyring:SECRET (secret set SECRET stores it)."
    )
    assert Redactor()(str(said.value)) == str(said.value)


@pytest.mark.parametrize("reference", ["keyring:mine", "env:TOKEN", "file:/run/token", "cmd:token get"])
def test_a_reference_is_written_and_nothing_is_stored(reference: str) -> None:
    server = with_header({"name": "X-Key", "isRequired": True, "isSecret": True}, {"X-Key": reference})
    assert (server.headers, server.secrets) == ((f"X-Key: {reference}",), {})
    server = with_header(BEARER, {"Authorization": reference})
    assert (server.headers, server.secrets) == ((f"Authorization: {reference}",), {})


def test_a_reference_for_a_part_of_a_header_says_how_to_give_the_whole() -> None:
    with pytest.raises(UsageError, match=r"a part of the header Authorization.*give it by the name Authorization\."):
        with_header(BEARER, {"token": "keyring:mine"})


@pytest.mark.parametrize("parts", [("cm", "d:rm -rf /"), ("$", "{HOME}"), ("file", ":/etc/passwd"), (" k", "eyring:x")])
def test_parts_that_are_harmless_alone_make_no_reference_together(parts: tuple[str, str]) -> None:
    variables = {name: {"default": text} for name, text in zip("ab", parts, strict=True)}
    with pytest.raises(UsageError, match="would read secrets or variables of yours"):
        with_header({"name": "X-Any", "value": "{a}{b}", "variables": variables})


def test_a_header_that_is_not_required_is_left_out() -> None:
    header = {"name": "X-Team", "value": "{team}", "variables": {"team": {}}}
    assert with_header(header).headers == ()
    assert with_header({"name": "X-Team"}, {}, lambda _: "").headers == ()
    assert with_header(header, {"team": "blue"}).headers == ("X-Team: blue",)
    assert with_header(header, {"x-team": "blue"}).headers == ("X-Team: blue",)


def test_a_fixed_header_is_sent_as_it_is_and_nobody_is_asked() -> None:
    def ask(one: PublishedInput) -> str:
        raise AssertionError(one.name)

    header = {"name": "X-Format", "value": "json {as} is", "isSecret": True}
    server = with_header(header, {}, ask)
    assert (server.headers, server.secrets) == (("X-Format: json {as} is",), {})


@pytest.mark.parametrize(
    ("members", "given", "says"),
    [
        ({"url": "http://example.com/mcp"}, {}, "an address with plain http"),
        ({"url": "http://127.0.0.1:1/mcp"}, {}, "an address with plain http"),
        ({"url": "https://me:pw@example.com/"}, {}, "has a user name"),
        ({"url": "https://example.com/{x}"}, {}, "which its server.json does not explain"),
        ({"url": "https://e.com/{x}", "variables": {"x": {"isSecret": True}}}, {"x": SECRET}, "no secret is written"),
        ({"url": "https://e.com/{x}", "variables": {"x": {}}}, {"x": "env:HOME"}, "cannot be a reference"),
        ({"headers": [{"name": "X-Key", "isSecret": True}]}, {"X-Key": SECRET + "\u00fc"}, "U\\+00FC"),
        ({"headers": [{"name": "X-Key", "isSecret": True}]}, {"X-Key": SECRET + "${A}"}, "would read as a variable"),
        ({"headers": [{"name": "X-Key", "choices": ["a"]}]}, {"X-Key": "b"}, "X-Key is one of a"),
        ({"headers": [{"name": "X-Key"}]}, {"X-Kez": "1"}, "Did you mean X-Key"),
        ({}, {"any": "1"}, "has no value any to set"),
    ],
)
def test_what_cannot_be_used_is_refused_without_the_secret(
    members: dict[str, Any], given: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as said:
        resolved(published(remote(**members)), given, None)
    assert SECRET not in str(said.value)


def test_plain_http_to_this_machine_needs_the_option() -> None:
    server = published(remote(url="http://127.0.0.1:1/mcp"))
    assert resolved(server, {}, None, allow_http=True).url == "http://127.0.0.1:1/mcp"
    with pytest.raises(UsageError, match="plain http"):
        resolved(published(remote(url="http://example.com/mcp")), {}, None, allow_http=True)


def test_a_server_without_an_address_says_so() -> None:
    with pytest.raises(UsageError, match="has no address, not a remote server"):
        resolved(published(), {}, None)
    package = {"registryType": "npm", "identifier": "a", "transport": {"type": "stdio"}}
    with pytest.raises(UsageError, match="is a program to be installed"):
        resolved(published(packages=[package]), {}, None)


def test_names_are_short_and_can_be_used() -> None:
    assert short_name_of("io.github.owner/my.server") == "my-server"
    assert secret_name("my server", "X-Api-Key") == "my-server-x-api-key"
    assert len(secret_name("a" * 99, "b")) == 64
