"""A profile with a name stays with the account of its first sign-in."""

from __future__ import annotations

import msgspec
import pytest

from bridge.oauth.client import Client
from bridge.oauth.errors import SignInError
from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.pinned_identity import account_of, check_refreshed, pinned, subject_and_user
from bridge.oauth.record import DEFAULT_PROFILE, Record, decode, encode
from tests.oauth.test_claims import token

ISSUER, OTHER = "https://as.example", "https://other.example"
LEAVE = "mcp-remote-bridge logout https://mcp.example/mcp --profile work"
ANN = token(iss=ISSUER, sub="1", email="ann@example.com")
BOB = token(iss=ISSUER, sub="2", email="bob@example.com")


def record(id_token: str = "", access_token: str = "opaque", *, profile: str = "work", issuer: str = ISSUER) -> Record:
    empty = Record(
        server="https://mcp.example/mcp",
        profile=profile,
        resource=None,
        issuer=issuer,
        token_endpoint=f"{issuer}/token",
        client=Client(kind="static", client_id="c"),
    )
    return empty.with_tokens(Tokens(access_token=access_token, id_token=id_token), 1.0)


def test_the_subject_is_that_of_the_id_token_or_else_of_the_access_token() -> None:
    assert subject_and_user(ANN, BOB) == ("id:1", "ann@example.com")
    assert subject_and_user("", BOB) == ("at:2", "bob@example.com")
    assert subject_and_user("", "opaque") == ("", "")
    assert subject_and_user(token(sub=5), token(sub="x" * 256)) == ("", "")


def test_the_same_account_is_kept() -> None:
    before = record(ANN)
    assert pinned(record(ANN), before, LEAVE) == record(ANN)
    assert pinned(record(BOB), None, LEAVE) == record(BOB)
    assert pinned(record(BOB), record(), LEAVE) == record(BOB)


@pytest.mark.parametrize(
    ("now", "who"),
    [
        (record(BOB), f"bob@example.com (at {ISSUER})"),
        (record(ANN, issuer=OTHER), f"ann@example.com (at {OTHER})"),
        (record(issuer=OTHER), f"an account that is not named (at {OTHER})"),
    ],
)
def test_another_account_is_refused_with_both_names(now: Record, who: str) -> None:
    with pytest.raises(SignInError) as refused:
        pinned(now, record(ANN).without_tokens(), LEAVE)
    assert refused.value.message == (
        f"The profile work belongs to ann@example.com (at {ISSUER}), but {who} signed in, so this sign-in "
        "was not stored."
    )
    assert refused.value.hint.endswith(f"first run: {LEAVE}")


def test_the_usual_profile_belongs_to_no_account() -> None:
    before = record(ANN, profile=DEFAULT_PROFILE)
    assert pinned(record(BOB, profile=DEFAULT_PROFILE), before, LEAVE) == record(BOB, profile=DEFAULT_PROFILE)


def test_a_profile_stays_with_its_account_where_a_sign_in_does_not_tell() -> None:
    for now in (record(), record("", BOB)):
        kept = pinned(now, record(ANN), LEAVE)
        assert (kept.subject, kept.user, kept.access_token) == ("id:1", "ann@example.com", now.access_token)


def test_a_refresh_may_not_change_the_user() -> None:
    held = record(ANN)
    for good in (ANN, "", token(iss=ISSUER, sub="1", email="new@example.com")):
        check_refreshed(held, Tokens(access_token="opaque", id_token=good), LEAVE)
    for bad in (BOB, token(iss=OTHER, sub="1")):
        with pytest.raises(SignInError, match="brought the token of") as refused:
            check_refreshed(held, Tokens(access_token="opaque", id_token=bad), LEAVE)
        assert LEAVE in refused.value.hint


def test_of_the_usual_profile_only_id_tokens_of_a_refresh_are_compared() -> None:
    usual = record(ANN, profile=DEFAULT_PROFILE)
    with pytest.raises(SignInError):
        check_refreshed(usual, Tokens(access_token="opaque", id_token=BOB), LEAVE)
    check_refreshed(record("", ANN, profile=DEFAULT_PROFILE), Tokens(access_token=BOB), LEAVE)
    with pytest.raises(SignInError):
        check_refreshed(record("", ANN), Tokens(access_token=BOB), LEAVE)


def test_the_account_outlasts_the_tokens_and_is_stored() -> None:
    kept = decode(encode(record(ANN).without_tokens()))
    assert kept is not None
    assert account_of(kept) == f"ann@example.com (at {ISSUER})"
    assert account_of(msgspec.structs.replace(kept, profile=DEFAULT_PROFILE)) == ""
    assert account_of(record()) == ""


def test_a_record_of_an_earlier_version_learns_its_account_from_the_next_tokens() -> None:
    earlier = msgspec.structs.replace(record(ANN), subject="", user="")
    assert earlier.with_tokens(Tokens(access_token="a", id_token=ANN), 2.0).subject == "id:1"
    assert record(ANN).with_tokens(Tokens(access_token="a", id_token=BOB), 2.0).subject == "id:1"
