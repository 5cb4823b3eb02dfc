"""Pushed authorization requests: when, what is pushed, and the link that comes of it (RFC 9126)."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from bridge.oauth.errors import ClientUnknown, MetadataError, SignInError, TokenEndpointUnavailable
from bridge.oauth.pushed_request import AuthorizationLink, Pushing, pushed_form, pushing, read_pushed
from bridge.oauth.request import authorization_url
from tests.oauth.samples import ISSUER, STATE, client, pending, server

URL = f"{ISSUER}/par"
REFERENCE = "urn:ietf:params:oauth:request_uri:bwc4JK-ESC0w8acc191e-Y1LTC2"
"""The standard's example (2.2)."""


def answered(members: object, status: int = 201, endpoint: str = f"{ISSUER}/authorize") -> AuthorizationLink:
    asked = pending(server=server(authorization_endpoint=endpoint))
    return read_pushed(status, "application/json", json.dumps(members).encode(), asked, URL)


@pytest.mark.parametrize(
    ("endpoint", "by_server", "by_client", "expected"),
    [
        (None, False, False, Pushing.NEVER),
        (URL, False, False, Pushing.OFFERED),
        (URL, True, False, Pushing.REQUIRED),
        (URL, False, True, Pushing.REQUIRED),
    ],
)
def test_a_request_is_pushed_where_the_server_or_the_registration_wants_it(
    endpoint: str | None, by_server: bool, by_client: bool, expected: Pushing
) -> None:
    known = server(pushed_authorization_request_endpoint=endpoint, requires_pushed_requests=by_server)
    assert pushing(known, client(requires_pushed_requests=by_client)) is expected


@pytest.mark.parametrize("by_server", [True, False])
def test_a_server_that_requires_it_and_says_no_place_is_at_fault(by_server: bool) -> None:
    with pytest.raises(MetadataError, match="pushed_authorization_request_endpoint") as caught:
        pushing(server(requires_pushed_requests=by_server), client(requires_pushed_requests=not by_server))
    assert ISSUER in caught.value.message
    assert caught.value.hint


def test_what_is_pushed_is_what_the_link_would_hold() -> None:
    extra = [("audience", "https://api.example/?a=1"), ("x", "1"), ("x", "2")]
    form = pushed_form(pending(), extra)
    assert form == parse_qs(urlsplit(authorization_url(pending(), extra)).query, keep_blank_values=True)
    assert form["client_id"] == ["c1"], "RFC 9126 2.1: however the client authenticates"
    assert form["x"] == ["1", "2"]


def test_the_endpoints_own_query_is_not_pushed_and_stays_in_the_link() -> None:
    endpoint = f"{ISSUER}/authorize?p=b2c&state=evil&request_uri=evil&client_id=evil"
    assert "p" not in pushed_form(pending(server=server(authorization_endpoint=endpoint)))
    link = answered({"request_uri": REFERENCE, "expires_in": 60}, endpoint=endpoint)
    assert parse_qsl(urlsplit(link.url).query) == [("p", "b2c"), ("client_id", "c1"), ("request_uri", REFERENCE)]


def test_the_link_holds_the_reference_and_nothing_of_the_request() -> None:
    link = answered({"request_uri": REFERENCE, "expires_in": 60})
    assert link.url == (
        "https://as.example/authorize?client_id=c1&"
        "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Abwc4JK-ESC0w8acc191e-Y1LTC2"
    )
    assert STATE not in link.url
    assert link.url not in repr(link)


@pytest.mark.parametrize(
    ("expires_in", "lifetime", "renewed_after"),
    [(60, 60.0, 48.0), ("90", 90.0, 72.0), (None, 60.0, 48.0), (0, 60.0, 48.0), (1, 1.0, 10.0), (600, 600.0, 480.0)],
)
def test_it_is_renewed_before_it_expires_but_not_all_the_time(
    expires_in: object, lifetime: float, renewed_after: float
) -> None:
    link = answered({"request_uri": REFERENCE, "expires_in": expires_in})
    assert (link.lifetime, link.renewed_after) == (lifetime, renewed_after)
    assert AuthorizationLink("https://as.example/authorize").renewed_after is None


@pytest.mark.parametrize("reference", [None, "", 7, "a b", "a\nb", "é", "x" * 3000])
def test_an_unusable_reference_is_the_servers_fault(reference: object) -> None:
    with pytest.raises(SignInError, match="request_uri") as caught:
        answered({"request_uri": reference, "expires_in": 60})
    assert URL in caught.value.message


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "invalid_request", SignInError),
        (401, "invalid_client", ClientUnknown),
        (503, "", TokenEndpointUnavailable),
        (429, "", TokenEndpointUnavailable),
    ],
)
def test_a_refusal_is_told_as_the_token_endpoints_are(status: int, error: str, kind: type[SignInError]) -> None:
    with pytest.raises(kind, match=f"pushed authorization request endpoint {URL} answered status {status}") as caught:
        answered({"error": error} if error else {}, status)
    assert type(caught.value) is kind
