"""The token endpoint: what is asked, what an answer gives, and which error each refusal is (RFC 6749 5)."""

import json

import pytest

from bridge.oauth.errors import ClientUnknown, GrantRejected, NeedsChange, SignInError, TokenEndpointUnavailable
from bridge.oauth.grants.authorization_code import code_form
from bridge.oauth.grants.refresh_token import refresh_form
from bridge.oauth.grants.token_response import Tokens, read_tokens
from tests.oauth.samples import (
    ACCESS_TOKEN,
    ID_TOKEN,
    REDIRECT_URI,
    REFRESH_TOKEN,
    SERVER_URL,
    TOKEN_URL,
    VERIFIER,
    pending,
)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
HTML = b"<!DOCTYPE html><title>Not found</title>"


def read(members: object, status: int = 200) -> Tokens:
    return read_tokens(status, JSON, json.dumps(members).encode(), TOKEN_URL)


def granted(**changes: object) -> Tokens:
    return read({"access_token": ACCESS_TOKEN, "token_type": "Bearer", **changes})


def failure(status: int, members: object) -> SignInError:
    with pytest.raises(SignInError) as caught:
        read(members, status)
    assert TOKEN_URL in caught.value.message
    assert type(caught.value) in {SignInError, NeedsChange, ClientUnknown, GrantRejected, TokenEndpointUnavailable}
    return caught.value


def refused(error: str, description: str = "", status: int = 400) -> SignInError:
    return failure(status, {"error": error, **({"error_description": description} if description else {})})


# -- what is asked


def test_a_code_is_exchanged_with_its_verifier_and_resource() -> None:
    assert code_form(pending(), "the-code") == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "resource": SERVER_URL,
    }


def test_a_refresh_repeats_scope_and_resource() -> None:
    assert refresh_form("r", "a b", "https://mcp.example/") == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "scope": "a b",
        "resource": "https://mcp.example/",
    }


def test_what_is_not_known_is_left_out() -> None:
    assert "resource" not in code_form(pending(resource=None), "the-code")
    assert refresh_form("r", "", None) == {"grant_type": "refresh_token", "refresh_token": "r"}


# -- what is granted


def test_a_whole_answer_is_read() -> None:
    found = granted(expires_in=3600, refresh_token=REFRESH_TOKEN, scope="a b", id_token=ID_TOKEN, other={"x": 1})
    assert found == Tokens(
        access_token=ACCESS_TOKEN, expires_in=3600.0, refresh_token=REFRESH_TOKEN, scope="a b", id_token=ID_TOKEN
    )


def test_the_least_answer_is_read() -> None:
    assert granted() == Tokens(access_token=ACCESS_TOKEN)
    assert granted().scope is None, "no scope means the one asked for, and an empty one does not"
    assert granted(scope="").scope == ""


def test_tokens_are_not_shown() -> None:
    shown = repr(granted(refresh_token=REFRESH_TOKEN, id_token=ID_TOKEN))
    assert not any(secret in shown for secret in (ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN))


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None, ""])
def test_bearer_is_taken_however_it_is_written(kind: str | None) -> None:
    assert granted(token_type=kind).access_token == ACCESS_TOKEN
    assert read({"access_token": ACCESS_TOKEN}).access_token == ACCESS_TOKEN


@pytest.mark.parametrize("kind", ["DPoP", "mac", "N_A", 7, ["Bearer"], {"a": 1}])
def test_a_token_of_another_type_is_refused(kind: object) -> None:
    problem = failure(200, {"access_token": ACCESS_TOKEN, "token_type": kind})
    assert type(problem) is SignInError
    assert "Bearer" in problem.message
    assert ACCESS_TOKEN not in str(problem)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600.0),
        (5, 5.0),
        (0.5, 0.5),
        (3599.9, 3599.9),
        ("3600", 3600.0),
        ("3600.0", 3600.0),
        (10**12, 10 * 365 * 86400.0),
        (10**400, 10 * 365 * 86400.0),
        (1e300, 10 * 365 * 86400.0),
        (0, None),
        ("0", None),
        (-1, None),
        ("-1", None),
        (-(10**400), None),
        (True, None),
        (None, None),
        ("", None),
        ("3600s", None),
        ("1e3", None),
        ("Infinity", None),
        ("9" * 400, None),
        ([3600], None),
    ],
)
def test_a_lifetime_is_read_leniently_or_not_known(value: object, seconds: float | None) -> None:
    lifetime = granted(expires_in=value).expires_in
    assert lifetime == seconds
    assert lifetime is None or isinstance(lifetime, float)


@pytest.mark.parametrize(
    ("value", "scope"),
    [
        ("a b", "a b"),
        (["a", "b"], "a b"),
        (["a", 7, "b"], "a b"),
        ([], ""),
        ("a\tb\r\nc", "a b c"),
        ("a\u202eb", "ab"),
        ("repo,gist", "repo,gist"),
        (None, None),
        (7, None),
    ],
)
def test_a_scope_is_a_string_or_a_list_of_them(value: object, scope: str | None) -> None:
    assert granted(scope=value).scope == scope


@pytest.mark.parametrize("value", ["", None, 7, True, "a b", "a\r\nX: y", "é", "a\0b", "x" * 200_000, ["t"], {"t": 1}])
def test_an_access_token_that_fits_no_header_is_no_token(value: object) -> None:
    problem = failure(200, {"access_token": value, "token_type": "Bearer"})
    assert isinstance(problem, TokenEndpointUnavailable), "nothing is lost by it"


@pytest.mark.parametrize("value", ["", None, 7, "é", "a\0b", "x" * 200_000, ["t"]])
def test_an_unusable_refresh_or_id_token_is_none(value: object) -> None:
    found = granted(refresh_token=value, id_token=value)
    assert (found.refresh_token, found.id_token) == ("", "")


def test_a_refresh_token_may_hold_any_visible_character() -> None:
    """RFC 6749 A.17; it travels in a form, unlike an access token."""
    token = "".join(map(chr, range(0x20, 0x7F)))
    assert granted(refresh_token=token).refresh_token == token


def test_an_empty_error_beside_a_token_is_no_error() -> None:
    assert granted(error="", error_description=None).access_token == ACCESS_TOKEN
    assert granted(error=None).access_token == ACCESS_TOKEN


# -- one provider's forms


def test_form_encoded_tokens_are_read() -> None:
    body = b"access_token=gho_abc&expires_in=28800&refresh_token=ghr_x%2By&scope=repo%2Cgist&token_type=bearer"
    assert read_tokens(200, FORM, body, TOKEN_URL) == Tokens(
        access_token="gho_abc", expires_in=28800.0, refresh_token="ghr_x+y", scope="repo,gist"
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("bad_verification_code", GrantRejected),
        ("bad_refresh_token", GrantRejected),
        ("incorrect_client_credentials", ClientUnknown),
        ("redirect_uri_mismatch", SignInError),
    ],
)
def test_a_form_encoded_error_with_status_200_is_an_error(error: str, kind: type[SignInError]) -> None:
    body = f"error={error}&error_description=It+is+incorrect+or+expired.&error_uri=https%3A%2F%2Fdocs".encode()
    with pytest.raises(SignInError) as caught:
        read_tokens(200, FORM, body, TOKEN_URL)
    assert type(caught.value) is kind
    assert caught.value.message.endswith(f'; the server said: "{error}: It is incorrect or expired".')


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(FORM, b"\xff=1"), (FORM, b"&".join(b"a=1" for _ in range(60))), ("text/plain", b"access_token=a"), ("", b"a=b")],
)
def test_a_form_that_is_none_is_no_answer(content_type: str, body: bytes) -> None:
    with pytest.raises(TokenEndpointUnavailable):
        read_tokens(200, content_type, body, TOKEN_URL)


# -- passing failures: no token is lost


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", HTML, b'{"error":"invalid_grant"}', b'{"error":"invalid_client"}'])
def test_a_passing_status_is_passing_whatever_its_body_says(status: int, body: bytes) -> None:
    with pytest.raises(TokenEndpointUnavailable) as caught:
        read_tokens(status, JSON, body, TOKEN_URL)
    assert TOKEN_URL in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("body", [b"", HTML, b"[]", b"null", b'"x"', b'{"access_token":', b"\xff\xfe", b"[" * 100_000])
def test_no_object_at_all_is_passing(body: bytes) -> None:
    """A 404 or a page of a gateway must not clear the refresh token."""
    told: dict[int, str] = {}
    for status in (200, 204, 301, 302, 400, 403, 404, 405, 418, 422):
        try:
            told[status] = f"tokens: {read_tokens(status, 'text/html; charset=utf-8', body, TOKEN_URL)}"
        except TokenEndpointUnavailable as unavailable:
            told[status] = unavailable.message
    assert {status: said for status, said in told.items() if f"status {status}" not in said} == {}
    assert {status: said for status, said in told.items() if "text/html" not in said or "charset" in said} == {}


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "slow_down"])
def test_an_error_that_says_it_will_pass_is_passing(error: str) -> None:
    assert isinstance(refused(error), TokenEndpointUnavailable)


def test_a_content_type_cannot_break_the_message() -> None:
    with pytest.raises(TokenEndpointUnavailable) as caught:
        read_tokens(404, "text/html\r\nmcp-remote-bridge: " + "x" * 5000, b"", TOKEN_URL)
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()
