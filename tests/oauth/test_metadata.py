"""Authorization server metadata: what it says, and when it is not believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.addresses import check_endpoint
from bridge.oauth.errors import MetadataError
from bridge.oauth.metadata import (
    AuthorizationServer,
    default_authorization_server,
    read_authorization_server,
    server_at_token_endpoint,
)
from tests.support.cuts import unhurried

ISSUER = "https://as.example.com/tenant1"
URL = "https://as.example.com/.well-known/oauth-authorization-server/tenant1"
LEAST = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["plain", "S256"],
}


def body_of(**members: object) -> bytes:
    document = {**LEAST, **members}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def read(**members: object) -> AuthorizationServer:
    return read_authorization_server(body_of(**members), URL, ISSUER)


# -- what it says


def test_a_grant_without_a_user_needs_no_page_to_sign_in() -> None:
    body = body_of(authorization_endpoint=..., code_challenge_methods_supported=..., response_types_supported=...)
    with pytest.raises(MetadataError, match="authorization_endpoint"):
        read_authorization_server(body, URL, ISSUER)
    server = read_authorization_server(body, URL, ISSUER, for_user=False)
    assert (server.authorization_endpoint, server.token_endpoint) == ("", f"{ISSUER}/token")


def test_a_server_without_metadata_is_known_by_its_token_endpoint() -> None:
    at = server_at_token_endpoint(f"{ISSUER}/token", None)
    assert (at.issuer, at.token_endpoint, at.discovered) == ("https://as.example.com", f"{ISSUER}/token", False)
    assert server_at_token_endpoint(f"{ISSUER}/token", ISSUER).issuer == ISSUER


def test_the_least() -> None:
    assert read() == AuthorizationServer(
        issuer=ISSUER, authorization_endpoint=f"{ISSUER}/authorize", token_endpoint=f"{ISSUER}/token"
    )


def test_all_that_is_read() -> None:
    found = read(
        registration_endpoint=f"{ISSUER}/register",
        revocation_endpoint=f"{ISSUER}/revoke",
        userinfo_endpoint=f"{ISSUER}/me",
        device_authorization_endpoint=f"{ISSUER}/device",
        pushed_authorization_request_endpoint=f"{ISSUER}/par",
        scopes_supported=["openid", "offline_access"],
        token_endpoint_auth_methods_supported=["none", "client_secret_basic"],
        authorization_response_iss_parameter_supported=True,
        client_id_metadata_document_supported=True,
        require_pushed_authorization_requests=True,
        service_documentation="https://as.example.com/docs",
    )
    assert found == AuthorizationServer(
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        registration_endpoint=f"{ISSUER}/register",
        revocation_endpoint=f"{ISSUER}/revoke",
        userinfo_endpoint=f"{ISSUER}/me",
        device_authorization_endpoint=f"{ISSUER}/device",
        pushed_authorization_request_endpoint=f"{ISSUER}/par",
        scopes_supported=("openid", "offline_access"),
        token_endpoint_auth_methods=("none", "client_secret_basic"),
        iss_parameter_supported=True,
        client_id_metadata_document_supported=True,
        requires_pushed_requests=True,
        service_documentation="https://as.example.com/docs",
        discovered=True,
    )


@pytest.mark.parametrize(
    "members",
    [
        {"registration_endpoint": ["x"], "revocation_endpoint": 1, "userinfo_endpoint": None},
        {"registration_endpoint": "http://as.example.com/register", "service_documentation": "javascript:x"},
        {"scopes_supported": "a b", "token_endpoint_auth_methods_supported": "none"},
        {"token_endpoint_auth_methods_supported": []},
        {"authorization_response_iss_parameter_supported": "true", "client_id_metadata_document_supported": 1},
        {"pushed_authorization_request_endpoint": "x", "require_pushed_authorization_requests": "true"},
        {"response_types_supported": ...},
        {"response_types_supported": "code"},
        {"response_types_supported": ["id_token", "code"]},
        {"unknown": {"deep": [[[1]]]}, "jwks_uri": f"{ISSUER}/jwks", "authorization_endpoint": f"{ISSUER}/authorize"},
    ],
)
def test_what_is_optional_and_unusable_is_absent(members: dict[str, object]) -> None:
    assert read(**members) == read()


def test_endpoints_may_be_elsewhere_and_keep_their_query() -> None:
    elsewhere = "https://login.example.net:8443/authorize?tenant=1"
    assert read(authorization_endpoint=elsewhere).authorization_endpoint == elsewhere


# -- when it is not believed


@pytest.mark.parametrize(
    "named",
    [
        *("https://honest.example", f"{ISSUER}/", ISSUER.upper(), "https://AS.example.com/tenant1"),
        *("https://as.example.com:443/tenant1", "https://as.example.com", "https://as.example.com/tenant%31"),
        f" {ISSUER}",
    ],
)
def test_another_issuer_is_refused_and_both_are_said(named: str) -> None:
    with pytest.raises(MetadataError) as caught:
        read_authorization_server(body_of(issuer=named), URL, ISSUER)
    message = caught.value.message
    assert URL in message
    assert f"'{ISSUER}' was expected" in message
    assert f"'{named.strip()}'" in message
    assert ("differ in the slash" in message) == (named == f"{ISSUER}/")


@pytest.mark.parametrize("named", [..., None, 1, "", [ISSUER]])
def test_the_issuer_is_required(named: object) -> None:
    with pytest.raises(MetadataError, match=r"has (no|an unusable) 'issuer'"):
        read_authorization_server(body_of(issuer=named), URL, ISSUER)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
@pytest.mark.parametrize(
    "value", [..., None, 1, "", "/authorize", "http://as.example.com/x", "file:///x", "https://a@b.example/", [ISSUER]]
)
def test_an_endpoint_that_is_needed(name: str, value: object) -> None:
    with pytest.raises(MetadataError, match=name) as caught:
        read(**{name: value})
    assert URL in caught.value.message


@pytest.mark.parametrize("methods", [..., None, "S256", {"S256": True}, []])
def test_pkce_is_refused_where_it_is_not_named(methods: object) -> None:
    with pytest.raises(MetadataError, match="has no 'code_challenge_methods_supported'") as caught:
        read(code_challenge_methods_supported=methods)
    assert "S256" in caught.value.hint


@pytest.mark.parametrize("methods", [["plain"], ["s256"], ["S512", "plain"]])
def test_pkce_is_refused_without_s256(methods: list[str]) -> None:
    with pytest.raises(MetadataError, match=f"code challenge methods \"{', '.join(methods)}\", but 'S256' is required"):
        read(code_challenge_methods_supported=methods)


def test_the_code_response_type_is_needed() -> None:
    with pytest.raises(MetadataError, match="response types \"id_token, token\", but 'code' is required"):
        read(response_types_supported=["id_token", "token"])


@pytest.mark.parametrize("body", [b"", b"<!doctype html>", b"[]", b'"x"', b"{", b"\xff"])
def test_what_is_no_document(body: bytes) -> None:
    with pytest.raises(MetadataError, match=r"The authorization server metadata at \S+ is not a JSON object"):
        read_authorization_server(body, URL, ISSUER)


def test_an_issuer_must_itself_be_an_endpoint() -> None:
    issuer = "http://as.example.com/tenant1"
    with pytest.raises(MetadataError, match="issuer was refused"):
        read_authorization_server(body_of(issuer=issuer), URL, issuer)


# -- MCP 2025-03-26


def test_a_guessed_issuer_may_end_in_a_slash() -> None:
    origin = "https://mcp.example.com"
    body = body_of(issuer=f"{origin}/")
    assert read_authorization_server(body, URL, origin, guessed=True).issuer == f"{origin}/"
    assert read_authorization_server(body_of(issuer=origin), URL, origin, guessed=True).issuer == origin
    with pytest.raises(MetadataError, match="differ in the slash"):
        read_authorization_server(body, URL, origin)
    with pytest.raises(MetadataError, match="issuer"):
        read_authorization_server(body_of(issuer=f"{origin}//"), URL, origin, guessed=True)
    with pytest.raises(MetadataError, match="issuer"):
        read_authorization_server(body_of(issuer="https://evil.example/"), URL, origin, guessed=True)


def test_the_default_endpoints() -> None:
    assert default_authorization_server("https://API.example.com:443/v1/mcp?x=1") == AuthorizationServer(
        issuer="https://api.example.com",
        authorization_endpoint="https://api.example.com/authorize",
        token_endpoint="https://api.example.com/token",
        registration_endpoint="https://api.example.com/register",
        discovered=False,
    )


# -- whatever comes

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ISSUER, "S256", "code"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    [
        *LEAST,
        *("registration_endpoint", "scopes_supported", "token_endpoint_auth_methods_supported"),
        *("authorization_response_iss_parameter_supported", "service_documentation"),
    ]
)
changed = st.dictionaries(names, anything, max_size=3).map(lambda members: body_of(**members))


@unhurried
@given(st.binary(max_size=200) | changed)
def test_only_a_metadata_error(body: bytes) -> None:
    try:
        found = read_authorization_server(body, URL, ISSUER)
    except MetadataError as problem:
        assert problem.message.isprintable()  # noqa: PT017 - either way is right
        assert len(problem.message) < 1500  # noqa: PT017
    else:
        assert found.issuer == ISSUER
        for endpoint in (found.authorization_endpoint, found.token_endpoint, found.registration_endpoint):
            assert endpoint is None or check_endpoint(endpoint, "x") == endpoint
