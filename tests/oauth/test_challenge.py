"""Challenges: the grammar's corners, what servers really send, and which challenge counts."""

import time

import pytest

from bridge.oauth.challenge import Challenge, bearer_challenge, is_insufficient_scope, parse_challenges, scopes_of
from tests.support.waits import stretched

METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource"


def one(value: str) -> Challenge:
    (challenge,) = parse_challenges([value])
    return challenge


def bearer(**parameters: str) -> Challenge:
    return Challenge("bearer", parameters)


# -- the standards' examples


def test_the_example_of_rfc_9110() -> None:
    value = 'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'
    assert parse_challenges([value]) == (
        Challenge("basic", {"realm": "simple"}),
        Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
    )


def test_the_example_of_rfc_6750() -> None:
    value = 'Bearer realm="example", error="invalid_token", error_description="The access token expired"'
    assert one(value).parameters == {
        "realm": "example",
        "error": "invalid_token",
        "error_description": "The access token expired",
    }


def test_the_example_of_mcp_folded_over_lines() -> None:
    value = f'Bearer resource_metadata="{METADATA}",\r\n      scope="files:read"'
    assert one(value) == bearer(resource_metadata=METADATA, scope="files:read")


# -- the grammar


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer", [Challenge("bearer")]),
        ("  ,, Bearer ,, ", [Challenge("bearer")]),
        ("Negotiate, NTLM", [Challenge("negotiate"), Challenge("ntlm")]),
        ("Negotiate abc/+9==", [Challenge("negotiate", {}, "abc/+9==")]),
        ("Negotiate abc==, Bearer a=1", [Challenge("negotiate", {}, "abc=="), bearer(a="1")]),
        ("Bearer a=1,Basic realm=x", [bearer(a="1"), Challenge("basic", {"realm": "x"})]),
        ("BEARER Scope=s, ERROR=e", [bearer(scope="s", error="e")]),
        ('Bearer a = "1" ,\tb\t=\t2', [bearer(a="1", b="2")]),
        ('Bearer a="x, Basic realm=\\"y\\", b=2"', [bearer(a='x, Basic realm="y", b=2')]),
        ('Bearer a="\\\\\\a"', [bearer(a="\\a")]),
        ('Bearer a=""', [bearer(a="")]),
        ("Bearer a=1, A=2, a=3", [bearer(a="1")]),
        ("", []),
        (" , ,", []),
    ],
)
def test_the_grammar(value: str, expected: list[Challenge]) -> None:
    assert list(parse_challenges([value])) == expected


def test_several_fields_are_one_list() -> None:
    found = parse_challenges(['Basic realm="a"', f"Bearer resource_metadata={METADATA}", "DPoP algs=ES256"])
    assert [challenge.scheme for challenge in found] == ["basic", "bearer", "dpop"]


# -- beyond the grammar


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"Bearer resource_metadata={METADATA}?a=b&c=(d)", bearer(resource_metadata=f"{METADATA}?a=b&c=(d)")),
        (f"Bearer resource_metadata={METADATA}, scope=x", bearer(resource_metadata=METADATA, scope="x")),
        ('Bearer realm="a" error="invalid_token" scope="b"', bearer(realm="a", error="invalid_token", scope="b")),
        ("Bearer, scope=x", bearer(scope="x")),
        # The rest of a value that should have been quoted is no scheme and takes no parameters away.
        ("Bearer scope=read write, error=e", bearer(scope="read", error="e")),
        ("Bearer a=, b=2", bearer(b="2")),
        ("Bearer x=1, a=, b=2", bearer(x="1", a="", b="2")),
    ],
)
def test_what_servers_get_wrong(value: str, expected: Challenge) -> None:
    found = one(value)
    assert (found.scheme, found.parameters) == (expected.scheme, expected.parameters)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ('Bearer a=1, b="no end', {"a": "1"}),
        ('Bearer a=1, b="no end\\"', {"a": "1"}),
        ('Bearer a=1, "stray", b=2', {"a": "1"}),
        ("Bearer a=1, (b), c=3", {"a": "1"}),
        # A quote that the server forgot to escape lets nothing of what it quotes through.
        ('Bearer error_description="no "x", resource_metadata="https://evil.example/"', {"error_description": "no "}),
    ],
)
def test_a_broken_tail_is_dropped(value: str, kept: dict[str, str]) -> None:
    assert one(value).parameters == kept


def test_a_parameter_without_a_scheme_belongs_to_nobody() -> None:
    assert parse_challenges(["scope=x, Bearer a=1"]) == (bearer(a="1"),)


# -- limits


def test_a_field_too_long_is_passed_over() -> None:
    assert parse_challenges([f"Bearer a={'x' * 20_000}", "Bearer b=1"]) == (bearer(b="1"),)


def test_fields_challenges_and_parameters_have_a_limit() -> None:
    assert len(parse_challenges(["Bearer"] * 1000)) == 20
    assert len(parse_challenges([", ".join(["Bearer a=1"] * 1000)])) == 50
    assert len(one("Bearer " + ", ".join(f"p{n}=1" for n in range(1000))).parameters) == 50


@pytest.mark.parametrize(
    "value",
    [
        "a " * 8000,
        "Bearer " + 'a="' * 5000,
        'Bearer a="' + "\\" * 16_000,
        "Bearer " + "a" * 8000 + "=" * 8000 + "!",
        ("a" * 10 + " " * 90) * 160,
        ", " * 8000,
    ],
)
def test_hostile_fields_take_no_time(value: str) -> None:
    began = time.process_time()
    parse_challenges([value] * 20)
    assert time.process_time() - began < stretched(2)


# -- which one counts


def test_the_bearer_challenge_that_says_most() -> None:
    full = bearer(resource_metadata=METADATA, scope="a")
    assert bearer_challenge([Challenge("basic", {"scope": "x", "error": "y"}), bearer(realm="r"), full]) is full
    first, second = bearer(error="x"), bearer(scope="y")
    assert bearer_challenge([first, second]) is first
    assert bearer_challenge([Challenge("dpop")]) is None
    assert bearer_challenge([]) is None


@pytest.mark.parametrize(
    ("status", "challenges", "says"),
    [
        (403, [bearer(error="insufficient_scope")], True),
        (403, [bearer(resource_metadata=METADATA, scope="a"), bearer(error="insufficient_scope")], True),
        (401, [bearer(error="insufficient_scope")], False),
        (403, [bearer(error="invalid_token")], False),
        (403, [Challenge("basic", {"error": "insufficient_scope"})], False),
        (403, [], False),
    ],
)
def test_insufficient_scope(status: int, challenges: list[Challenge], says: bool) -> None:
    assert is_insufficient_scope(status, challenges) is says


def test_the_scopes_named() -> None:
    assert scopes_of(bearer(scope=" files:read  files:write files:read ")) == ("files:read", "files:write")
    assert scopes_of(bearer(scope='a "b" c\x00')) == ("a",)
    assert scopes_of(bearer()) == ()
