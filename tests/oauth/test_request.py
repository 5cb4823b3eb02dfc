"""The authorization request: what is in its URL, and which parameters the user may add (RFC 6749 4.1.1, 7636, 8707)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.request import authorization_url
from tests.oauth.samples import CLIENT_SECRET, REDIRECT_URI, SERVER_URL, STATE, VERIFIER, client, pending, server
from tests.support.cuts import unhurried

# RFC 7636, appendix B.
RFC_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def parameters(url: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(pairs) == len(dict(pairs)), "a parameter stands there twice"
    return dict(pairs)


def at(endpoint: str, **changes: Any) -> str:
    return authorization_url(pending(server=server(authorization_endpoint=endpoint), **changes))


def test_the_request_holds_what_the_standards_want_and_nothing_else() -> None:
    url = authorization_url(pending(verifier=RFC_VERIFIER))
    assert url.startswith("https://as.example/authorize?")
    assert parameters(url) == {
        "response_type": "code",
        "client_id": "c1",
        "redirect_uri": REDIRECT_URI,
        "scope": "files:read files:write",
        "state": STATE,
        "code_challenge": RFC_CHALLENGE,
        "code_challenge_method": "S256",
        "resource": SERVER_URL,
    }


def test_no_scope_and_no_resource_leave_their_parameters_out() -> None:
    found = parameters(authorization_url(pending(scope="", resource=None)))
    assert found.keys().isdisjoint({"scope", "resource"})


@pytest.mark.parametrize(
    "resource", ["https://mcp.example", "https://mcp.example/", "HTTPS://MCP.example:443/a%2Fb/?q=1&r=2", "urn:a:b"]
)
def test_the_resource_is_sent_byte_for_byte(resource: str) -> None:
    assert parameters(authorization_url(pending(resource=resource)))["resource"] == resource


def test_the_verifier_and_the_clients_secret_stay_here() -> None:
    url = authorization_url(pending(client=client(secret=CLIENT_SECRET, auth_method="client_secret_post")))
    assert VERIFIER not in url
    assert CLIENT_SECRET not in url


def test_the_endpoints_own_query_stays() -> None:
    """RFC 6749 3.1: it MUST be retained."""
    found = parameters(at("https://as.example/authorize?p=b2c_sign_in&x=a%20b%26c&empty="))
    assert (found["p"], found["x"], found["empty"]) == ("b2c_sign_in", "a b&c", "")
    assert found["client_id"] == "c1"


def test_the_endpoints_query_replaces_nothing_of_the_flow() -> None:
    """Metadata that names another server's endpoint with parameters of its own could steer the answer elsewhere."""
    names = "client_id redirect_uri response_type state code_challenge code_challenge_method scope resource"
    url = at("https://as.example/authorize?" + "&".join(f"{name}=evil" for name in names.split()))
    assert "evil" not in url
    assert parameters(url) == parameters(authorization_url(pending()))


def test_the_users_parameters_are_added() -> None:
    extra = [("audience", "https://api.example/?a=1&b=2"), ("prompt", "select_account"), ("login_hint", "é + x")]
    found = parameters(authorization_url(pending(), extra))
    assert {name: found[name] for name, _ in extra} == dict(extra)
    assert found["state"] == STATE


def test_the_users_parameters_win_over_the_endpoints() -> None:
    asked = pending(server=server(authorization_endpoint="https://as.example/authorize?prompt=consent"))
    assert parameters(authorization_url(asked, [("prompt", "none")]))["prompt"] == "none"


@pytest.mark.parametrize("name", ["uri", "kwargs", "self", "pending", "params"])
def test_any_name_is_just_a_parameter(name: str) -> None:
    assert parameters(authorization_url(pending(), [(name, "x")]))[name] == "x"


@unhurried
@given(
    st.lists(st.tuples(st.sampled_from(["state", "redirect_uri", "client_id", "scope", "aud", "x"]), st.text("ab&")))
)
def test_whatever_the_user_adds_the_flow_keeps_its_own(extra: list[tuple[str, str]]) -> None:
    url = authorization_url(pending(), extra)
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    for name, value in parameters(authorization_url(pending())).items():
        assert [found for key, found in pairs if key == name] == [value]


GOOGLE = {
    "issuer": "https://accounts.google.com",
    "authorization_endpoint": "https://accounts.google.com/o/oauth2/auth",
}


def test_google_is_asked_for_a_refresh_token() -> None:
    found = parameters(authorization_url(pending(server=server(**GOOGLE))))
    assert found["access_type"] == "offline"
    assert "prompt" not in found, "a forced consent breaks tenants whose administrator consents"


def test_googles_parameter_is_the_users_to_set() -> None:
    asked = pending(server=server(**GOOGLE))
    assert parameters(authorization_url(asked, [("access_type", "online")]))["access_type"] == "online"
    own = GOOGLE | {"authorization_endpoint": "https://accounts.google.com/auth?access_type=online"}
    assert parameters(authorization_url(pending(server=server(**own))))["access_type"] == "online"


@pytest.mark.parametrize("issuer", ["https://as.example", "https://accounts.google.com.evil.example"])
def test_nobody_else_gets_googles_parameter(issuer: str) -> None:
    found = parameters(authorization_url(pending(server=server(issuer=issuer))))
    assert found.keys().isdisjoint({"access_type", "prompt"})


def test_a_pending_request_does_not_show_its_secrets() -> None:
    asked = pending(client=client(secret=CLIENT_SECRET))
    for shown in (repr(asked), str(asked), f"{asked}"):
        assert not any(secret in shown for secret in (STATE, VERIFIER, CLIENT_SECRET))
        assert "https://as.example" in shown
