"""Taking tokens back: in which order, and what an answer means."""

from __future__ import annotations

import json

import pytest

from bridge.oauth.errors import ClientUnknown, SignInError, TokenEndpointUnavailable
from bridge.oauth.revocation import Revocation, check_revoked, is_unsupported, retry_after, revocations
from tests.oauth.samples import ACCESS_TOKEN, ISSUER, REFRESH_TOKEN, record

URL = f"{ISSUER}/revoke"
JSON = "application/json"


def test_the_refresh_token_goes_first() -> None:
    assert revocations(record()) == (
        Revocation("refresh_token", REFRESH_TOKEN),
        Revocation("access_token", ACCESS_TOKEN),
    )


def test_only_what_is_there_is_taken_back() -> None:
    assert revocations(record(refresh_token="")) == (Revocation("access_token", ACCESS_TOKEN),)
    assert revocations(record().without_tokens()) == ()


def test_the_request_has_the_token_and_its_type() -> None:
    revocation = Revocation("refresh_token", REFRESH_TOKEN)
    assert revocation.form == {"token": REFRESH_TOKEN, "token_type_hint": "refresh_token"}
    assert REFRESH_TOKEN not in repr(revocation)


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b"{}"), (204, b""), (200, b"<html>ok"), (202, b"null")])
def test_a_good_status_is_enough(status: int, body: bytes) -> None:
    check_revoked(status, "text/html", body, URL)


@pytest.mark.parametrize(
    ("status", "members", "kind"),
    [
        (400, {"error": "unsupported_token_type"}, SignInError),
        (401, {"error": "invalid_client"}, ClientUnknown),
        (401, {}, ClientUnknown),
        (302, {}, SignInError),
        (503, {}, TokenEndpointUnavailable),
        (429, {}, TokenEndpointUnavailable),
    ],
    ids=range(6),
)
def test_any_other_is_an_error(status: int, members: object, kind: type[SignInError]) -> None:
    with pytest.raises(SignInError) as refused:
        check_revoked(status, JSON, json.dumps(members).encode(), URL)
    assert type(refused.value) is kind
    assert f"revocation endpoint {URL}" in refused.value.message


def test_a_type_that_is_not_taken_back_is_told_from_others() -> None:
    assert is_unsupported(400, b'{"error": "unsupported_token_type"}')
    assert not is_unsupported(200, b'{"error": "unsupported_token_type"}')
    assert not is_unsupported(400, b'{"error": "invalid_request"}')
    assert not is_unsupported(400, b"[]")


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (503, "2", 2.0),
        (503, "0", 0.0),
        (503, "5", 5.0),
        (503, "6", None),
        (503, "99999999999", None),
        (503, "", None),
        (503, "-1", None),
        (503, "1.5", None),
        (503, "\u0662", None),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (500, "2", None),
        (200, "2", None),
    ],
    ids=range(12),
)
def test_a_short_time_is_waited_for(status: int, header: str, seconds: float | None) -> None:
    assert retry_after(status, header) == seconds
