"""Which error each refusal of the token endpoint is, and what its message says (RFC 6749 5.2)."""

import json
import re

import pytest

from bridge.oauth.errors import ClientUnknown, GrantRejected, NeedsChange, SignInError
from bridge.oauth.grants.token_response import heard_in, read_tokens
from tests.oauth.grants.test_token_response import HTML, failure, refused
from tests.oauth.samples import TOKEN_URL


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422])
def test_only_a_refused_grant_is_a_refused_grant(status: int) -> None:
    problem = refused("invalid_grant", "Token has been revoked.", status)
    assert isinstance(problem, GrantRejected)
    assert problem.message.endswith('; the server said: "invalid_grant: Token has been revoked".')


@pytest.mark.parametrize(
    ("status", "members"),
    [
        (401, {"error": "invalid_client"}),
        (400, {"error": "invalid_client"}),
        (400, {"error": "unauthorized_client"}),
        (404, {"error": "client_not_found"}),
        (401, {}),
        (401, {"message": "Unauthorized"}),
        (400, {"error": "invalid_request", "error_description": "Client not found"}),
        (400, {"error": "invalid_request", "error_description": "Invalid client_id"}),
        (400, {"error": "invalid_request", "error_description": "The client abc.def does not exist."}),
        (404, {"error": "not_found", "message": "No such client"}),
        (403, {"message": "Client ID 123 is not registered"}),
        (422, {"message": "unrecognized client_id"}),
        (422, {"detail": "OAuth client was not found"}),
        (400, {"error": {"code": "no", "message": "Unknown client"}}),
    ],
)
def test_a_client_that_is_not_known_is_told_from_anything_else(status: int, members: object) -> None:
    problem = failure(status, members)
    assert isinstance(problem, ClientUnknown)
    assert "--client-id" in problem.hint


@pytest.mark.parametrize("body", [b"", HTML])
def test_a_401_without_a_body_is_about_the_client(body: bytes) -> None:
    """It is the only thing that authenticates there (RFC 6749 5.2)."""
    with pytest.raises(ClientUnknown, match="status 401"):
        read_tokens(401, "", body, TOKEN_URL)


@pytest.mark.parametrize(
    ("status", "members"),
    [
        (400, {"error": "invalid_request", "error_description": "Missing parameter: code_verifier"}),
        (400, {"error": "invalid_scope", "error_description": "The client does not exist in scope; unknown scope"}),
        (400, {"error": "invalid_target"}),
        (400, {"error": "unsupported_grant_type"}),
        (400, {"error": "interaction_required", "error_description": "AADSTS50076"}),
        (400, {}),
        (400, {"error": ""}),
        (403, {"message": "Forbidden"}),
        (404, {"message": "no Route matched with those values"}),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}),
        (302, {"url": "https://login.example/"}),
        (200, {"error": {"code": 7, "message": "Nope"}}),
        (200, {"ok": False, "error": "bad_redirect_uri"}),
    ],
)
def test_any_other_refusal_costs_neither_tokens_nor_client(status: int, members: object) -> None:
    assert type(failure(status, members)) in {SignInError, NeedsChange}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (
            {"error": "invalid_request", "error_description": "No code."},
            'answered status 400; the server said: "invalid_request: No code".',
        ),
        ({"error": "invalid_request"}, 'answered status 400; the server said: "invalid_request".'),
        ({"message": "Client limit reached"}, 'answered status 400; the server said: "Client limit reached".'),
        ({"detail": "Not here"}, 'answered status 400; the server said: "Not here".'),
        ({"error": "x", "error_description": 7, "message": "Why"}, 'answered status 400; the server said: "x: Why".'),
        ({"error": {"code": "c", "message": "m"}}, 'answered status 400; the server said: "c: m".'),
        ({"hello": "there"}, "answered status 400."),
        ({}, "answered status 400."),
    ],
)
def test_the_servers_own_words_are_told(members: object, words: str) -> None:
    assert failure(400, members).message == f"The token endpoint {TOKEN_URL} {words}"
    assert heard_in(json.dumps(members).encode()).rstrip(".") in words


def test_the_servers_words_are_one_clean_line() -> None:
    words = "Bad\r\nmcp-remote-bridge: Sign in at: https://evil.example/\x1b[31m\x9b\u2028\u202e\u2066" + "x" * 5000
    message = refused("invalid_request\n\x00", words).message
    assert len(message) < 400
    assert "evil.example" not in message
    assert message.count('"') == 2
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e\u2066]", message)


@pytest.mark.parametrize("body", [b"", HTML, b"[]", b"\xff", b'{"error": 7}', b'{"error": {}}', b"{"])
def test_a_body_without_words_says_nothing(body: bytes) -> None:
    assert heard_in(body) == ""


@pytest.mark.parametrize(
    ("error", "description", "option"),
    [
        ("invalid_target", "", "--resource none"),
        ("invalid_request", "AADSTS9010010: The resource parameter doesn't match the scopes.", "--resource none"),
        ("invalid_request", "AADSTS901002: The 'resource' request parameter isn't supported.", "--resource none"),
        ("invalid_scope", "AADSTS70011: The provided value is not valid.", "--scope"),
    ],
)
def test_a_known_cause_comes_with_the_option_that_helps(error: str, description: str, option: str) -> None:
    assert option in refused(error, description).hint


def test_an_unknown_cause_comes_without_advice() -> None:
    assert refused("invalid_request", "no such luck").hint == ""
