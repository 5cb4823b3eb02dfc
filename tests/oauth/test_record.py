"""What is kept of a sign-in: how it changes, how fresh it is, and what is read back from a store."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.grants.token_response import Tokens
from bridge.oauth.record import (
    Freshness,
    Record,
    client_key,
    decode,
    decode_client,
    encode,
    encode_client,
    freshness,
    tokens_key,
)
from tests.oauth.samples import (
    ACCESS_TOKEN,
    CLIENT_SECRET,
    ID_TOKEN,
    ISSUER,
    REDIRECT_URI,
    REFRESH_TOKEN,
    SERVER_URL,
    client,
    record,
)
from tests.support.cuts import unhurried

NOW = 1_000_000.0
FULL = record(
    client=client(secret=CLIENT_SECRET, auth_method="client_secret_post", redirect_uri=REDIRECT_URI, scope="a"),
    asked="a b",
    scope="a",
    id_token=ID_TOKEN,
    issued_at=NOW,
    expires_at=NOW + 3600.25,
    generation=7,
    revocation_endpoint="https://as.example/revoke",
    userinfo_endpoint="https://as.example/me",
)


def lasting(lifetime: float) -> Record:
    return record(issued_at=NOW, expires_at=NOW + lifetime)


# -- after a grant, after a refusal


def test_a_grant_is_kept_with_its_absolute_end() -> None:
    made = FULL.with_tokens(
        Tokens(access_token="a2", expires_in=60, refresh_token="r2", scope="a b", id_token="i2"), NOW
    )
    assert (made.access_token, made.refresh_token, made.id_token, made.scope) == ("a2", "r2", "i2", "a b")
    assert (made.issued_at, made.expires_at, made.generation) == (NOW, NOW + 60, 8)
    assert (made.issuer, made.client, made.resource, made.asked) == (ISSUER, FULL.client, SERVER_URL, "a b")


def test_what_a_refresh_does_not_name_stays() -> None:
    made = FULL.with_tokens(Tokens(access_token="a2"), NOW + 10)
    assert (made.refresh_token, made.id_token, made.scope) == (REFRESH_TOKEN, ID_TOKEN, "a")
    assert (made.expires_at, made.issued_at) == (None, NOW + 10), "no lifetime, and not the last one's"


def test_an_empty_scope_is_not_the_same_as_none() -> None:
    assert FULL.with_tokens(Tokens(access_token="a2", scope=""), NOW).scope == ""


def test_a_record_without_its_tokens_still_knows_its_server_and_client() -> None:
    cleared = FULL.without_tokens()
    assert (cleared.access_token, cleared.refresh_token, cleared.id_token, cleared.expires_at) == ("", "", "", None)
    assert (cleared.issuer, cleared.client, cleared.asked) == (ISSUER, FULL.client, "a b")
    assert cleared.generation == FULL.generation + 1
    assert cleared.secrets() == (CLIENT_SECRET,)


def test_a_record_names_its_secrets_and_shows_none() -> None:
    secrets = {ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN, CLIENT_SECRET}
    assert set(FULL.secrets()) == secrets
    assert not any(secret in f"{FULL!r} {FULL}" for secret in secrets)
    assert record(access_token="", refresh_token="").secrets() == ()


# -- freshness


@pytest.mark.parametrize(
    ("lifetime", "left", "expected"),
    [
        (3600, 3600, Freshness.FRESH),
        (3600, 121, Freshness.FRESH),
        (3600, 119, Freshness.DUE),
        (3600, 13, Freshness.DUE),
        (3600, 11, Freshness.EXPIRED),
        (3600, 0, Freshness.EXPIRED),
        (3600, -86400, Freshness.EXPIRED),
        (5, 5, Freshness.FRESH),
        (5, 1.5, Freshness.FRESH),
        (5, 0.9, Freshness.DUE),
        (5, 0.2, Freshness.DUE),
        (5, 0.05, Freshness.EXPIRED),
        (5, 0, Freshness.EXPIRED),
        (86400 * 30, 121, Freshness.FRESH),
        (0, 0, Freshness.EXPIRED),
    ],
)
def test_the_margin_suits_the_lifetime(lifetime: float, left: float, expected: Freshness) -> None:
    assert freshness(lasting(lifetime), NOW + lifetime - left) is expected


def test_a_token_without_an_end_is_fresh() -> None:
    assert freshness(record(issued_at=NOW), NOW * 1000) is Freshness.FRESH


def test_a_clock_that_was_set_back_says_nothing() -> None:
    assert freshness(lasting(3600), NOW - 86400) is Freshness.FRESH


def test_a_record_whose_end_is_before_its_beginning_is_expired() -> None:
    assert freshness(lasting(-10), NOW) is Freshness.EXPIRED


@unhurried
@given(st.floats(0.1, 1e8), st.floats(0, 1), st.floats(0, 1))
def test_a_token_only_ever_ages(lifetime: float, one: float, other: float) -> None:
    order = [Freshness.FRESH, Freshness.DUE, Freshness.EXPIRED]
    early, late = sorted((one, other))
    kept = lasting(lifetime)
    first, then = (order.index(freshness(kept, NOW + lifetime * part)) for part in (early, late))
    assert first <= then
    assert freshness(kept, NOW) is Freshness.FRESH, "a new token is not renewed at once"


# -- the store


def test_a_record_comes_back_as_it_was() -> None:
    assert decode(encode(FULL)) == FULL
    assert decode(encode(record(resource=None))) == record(resource=None)
    assert decode_client(encode_client(FULL.client)) == FULL.client


def test_a_record_that_a_later_version_added_to_is_read() -> None:
    assert decode(changed({"later": {"x": 1}})) == FULL


@pytest.mark.parametrize("change", [{"format": 2}, {"format": 0}, {"format": "1"}, {"format": None}])
def test_a_record_of_another_format_is_none(change: dict[str, Any]) -> None:
    assert decode(changed(change)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": 7},
        {"refresh_token": None},
        {"client": None},
        {"client": {"client_id": "x", "kind": "stolen"}},
        {"expires_at": "tomorrow"},
        {"issuer": ["https://as.example"]},
    ],
)
def test_a_record_with_nonsense_in_it_is_none(change: dict[str, Any]) -> None:
    assert decode(changed(change)) is None


NONSENSE = [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'"\xff"', b"[" * 100_000, encode(FULL)[:-1], b"\0" * 40]


@pytest.mark.parametrize("data", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_none(data: bytes) -> None:
    assert decode(data) is None
    assert decode_client(data) is None


@unhurried
@given(st.binary(max_size=200), st.integers(0, 600))
def test_any_damage_is_read_as_none_or_a_record(noise: bytes, place: int) -> None:
    damaged = encode(FULL)[:place] + noise + encode(FULL)[place + len(noise) :]
    assert isinstance(decode(damaged), Record | None)
    decode_client(damaged)


def changed(members: dict[str, Any]) -> bytes:
    whole: dict[str, Any] = msgspec.json.decode(encode(FULL))
    return json.dumps(whole | members).encode()


# -- store keys


def test_each_part_of_the_settings_has_its_own_slot() -> None:
    settings = ("https://mcp.example/mcp", "client", "resource", "default")
    slots = {tokens_key(*settings)}
    for place in range(4):
        slots.add(tokens_key(*(f"{part}x" if place == number else part for number, part in enumerate(settings))))
    slots.add(tokens_key("https://mcp.example/mcp", "clien", "tresource", "default"))
    slots.add(tokens_key("https://mcp.example/mcp", "resource", "client", "default"))
    assert len(slots) == 7


def test_a_registration_is_never_shared_between_issuers() -> None:
    slots = {
        client_key(issuer, uri)
        for issuer in (ISSUER, f"{ISSUER}/", "https://AS.example")
        for uri in (REDIRECT_URI, "http://127.0.0.1:51234/callback")
    }
    assert len(slots) == 6


def test_a_slots_name_is_stable_and_fits_any_store() -> None:
    """It stays from version to version, or everybody signs in anew."""
    store_key = tokens_key("https://mcp.example/mcp", "", "", "default")
    assert store_key == tokens_key("https://mcp.example/mcp", "", "", "default")
    assert store_key.replace("-", "").isalnum()
    assert store_key.islower()
    assert len(store_key) < 64
    assert "example" not in store_key
    assert client_key(ISSUER, "\ud800") != client_key(ISSUER, "\ud801")
