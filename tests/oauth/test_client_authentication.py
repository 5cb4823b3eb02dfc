"""How a client authenticates: what is sent in each way, what servers say against one, and which comes next."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl, unquote, unquote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.oauth.client import BASIC, NONE, POST, Client
from bridge.oauth.client_authentication import (
    WAYS,
    Refusal,
    Shown,
    Way,
    authenticated,
    first_way,
    next_way,
    refusal_in,
    standard_way,
)
from tests.oauth.samples import client
from tests.support.cuts import unhurried

PLAIN = client(secret="s", auth_method=BASIC)
ODD = client(secret="a/b+c:d%2B", auth_method=BASIC)
BY_POST = client(secret="s", auth_method=POST)
PUBLIC = client()
SAME = Refusal.UNSAID


def way(name: str) -> Way:
    return next(way for way in WAYS if way.name == name)


def pair(headers: dict[str, str]) -> tuple[str, str]:
    """The id and the secret of the header, as they are in it."""
    scheme, _, token = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    name, colon, secret = base64.b64decode(token, validate=True).decode().partition(":")
    assert colon
    return name, secret


# -- what is sent


@pytest.mark.parametrize(
    ("name", "fields", "shown"),
    [
        ("none", {"client_id": "c1"}, None),
        ("none+client_secret", {"client_id": "c1", "client_secret": ""}, None),
        ("client_secret_basic", {}, ("c1", "a%2Fb%2Bc%3Ad%252B")),
        ("client_secret_basic+client_id", {"client_id": "c1"}, ("c1", "a%2Fb%2Bc%3Ad%252B")),
        (
            "client_secret_basic+client_id+client_secret",
            {"client_id": "c1", "client_secret": ""},
            ("c1", "a%2Fb%2Bc%3Ad%252B"),
        ),
        ("client_secret_post", {"client_id": "c1", "client_secret": "a/b+c:d%2B"}, None),
        ("client_secret_basic-raw", {}, ("c1", "a/b+c:d%2B")),
        ("client_secret_basic-raw+client_id", {"client_id": "c1"}, ("c1", "a/b+c:d%2B")),
    ],
)
def test_each_way_sends_what_its_row_says(name: str, fields: dict[str, str], shown: tuple[str, str] | None) -> None:
    form = {"grant_type": "refresh_token"}
    sent, headers = authenticated(ODD, way(name), form)
    assert sent == {"grant_type": "refresh_token", **fields}
    assert (pair(headers) if headers else None) == shown
    assert form == {"grant_type": "refresh_token"}, "the caller's form is not changed"


def test_these_are_all_the_ways_and_each_has_a_name_of_its_own() -> None:
    assert len({way.name for way in WAYS}) == len({(way.shown, way.fields) for way in WAYS}) == len(WAYS) == 10


def test_an_assertion_is_sent_beside_the_id_and_without_any_secret() -> None:
    known = client(auth_method="private_key_jwt")
    first = standard_way(known)
    sent, headers = authenticated(known, first, {"grant_type": "client_credentials"}, "a.b.c")
    assert sent == {
        "grant_type": "client_credentials",
        "client_id": "c1",
        "client_assertion": "a.b.c",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert headers == {}
    other = next_way(known, None, [first], Refusal.UNSAID)
    assert other is not None
    assert (first.shown, other.shown) == (Shown.ASSERTION, Shown.ASSERTION_FOR_ENDPOINT)
    assert next_way(known, None, [first, other], Refusal.UNSAID) is None
    assert first_way(client(auth_method="private_key_jwt", way=other.name)) is other
    assert first_way(client(auth_method="private_key_jwt", way="client_secret_post")) is first


def test_basic_is_the_standards_example() -> None:
    """RFC 6749 2.3.1."""
    known = client(client_id="s6BhdRkqt3", secret="7Fjfp0ZBr1KtDRbnfVdmIw", auth_method=BASIC)
    sent, headers = authenticated(known, first_way(known), {"a": "b"})
    assert headers == {"Authorization": "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"}
    assert sent == {"a": "b"}, "the client authenticates by one method, and is named once"


@unhurried
@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
@example("https://app.example/c.json", "a:b+c d%2B&=é")
@example("a+b", "%20")
def test_any_id_and_secret_arrive_as_they_are(name: str, secret: str) -> None:
    known = Client(client_id=name, kind="static", secret=secret, auth_method=BASIC)
    shown = pair(authenticated(known, way("client_secret_basic"), {})[1])
    for decoded in (unquote, unquote_plus):  # Both kinds of servers exist.
        assert tuple(map(decoded, shown)) == (name, secret)
    sent, _ = authenticated(known, way("client_secret_post"), {})
    assert dict(parse_qsl(urlencode(sent), strict_parsing=True)) == {"client_id": name, "client_secret": secret}


# -- where it begins


@pytest.mark.parametrize(
    ("known", "name"),
    [
        (PUBLIC, "none"),
        (PLAIN, "client_secret_basic"),
        (BY_POST, "client_secret_post"),
        (client(auth_method=BASIC), "none"),
        (client(auth_method=POST), "none"),
        (client(secret="s", auth_method=NONE), "none"),
    ],
)
def test_the_first_way_is_the_standards(known: Client, name: str) -> None:
    assert first_way(known) is standard_way(known) is way(name)


@pytest.mark.parametrize(
    ("known", "kept", "name"),
    [
        (PLAIN, "client_secret_basic+client_id", "client_secret_basic+client_id"),
        (PLAIN, "client_secret_post", "client_secret_post"),
        (PLAIN, "a way of a later version", "client_secret_basic"),
        (PLAIN, "none", "client_secret_basic"),
        (PUBLIC, "client_secret_post", "none"),
    ],
)
def test_else_it_is_the_one_that_the_server_took_if_it_fits_the_client(known: Client, kept: str, name: str) -> None:
    changed = client(secret=known.secret, auth_method=known.auth_method, way=kept)
    assert first_way(changed) is way(name)


# -- what servers say

FASTAPI = {"detail": [{"type": "missing", "loc": ["body", "client_id"], "msg": "Field required", "input": None}]}
ZOD = '[{"expected":"string","code":"invalid_type","path":["client_id"],"message":"Invalid input: received undefined"}]'


@pytest.mark.parametrize(
    ("status", "error", "words", "refusal"),
    [
        (400, "invalid_request", "Client must not use multiple authentication methods", Refusal.MULTIPLE),
        (
            400,
            "invalid_request",
            "client authentication must only be provided using one mechanism",
            Refusal.MULTIPLE,
        ),
        (401, "invalid_client", "Missing client_id", Refusal.NO_ID),
        (401, "unauthorized_client", "Missing client_id", Refusal.NO_ID),
        (400, "invalid_request", ZOD, Refusal.NO_ID),
        (400, "invalid_client", "Required parameter (client_id) is missing.", Refusal.NO_ID),
        (400, "invalid_request", "client_secret: Field required", Refusal.NO_SECRET_FIELD),
        (401, "invalid_client", "Client secret is required", SAME),
        (401, "invalid_client", "Client authentication failed: missing client_secret", SAME),
        (401, "invalid_client", "", SAME),
        (400, "invalid_client", "Invalid client_secret", SAME),
        (200, "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.", SAME),
        (401, "unauthorized_client", "Client secret is required", SAME),
        (400, "unauthorized_client", "This client may not use this grant.", None),
        (400, "invalid_grant", "Missing client_id", None),
        (401, "invalid_grant", "", None),
        (400, "invalid_request", "redirect_uri did not match the one used when creating auth code", None),
        (400, "invalid_scope", "", None),
        (503, "invalid_client", "Missing client_id", None),
        (429, "invalid_client", "", None),
    ],
)
def test_a_refusal_is_told_by_its_code_and_words(status: int, error: str, words: str, refusal: Refusal | None) -> None:
    body = json.dumps({"error": error, "error_description": words}).encode()
    assert refusal_in(status, "application/json", body) is refusal


def test_one_without_an_oauth_error_is_told_by_its_status() -> None:
    assert refusal_in(401, "text/html", b"<p>Unauthorized") is SAME
    assert refusal_in(422, "application/json", json.dumps(FASTAPI).encode()) is Refusal.NO_ID
    assert refusal_in(400, "text/html", b"missing client_id") is None
    assert refusal_in(404, "application/json", b"{}") is None


def test_tokens_are_no_refusal_whatever_they_say() -> None:
    assert refusal_in(200, "application/json", b'{"access_token":"a","error_description":"Missing client_id"}') is None


@pytest.mark.parametrize("words", [7, None, {"a": ["client_id is missing"] * 5000}, "client_id" + " " * 100_000])
def test_words_of_any_shape_and_size_are_read_quickly(words: object) -> None:
    body = json.dumps({"error": "invalid_request", "error_description": words}).encode()
    assert refusal_in(400, "application/json", body) in {None, Refusal.NO_ID}


# -- what comes next


def walk(known: Client, methods: tuple[str, ...] | None, *refusals: Refusal) -> list[str]:
    """The names of the ways, when a server says this in turn and then the last for ever."""
    tried = [first_way(known)]
    said = list(refusals)
    while (found := next_way(known, methods, tried, said.pop(0) if len(said) > 1 else said[0])) is not None:
        tried.append(found)
    return [way.name for way in tried]


@pytest.mark.parametrize(
    ("known", "methods", "refusals", "names"),
    [
        # Cloudflare's provider, with a way from a server that wanted the id.
        (
            client(secret="s", auth_method=BASIC, way="client_secret_basic+client_id"),
            None,
            [Refusal.MULTIPLE],
            ["client_secret_basic+client_id", "client_secret_basic"],
        ),
        # The Python SDK's, and the same for a client that it knows by `client_secret_post`.
        (PLAIN, None, [Refusal.NO_ID], ["client_secret_basic", "client_secret_basic+client_id"]),
        (
            PLAIN,
            (POST, BASIC),
            [Refusal.NO_ID, SAME],
            ["client_secret_basic", "client_secret_basic+client_id", "client_secret_post"],
        ),
        # Its revocation endpoint.
        (PUBLIC, None, [Refusal.NO_SECRET_FIELD], ["none", "none+client_secret"]),
        (
            PLAIN,
            None,
            [Refusal.NO_ID, Refusal.NO_SECRET_FIELD],
            ["client_secret_basic", "client_secret_basic+client_id", "client_secret_basic+client_id+client_secret"],
        ),
        # A server that says nothing but no.
        (PUBLIC, None, [SAME], ["none"]),
        (PLAIN, None, [SAME], ["client_secret_basic", "client_secret_post"]),
        (PLAIN, (BASIC, POST), [SAME], ["client_secret_basic", "client_secret_post"]),
        (PLAIN, (BASIC,), [SAME], ["client_secret_basic"]),
        (BY_POST, (POST,), [SAME], ["client_secret_post"]),
        (BY_POST, None, [SAME], ["client_secret_post", "client_secret_basic"]),
        (ODD, (BASIC,), [SAME], ["client_secret_basic", "client_secret_basic-raw"]),
        (ODD, None, [SAME], ["client_secret_basic", "client_secret_post", "client_secret_basic-raw"]),
        (
            ODD,
            (BASIC,),
            [SAME, Refusal.NO_ID],
            ["client_secret_basic", "client_secret_basic-raw", "client_secret_basic-raw+client_id"],
        ),
    ],
)
def test_the_next_way_follows_from_what_the_server_says(
    known: Client, methods: tuple[str, ...] | None, refusals: list[Refusal], names: list[str]
) -> None:
    assert walk(known, methods, *refusals) == names


@unhurried
@given(st.lists(st.sampled_from(Refusal), min_size=1, max_size=12), st.sampled_from([PLAIN, ODD, BY_POST, PUBLIC]))
def test_whatever_a_server_says_it_comes_to_an_end_and_no_way_is_tried_twice(
    refusals: list[Refusal], known: Client
) -> None:
    names = walk(known, None, *refusals)
    assert len(set(names)) == len(names)
    if not known.secret:
        assert {way(name).shown for name in names} == {standard_way(known).shown}, "there is no secret to show"
