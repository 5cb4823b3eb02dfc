"""What a refused registration names, and what is registered instead (RFC 7591 3.2.2)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.client import BASIC, NONE, POST
from bridge.oauth.registration_refusal import Offer, Refused, left_of, offers, refused_in
from tests.support.cuts import unhurried


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (None, [NONE, BASIC, POST]),
        ((), [NONE, BASIC, POST]),
        ((BASIC, POST, NONE), [NONE, BASIC, POST]),
        ((POST, BASIC), [BASIC, POST]),
        (("private_key_jwt", POST), [POST]),
        (("private_key_jwt",), [NONE]),
    ],
)
def test_a_public_client_is_offered_first_and_only_what_the_server_lists(
    methods: tuple[str, ...] | None, expected: list[str]
) -> None:
    assert [offer.method for offer in offers(methods, "")] == expected
    assert offers(methods, "a b")[:2] == (Offer(expected[0], "a b"), Offer(expected[0], ""))


@pytest.mark.parametrize(
    ("code", "words", "refused"),
    [
        ("invalid_client_metadata", "Public client registration is not allowed", Refused.METHOD),
        ("invalid_client_metadata", "unsupported token_endpoint_auth_method: none", Refused.METHOD),
        ("invalid_request", "The auth method is not supported", Refused.METHOD),
        ("invalid_client_metadata", "authentication_methods must be one of ...", Refused.METHOD),
        ("invalid_client_metadata", "Requested scopes are not valid: admin", Refused.SCOPE),
        ("invalid_scope", "", Refused.SCOPE),
        ("invalid_redirect_uri", "not for a public client", Refused.REDIRECT_URI),
        ("invalid_client_metadata", "Redirect URI of public clients must be on the list", Refused.REDIRECT_URI),
        ("invalid_client_metadata", "", Refused.UNSAID),
        ("invalid_client_metadata", "Invalid client metadata", Refused.UNSAID),
        ("invalid_request", "Bad request", Refused.UNSAID),
        ("invalid_client_metadata", "grant_types must include 'authorization_code'", Refused.OTHER),
        ("invalid_client_metadata", "Client limit reached", Refused.OTHER),
        ("unapproved_software_statement", "", Refused.OTHER),
        ("access_denied", "", Refused.OTHER),
    ],
)
def test_a_refusal_is_told_by_its_code_and_words(code: str, words: str, refused: Refused) -> None:
    assert refused_in(400, json.dumps({"error": code, "error_description": words}).encode()) is refused


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, b"", Refused.UNSAID),
        (400, b'{"error":{"code":"x","message":"no public clients"}}', Refused.METHOD),
        (
            422,
            b'{"detail":[{"loc":["body","token_endpoint_auth_method"],"msg":"Input should be ..."}]}',
            Refused.METHOD,
        ),
        (403, b'{"message":"public clients are not allowed"}', Refused.METHOD),
        (422, b"", Refused.OTHER),
        (401, b'{"error":"invalid_token"}', Refused.OTHER),
        (404, b"Not found", Refused.OTHER),
        (302, b'{"message":"redirect"}', Refused.OTHER),
        (500, b'{"error":"invalid_client_metadata"}', Refused.OTHER),
    ],
)
def test_one_of_another_form_is_told_too(status: int, body: bytes, refused: Refused) -> None:
    assert refused_in(status, body) is refused


ALL = offers(None, "a")


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        (Refused.METHOD, [Offer(BASIC, "a"), Offer(BASIC, ""), Offer(POST, "a"), Offer(POST, "")]),
        (Refused.SCOPE, [Offer(NONE, ""), Offer(BASIC, ""), Offer(POST, "")]),
        (Refused.UNSAID, [*ALL[1:]]),
        (Refused.REDIRECT_URI, []),
        (Refused.OTHER, []),
    ],
)
def test_what_was_refused_is_not_offered_again(refused: Refused, left: list[Offer]) -> None:
    assert list(left_of(ALL, refused)) == left


@unhurried
@given(st.lists(st.sampled_from(Refused), min_size=6, max_size=6), st.sampled_from(["", "a b"]))
def test_whatever_a_server_says_it_is_asked_at_most_six_times(refusals: list[Refused], scope: str) -> None:
    left = offers(None, scope)
    for refused in refusals:
        if left:
            left = left_of(left, refused)
    assert left == ()
