"""How the bridge becomes a client: what it sends, how it reads the answer, and the hints for the user (RFC 7591)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.client import BASIC, NONE, POST, Client
from bridge.oauth.errors import RedirectUriRefused, RegistrationFailed, SignInError, Unavailable
from bridge.oauth.grants import AUTHORIZATION_CODE
from bridge.oauth.registration import (
    document,
    document_client,
    is_usable,
    read_registration,
    registration_hint,
    registration_not_offered,
    registration_request,
    static_client,
)
from bridge.oauth.registration_refusal import Offer
from tests.oauth.samples import CLIENT_SECRET, ISSUER, REDIRECT_URI, client, server
from tests.support.cuts import unhurried

URL = "https://as.example/register"
NOW = 1_000_000.0


def read(members: object, status: int = 201, scope: str = "", method: str = NONE, **changes: Any) -> Client:
    body, offer = json.dumps(members).encode(), Offer(method, scope)
    return read_registration(status, body, URL, server(**changes), AUTHORIZATION_CODE, REDIRECT_URI, offer)


def failure(status: int, body: bytes, **changes: Any) -> SignInError:
    with pytest.raises(SignInError) as caught:
        read_registration(status, body, URL, server(**changes), AUTHORIZATION_CODE, REDIRECT_URI, Offer(POST, ""))
    assert URL in caught.value.message
    return caught.value


# -- the user's own client


def test_the_users_client_without_a_secret_is_public() -> None:
    assert static_client("id", "", server(token_endpoint_auth_methods=(BASIC,))) == Client(
        client_id="id", kind="static"
    )


@pytest.mark.parametrize(("methods", "expected"), [(None, BASIC), ((POST,), POST), ((POST, BASIC), BASIC)])
def test_the_users_client_shows_its_secret_as_the_server_wants(methods: tuple[str, ...] | None, expected: str) -> None:
    known = static_client("id", "s", server(token_endpoint_auth_methods=methods))
    assert (known.kind, known.secret, known.auth_method) == ("static", "s", expected)


def test_a_secret_that_cannot_be_shown_is_an_error_without_it() -> None:
    with pytest.raises(SignInError) as caught:
        static_client("id", CLIENT_SECRET, server(token_endpoint_auth_methods=("private_key_jwt",)))
    assert CLIENT_SECRET not in str(caught.value)
    assert ISSUER in caught.value.message


# -- the metadata document


def test_the_document_is_what_a_server_will_look_for() -> None:
    url = "https://app.example/mcp/client.json"
    made = document(url, ["http://localhost/callback", "http://127.0.0.1/callback"])
    assert made["client_id"] == url, "compared with its address byte for byte"
    assert made["client_name"]
    assert made["redirect_uris"] == ["http://localhost/callback", "http://127.0.0.1/callback"]
    assert made["application_type"] == "native"
    assert set(made["grant_types"]) == {"authorization_code", "refresh_token"}
    assert made["response_types"] == ["code"]
    assert made["token_endpoint_auth_method"] == NONE
    assert not any("secret" in name for name in made)
    assert document_client(url) == Client(client_id=url, kind="document")


# -- what is sent


@pytest.mark.parametrize("method", [NONE, BASIC, POST])
def test_a_registration_asks_for_a_native_client_that_refreshes(method: str) -> None:
    wanted = json.loads(registration_request(Offer(method, "a b"), AUTHORIZATION_CODE, REDIRECT_URI, "1.2"))
    assert wanted["application_type"] == "native"
    assert wanted["redirect_uris"] == [REDIRECT_URI]
    assert set(wanted["grant_types"]) == {"authorization_code", "refresh_token"}
    assert wanted["response_types"] == ["code"]
    assert wanted["token_endpoint_auth_method"] == method
    assert wanted["scope"] == "a b"
    assert wanted["client_name"]
    assert wanted["software_version"] == "1.2"


def test_a_registration_without_scopes_names_none() -> None:
    assert "scope" not in json.loads(registration_request(Offer(NONE, ""), AUTHORIZATION_CODE, REDIRECT_URI, "1"))


# -- what comes back


@pytest.mark.parametrize("status", [200, 201])
def test_the_least_answer_is_a_public_client(status: int) -> None:
    assert read({"client_id": "abc"}, status) == Client(client_id="abc", kind="dynamic", redirect_uri=REDIRECT_URI)


@pytest.mark.parametrize(
    ("answer", "methods", "expected"),
    [
        ({"token_endpoint_auth_method": POST}, None, POST),
        ({"token_endpoint_auth_method": BASIC}, (POST,), BASIC),
        ({"token_endpoint_auth_method": NONE}, (POST, NONE), NONE),
        ({}, None, BASIC),
        ({}, (POST,), POST),
        ({"token_endpoint_auth_method": None}, (POST,), POST),
        ({"token_endpoint_auth_method": "private_key_jwt"}, (POST,), POST),
        ({"token_endpoint_auth_method": 7}, None, BASIC),
    ],
)
def test_the_method_is_the_answers_else_the_metadatas(
    answer: dict[str, object], methods: tuple[str, ...] | None, expected: str
) -> None:
    made = read({"client_id": "abc", "client_secret": "s", **answer}, token_endpoint_auth_methods=methods)
    assert (made.secret, made.auth_method) == ("s", expected)


@pytest.mark.parametrize(("asked", "expected"), [(POST, POST), (BASIC, BASIC), (NONE, BASIC)])
def test_where_the_answer_names_no_method_the_one_that_was_asked_for_counts(asked: str, expected: str) -> None:
    made = read({"client_id": "abc", "client_secret": "s"}, method=asked)
    assert (made.secret, made.auth_method) == ("s", expected), "a public client has no secret"


@pytest.mark.parametrize(
    ("words", "to_what"),
    [
        ("unsupported token_endpoint_auth_method", " to a client with the authentication method client_secret_post;"),
        ("Requested scopes are not valid: a", " to the scopes of the registration;"),
        ("redirect_uri is not on the list", "status 400;"),
        ("grant_types must include 'authorization_code'", "status 400;"),
    ],
)
def test_a_refusal_tells_what_was_refused(words: str, to_what: str) -> None:
    problem = failure(400, json.dumps({"error": "invalid_client_metadata", "error_description": words}).encode())
    assert to_what in problem.message


@pytest.mark.parametrize("secret", [None, "", 7, ["s"]])
@pytest.mark.parametrize("method", [NONE, BASIC, POST, "private_key_jwt"])
def test_without_a_secret_the_client_is_public(secret: object, method: str) -> None:
    made = read({"client_id": "abc", "client_secret": secret, "token_endpoint_auth_method": method})
    assert (made.secret, made.auth_method) == ("", NONE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, None),
        (None, None),
        ("0", None),
        (1893456000, 1893456000.0),
        (1893456000.5, 1893456000.5),
        ("1893456000", 1893456000.0),
        (True, None),
        (-5, None),
        (10**400, None),
        ("never", None),
        ([1], None),
    ],
)
def test_the_end_of_a_secret_is_read(value: object, expected: float | None) -> None:
    made = read({"client_id": "abc", "client_secret": "s", "client_secret_expires_at": value})
    assert made.secret_expires_at == expected


def test_members_of_a_wrong_type_are_as_if_absent() -> None:
    made = read({"client_id": "abc", "scope": ["a"], "client_secret_expires_at": {}, "redirect_uris": 7}, scope="a b")
    assert made == Client(client_id="abc", kind="dynamic", redirect_uri=REDIRECT_URI, scope="a b")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b"<!DOCTYPE html>", b'{"client_id": 7}', b'{"client_id":null}'])
def test_an_answer_without_a_client_id_is_a_failure(body: bytes) -> None:
    problem = failure(201, body)
    assert isinstance(problem, RegistrationFailed)
    assert "client_id" in problem.message
    assert "status 201" in problem.message
    assert "--client-id" in problem.hint


@pytest.mark.parametrize("client_id", ["", "é", "a\nb", "a\0", "\x7f", "x" * 3000])
def test_an_unusable_client_id_is_a_failure(client_id: str) -> None:
    problem = failure(201, json.dumps({"client_id": client_id}).encode())
    assert isinstance(problem, RegistrationFailed)
    assert str(problem).isprintable()
    assert len(str(problem)) < 1000


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            b'{"error":"invalid_redirect_uri","error_description":"no loopback"}',
            "invalid_redirect_uri: no loopback",
        ),
        (400, b'{"error":"invalid_client_metadata"}', "invalid_client_metadata"),
        (401, b"", "status 401"),
        (403, b"<!DOCTYPE html>", "status 403"),
        (404, b"Not found", "status 404"),
        (422, b'{"message":"Client limit reached"}', "Client limit reached"),
        (302, b"", "status 302"),
        (204, b"", "status 204"),
    ],
)
def test_a_refusal_tells_the_servers_words_and_the_way_by_hand(status: int, body: bytes, words: str) -> None:
    problem = failure(status, body)
    assert type(problem) is (RedirectUriRefused if b"redirect" in body else RegistrationFailed)
    assert f"status {status}" in problem.message
    assert words in problem.message
    assert "--client-id" in problem.hint
    assert REDIRECT_URI in problem.hint


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_failure_that_may_pass_asks_for_patience(status: int) -> None:
    problem = failure(status, b'{"error":"invalid_client_metadata"}')
    assert type(problem) is Unavailable
    assert f"status {status}" in problem.message


def test_the_servers_words_are_cleaned() -> None:
    words = "no\r\nmcp-remote-bridge: Sign in at: https://evil.example\x1b[31m" + "x" * 5000
    problem = failure(400, json.dumps({"error": "e", "error_description": words}).encode())
    assert problem.message.isprintable()
    assert len(problem.message) < 800


@pytest.mark.parametrize("status", [200, 201, 400, 500])
def test_a_secret_in_an_answer_is_in_no_error(status: int) -> None:
    body = json.dumps({"client_id": 7, "client_secret": CLIENT_SECRET}).encode()
    assert CLIENT_SECRET not in f"{failure(status, body)!r} {failure(status, body)}"


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=3), max_size=2)
MEMBERS = (
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "token_endpoint_auth_method",
    "scope",
    "redirect_uris",
)


@unhurried
@given(st.sampled_from([200, 201, 400, 404, 500]), st.dictionaries(st.sampled_from(MEMBERS), VALUES))
def test_any_answer_is_a_client_or_an_error_of_ours(status: int, members: dict[str, object]) -> None:
    try:
        made = read(members, status)
    except SignInError as problem:
        found = problem
    else:
        assert made.client_id == members["client_id"]
        assert made.auth_method == NONE or made.secret
        return
    assert str(found).isprintable()


# -- whether a kept registration can serve


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"redirect_uri": "http://localhost:1/callback"}, False),
        ({"redirect_uri": "http://127.0.0.1:51234/callback"}, False),
        ({"secret_expires_at": NOW + 3600}, True),
        ({"secret_expires_at": NOW + 30}, False),
        ({"secret_expires_at": NOW - 1}, False),
        ({"scope": "a b"}, True),
        ({"scope": "b a c"}, True),
        ({"scope": "a"}, False),
    ],
)
def test_a_kept_registration_serves_or_not(changes: dict[str, Any], expected: bool) -> None:
    assert is_usable(client(**{"redirect_uri": REDIRECT_URI, **changes}), REDIRECT_URI, ("a", "b"), NOW) is expected


def test_a_registration_serves_for_the_scopes_it_was_made_for() -> None:
    """Else a server that registers less than was asked for would get a new client at every sign-in."""
    made = read({"client_id": "abc", "scope": "a"}, scope="a offline_access")
    assert is_usable(made, REDIRECT_URI, ("a", "offline_access"), NOW)
    assert not is_usable(made, REDIRECT_URI, ("a", "b"), NOW)
    assert is_usable(read({"client_id": "abc", "scope": "a b"}, scope="a"), REDIRECT_URI, ("b",), NOW)
    assert is_usable(read({"client_id": "abc"}), REDIRECT_URI, ("a", "b"), NOW)
    assert not is_usable(read({"client_id": "abc", "scope": "a"}), REDIRECT_URI, ("b",), NOW)


# -- the way by hand


@pytest.mark.parametrize(
    ("issuer", "page"),
    [
        ("https://accounts.google.com", "console.cloud.google.com"),
        ("https://github.com/login/oauth", "https://github.com/settings/developers"),
        ("https://GitHub.com/login/oauth", "https://github.com/settings/developers"),
        ("https://login.microsoftonline.com/some-tenant/v2.0", "entra.microsoft.com"),
        ("https://slack.com", "https://api.slack.com/apps"),
        ("https://github.com.evil.example", "the provider of https://github.com.evil.example"),
        ("https://as.example", "the provider of https://as.example"),
    ],
)
def test_the_providers_own_page_is_named(issuer: str, page: str) -> None:
    problem = registration_not_offered(server(issuer=issuer), AUTHORIZATION_CODE, REDIRECT_URI)
    assert issuer in problem.message
    for part in (page, REDIRECT_URI, "--client-id", "--client-secret env:"):
        assert part in problem.hint


def test_the_servers_documentation_is_named_where_the_page_is_not_known() -> None:
    documented = server(service_documentation="https://as.example/apps?say=anything")
    hint = registration_hint(documented, AUTHORIZATION_CODE, REDIRECT_URI)
    assert "Register a client at https://as.example/apps..., with" in hint
    elsewhere = server(service_documentation="https://docs.example/apps")
    assert "docs.example" not in registration_hint(elsewhere, AUTHORIZATION_CODE, REDIRECT_URI)


@pytest.mark.parametrize("supported", [True, False])
def test_the_metadata_document_is_offered_where_the_server_takes_one(supported: bool) -> None:
    hint = registration_hint(server(client_id_metadata_document_supported=supported), AUTHORIZATION_CODE, REDIRECT_URI)
    assert ("--client-metadata-url" in hint) is supported
