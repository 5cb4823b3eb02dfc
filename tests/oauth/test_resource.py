"""Protected resource metadata: what it says, and whether it is about this server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.errors import MetadataError
from bridge.oauth.resource import ProtectedResource, read_protected_resource, resource_matches
from tests.support.cuts import unhurried

SERVER = "https://mcp.example.com/public/mcp"
URL = "https://mcp.example.com/.well-known/oauth-protected-resource/public/mcp"
ISSUER = "https://as.example.com"


def read(server_url: str = SERVER, **members: object) -> ProtectedResource:
    document = {"resource": SERVER, "authorization_servers": [ISSUER], **members}
    body = json.dumps({name: value for name, value in document.items() if value is not ...}).encode()
    return read_protected_resource(body, URL, server_url)


# -- what it says


def test_all_that_is_read() -> None:
    found = read(
        scopes_supported=["files:read", "files:write", "files:read"],
        resource_name="Files\n of \x1b[1mExample",
        resource_documentation="https://example.com/docs",
        bearer_methods_supported=["header"],
    )
    assert found == ProtectedResource(
        resource=SERVER,
        authorization_servers=(ISSUER,),
        scopes_supported=("files:read", "files:write"),
        resource_name="Files of [1mExample",
        resource_documentation="https://example.com/docs",
    )


def test_what_is_not_said() -> None:
    assert read() == ProtectedResource(resource=SERVER, authorization_servers=(ISSUER,))


def test_optional_members_of_another_type_are_absent() -> None:
    wrong = read(scopes_supported="a b", resource_name=["x"], resource_documentation="javascript:alert(1)")
    assert wrong == read()


def test_no_scopes_are_not_the_same_as_none_said() -> None:
    assert read(scopes_supported=[]).scopes_supported == ()


@pytest.mark.parametrize("servers", [..., None, [], "https://as.example.com", {"a": 1}, [1]])
def test_no_authorization_servers(servers: object) -> None:
    assert read(authorization_servers=servers).authorization_servers == ()


def test_authorization_servers_that_cannot_be_used_are_dropped() -> None:
    named = ["http://as.example.com", ISSUER, 7, f"{ISSUER}?x=1", f"{ISSUER}#", "nonsense", f"{ISSUER}/t/", ISSUER]
    assert read(authorization_servers=named).authorization_servers == (ISSUER, f"{ISSUER}/t/")


def test_where_none_can_be_used_the_servers_origin_does_not_step_in() -> None:
    with pytest.raises(MetadataError, match=r"names 'http://as\.example\.com' as its authorization server"):
        read(authorization_servers=["http://as.example.com"])


def test_at_most_ten_authorization_servers() -> None:
    named = [f"https://as{number}.example.com" for number in range(30)]
    assert read(authorization_servers=named).authorization_servers == tuple(named[:10])


@pytest.mark.parametrize("resource", [..., None, 1, "", [SERVER]])
def test_the_resource_is_required(resource: object) -> None:
    with pytest.raises(MetadataError, match=r"https://mcp\.example\.com/\S+ has (no|an unusable) 'resource'"):
        read(resource=resource)


def test_another_resource_is_refused_and_both_are_said() -> None:
    with pytest.raises(MetadataError) as caught:
        read(resource="https://evil.example.com/mcp\n\x1b[2J")
    for part in (URL, SERVER, "'https://evil.example.com/mcp...'"):
        assert part in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("server_url", "resource"),
    [
        ("https://mcp.example.com", "https://mcp.example.com/"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://mcp.example.com/mcp", "https://MCP.Example.com:443/mcp/"),
        ("https://mcp.example.com/a%2fb/mcp", "HTTPS://mcp.example.com/a%2fb"),
    ],
)
def test_the_resource_is_kept_byte_for_byte(server_url: str, resource: str) -> None:
    assert read(server_url, resource=resource).resource == resource


# -- whether it is about this server


@pytest.mark.parametrize(
    ("server_url", "resource"),
    [
        (SERVER, SERVER),
        (SERVER, "https://mcp.example.com"),
        (SERVER, "https://mcp.example.com/"),
        (SERVER, "https://mcp.example.com/public"),
        (SERVER, "https://mcp.example.com/public/"),
        (SERVER, "https://mcp.example.com/public/mcp/"),
        (f"{SERVER}/", SERVER),
        (f"{SERVER}?project=1", SERVER),
        (f"{SERVER}?project=1", f"{SERVER}?project=1"),
        (SERVER, "HTTPS://MCP.EXAMPLE.COM:443/public/mcp"),
        ("https://MCP.example.com:443/mcp", "https://mcp.example.com/mcp"),
        ("http://localhost:3000/mcp", "http://localhost:3000/mcp"),
        ("http://127.0.0.1/mcp", "http://127.0.0.1:80"),
        ("http://mcp.intern:8080/mcp", "http://mcp.intern:8080/mcp"),
    ],
)
def test_the_server_or_what_holds_it(server_url: str, resource: str) -> None:
    assert resource_matches(server_url, resource)


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example.com/public/mcp",
        "https://mcp.example.com.evil.example/public/mcp",
        "https://example.com/public/mcp",
        "http://mcp.example.com/public/mcp",
        "https://mcp.example.com:8443/public/mcp",
        "https://mcp.example.com:80/public/mcp",
        "https://mcp.example.com/public/mcp/more",
        "https://mcp.example.com/publi",
        "https://mcp.example.com/public/mc",
        "https://mcp.example.com/other/../public/mcp",
        "https://mcp.example.com/PUBLIC/mcp",
        "https://mcp.example.com//public",
        "https://mcp.example.com/public/mcp?project=1",
        "https://mcp.example.com/public/mcp#x",
        "https://mcp.example.com/public/mcp#",
        "https://user@mcp.example.com/public/mcp",
        "https://mcp.example.com\\@evil.example/public/mcp",
        "https://mcp.example.com/public/mcp ",
        "https://mcp.example.com:x/public/mcp",
        "//mcp.example.com/public/mcp",
        "mcp.example.com/public/mcp",
        "urn:example:mcp",
        "",
    ],
)
def test_another_resource(resource: str) -> None:
    assert not resource_matches(SERVER, resource)


def test_a_resource_with_a_query_is_that_one_only() -> None:
    assert not resource_matches(f"{SERVER}?project=1", f"{SERVER}?project=2")
    assert not resource_matches(f"{SERVER}?project=1", "https://mcp.example.com/public?project=1")


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    assert resource_matches(SERVER, text) is False
    resource_matches(SERVER, f"{SERVER}{text}")


# -- whatever comes

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SERVER) | st.just(ISSUER),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
members = st.sampled_from(["resource", "authorization_servers", "scopes_supported", "resource_name"])


@unhurried
@given(st.binary(max_size=200) | st.dictionaries(members, anything).map(lambda value: json.dumps(value).encode()))
def test_only_a_metadata_error(body: bytes) -> None:
    try:
        found = read_protected_resource(body, URL, SERVER)
    except MetadataError as problem:
        assert problem.message.isprintable()  # noqa: PT017 - either way is right
    else:
        assert resource_matches(SERVER, found.resource)
        assert found.resource_name.isprintable()
