"""Who is signed in, as it is shown."""

from __future__ import annotations

import json

import pytest

from bridge.oauth.identity import user_of_claims, user_of_id_token, user_of_userinfo
from tests.oauth.test_claims import token

JSON = "application/json"


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({"email": "a@b.example", "preferred_username": "a", "name": "A", "sub": "1"}, "a@b.example"),
        ({"preferred_username": "a", "name": "A", "sub": "1"}, "a"),
        ({"name": "A B", "sub": "1"}, "A B"),
        ({"sub": "1"}, "1"),
        ({"email": "", "sub": "1"}, "1"),
        ({"email": " \n", "sub": "1"}, "1"),
        ({"email": 7, "name": ["A"], "sub": None}, ""),
        ({"name": "A\n\x1b[31mB\u202e"}, "A [31mB"),
        ({"name": "x" * 200}, "x" * 97 + "..."),
        ({}, ""),
    ],
    ids=range(10),
)
def test_the_first_name_that_is_there_is_shown_on_one_line(claims: dict[str, object], person: str) -> None:
    assert user_of_claims(claims) == person


@pytest.mark.parametrize("text", ["", "opaque", "a.b.c", "a.b.c.d", "...", "x" * 70_000])
def test_what_is_no_id_token_tells_nobody(text: str) -> None:
    assert user_of_id_token(text) == ""


def test_an_id_token_tells() -> None:
    assert user_of_id_token(token(email="a@b.example", sub="1")) == "a@b.example"


def userinfo(claims: object, status: int = 200, kind: str = JSON, id_token: str = "") -> str:
    return user_of_userinfo(status, kind, json.dumps(claims).encode(), id_token)


def test_the_userinfo_endpoint_tells() -> None:
    assert userinfo({"sub": "1", "name": "A"}) == "A"
    assert userinfo({"sub": "1"}, kind="application/json; charset=utf-8") == "1"


@pytest.mark.parametrize(
    ("claims", "status", "kind"),
    [({"sub": "1"}, 401, JSON), ({"sub": "1"}, 200, "application/jwt"), ({"sub": "1"}, 200, ""), (["1"], 200, JSON)],
    ids=["refused", "signed", "untyped", "array"],
)
def test_another_answer_tells_nobody(claims: object, status: int, kind: str) -> None:
    assert userinfo(claims, status, kind) == ""


def test_an_answer_about_somebody_else_is_not_used() -> None:
    known = token(sub="1")
    assert userinfo({"sub": "1", "name": "A"}, id_token=known) == "A"
    assert userinfo({"sub": "2", "name": "B"}, id_token=known) == ""
    assert userinfo({"name": "B"}, id_token=known) == ""
