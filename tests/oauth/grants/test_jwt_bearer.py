"""The token request of a program that shows an assertion, and the error where that is refused."""

import pytest

from bridge.oauth.errors import GrantRejected, NeedsChange, SignInError
from bridge.oauth.grants.jwt_bearer import assertion_refused, jwt_bearer_form
from tests.oauth.test_claims import token

RESOURCE = "https://mcp.example/v1/mcp"


def test_only_what_is_wanted_is_sent() -> None:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}
    assert jwt_bearer_form("a.b.c", "", None) == grant
    assert jwt_bearer_form("a.b.c", "x y", RESOURCE) == {**grant, "scope": "x y", "resource": RESOURCE}


@pytest.mark.parametrize(
    ("problem", "tells"), [(GrantRejected("It is refused."), True), (SignInError("No.", hint="Do this."), False)]
)
def test_its_claims_are_told_where_it_is_the_cause(problem: SignInError, tells: bool) -> None:
    bad = token(aud="https://other.example", exp=900)
    error = assertion_refused(problem, bad, 1000.0)
    assert isinstance(error, NeedsChange)
    assert ("audience https://other.example" in error.message) is tells
    assert bad not in f"{error.message} {error.hint}"
    assert error.hint == (problem.hint or error.hint)
