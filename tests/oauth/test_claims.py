"""What is said of a token that a server refuses."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.claims import describe_claims

NOW = 1_800_000_000.0


def coded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: object) -> str:
    return coded(json.dumps(value).encode())


HEADER = part({"alg": "RS256"}) + "."


def token(header: object = None, **claims: object) -> str:
    return f"{part(header or {'alg': 'RS256'})}.{part(claims)}.planted-signature"


def test_all_that_is_told() -> None:
    said = describe_claims(
        token(
            aud="https://other.example/mcp",
            iss="https://as.example",
            exp=NOW - 180,
            scope="a b",
            sub="planted-sub",
            email="planted@example.com",
            name="planted",
            jti="planted",
            client_id="planted",
        ),
        NOW,
    )
    assert said == (
        "its claims say: audience https://other.example/mcp, issuer https://as.example, "
        'expired 3 minutes ago, scopes "a b"'
    )


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": ["a", "b"]}, 'audience "a" "b"'),
        ({"aud": ["a", 1, None, "b"]}, 'audience "a" "b"'),
        ({"aud": list("abcdefg")}, 'audience "a" "b" "c" "d" "e" and more'),
        ({"scp": "user.read mail"}, 'scopes "user.read mail"'),
        ({"scp": ["a", "b"]}, 'scopes "a b"'),
        ({"scp": ["https://api.example/user.read"]}, 'scopes ".../user.read"'),
        ({"iss": "line\n\x1b[31mtwo"}, 'issuer "line [31mtwo"'),
        ({"exp": NOW + 59.9}, "expires in 59 seconds"),
        ({"exp": NOW + 1}, "expires in 1 second"),
        ({"exp": NOW}, "expired less than a second ago"),
        ({"exp": NOW - 60}, "expired 1 minute ago"),
        ({"exp": NOW - 7200}, "expired 2 hours ago"),
        ({"exp": NOW + 86400 * 2.5}, "expires in 2 days"),
        ({"exp": 0}, "expired 20833 days ago"),
        ({"exp": 1e300}, "expires in more than 100 years"),
        ({"exp": -1e300}, "expired more than 100 years ago"),
    ],
)
def test_one_claim(claims: dict[str, object], says: str) -> None:
    assert describe_claims(token(**claims), NOW) == f"its claims say: {says}"


def test_long_values_are_cut() -> None:
    said = describe_claims(token(aud=["a" * 5000] * 9, iss="b" * 5000, scope="c " * 5000), NOW)
    assert len(said) < 1600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "ya29.a0AfH6SM",
        "a.b.c",
        "....",
        token(aud="x") + ".x",
        "e30.e30.x",
        token(["alg"], aud="x"),
        HEADER + part(["aud"]) + ".x",
        HEADER + part({"aud": "x"})[:-2] + ".x",
        HEADER + "\u00fc.x",
        token(sub="someone"),
        token(aud=7, iss=None, exp="soon", scope={}),
        token(exp=True),
        token(aud="x" * 100_000),
        HEADER + coded(b"[" * 40_000) + ".x",
        HEADER + coded(b'{"exp":1' + b"0" * 400 + b"}") + ".x",
    ],
    ids=range(17),
)
def test_nothing_is_said(text: str) -> None:
    assert describe_claims(text, NOW) == ""


anything = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())


@given(
    st.text()
    | st.dictionaries(st.sampled_from(["aud", "iss", "exp", "scope", "scp", "sub"]), anything).map(lambda c: token(**c))
)
def test_no_token_makes_it_fail(text: str) -> None:
    said = describe_claims(text, NOW)
    assert said.isprintable()
    assert "planted" not in said
