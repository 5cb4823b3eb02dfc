"""Which endpoints are on an issuer's site, what is said of others, and a callback for each issuer."""

import pytest

from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.mix_up import path_for, same_site, warning


def server(issuer: str, page: str, tokens: str, *, iss: bool = False) -> AuthorizationServer:
    return AuthorizationServer(
        issuer=f"https://{issuer}",
        authorization_endpoint=f"https://{page}/in",
        token_endpoint=f"https://{tokens}/coin",
        iss_parameter_supported=iss,
    )


@pytest.mark.parametrize(
    ("issuer", "host", "same"),
    [
        ("as.example", "as.example", True),
        ("as.example", "login.as.example", True),
        ("auth.example.com", "login.example.com", True),
        ("example.com", "a.b.example.com", True),
        ("auth.example.co.uk", "login.example.co.uk", True),
        ("evil.co.uk", "honest.co.uk", False),
        ("evil.com.au", "honest.com.au", False),
        ("evil.example", "honest.example", False),
        ("evilexample.com", "example.com", False),
        ("evil.workers.dev", "honest.workers.dev", False),
        ("honest.workers.dev", "in.honest.workers.dev", True),
        ("evil.eu.auth0.com", "honest.eu.auth0.com", False),
        ("accounts.google.com", "oauth2.googleapis.com", True),
        ("evil.example", "oauth2.googleapis.com", False),
        ("cognito-idp.eu-west-1.amazonaws.com", "a-pool.auth.eu-west-1.amazoncognito.com", True),
        ("evil.auth.eu-west-1.amazoncognito.com", "honest.auth.eu-west-1.amazoncognito.com", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "198.51.2.1", False),
        ("2001:db8::1", "2001:db8::2", False),
        ("localhost", "localhost", True),
        ("io", "github.io", False),
        ("github.io", "evil.github.io", False),
    ],
)
def test_the_site_of_an_issuer(issuer: str, host: str, same: bool) -> None:
    assert same_site(issuer, host) is same


@pytest.mark.parametrize(
    ("issuer", "page", "tokens", "words"),
    [
        ("evil.example", "honest.example", "evil.example", ("sign in at honest.example", "goes to evil.example,")),
        ("evil.example", "honest.example", "honest.example", ("sign in at honest.example", "goes to evil.example,")),
        ("as.example", "as.example", "evil.example", ("sign in at as.example", "goes to evil.example,")),
    ],
    ids=["page", "both", "tokens"],
)
def test_another_site_is_told_with_both(issuer: str, page: str, tokens: str, words: tuple[str, str]) -> None:
    told = warning(server(issuer, page, tokens))
    assert all(word in told for word in words)
    assert warning(server(issuer, page, tokens, iss=True)) == ""


@pytest.mark.parametrize(
    ("page", "tokens", "receiver"),
    [
        ("honest.example", "evil.example", "evil.example"),
        ("honest.example", "honest.example", "evil.example"),
        ("evil.example", "other.example", "other.example"),
    ],
    ids=["page", "both", "tokens"],
)
@pytest.mark.parametrize("iss", [True, False])
def test_a_code_that_is_typed_in_on_another_site_is_told_whatever_is_promised(
    page: str, tokens: str, receiver: str, iss: bool
) -> None:
    told = warning(server("evil.example", "evil.example", tokens, iss=iss), code_page=f"https://{page}/device")
    assert f"sign in at {page}, but the access that you grant there goes to {receiver}, which is another site. " in told


@pytest.mark.parametrize(
    ("issuer", "tokens", "page"),
    [
        ("as.example", "as.example", "login.as.example"),
        ("github.com", "github.com", "github.com"),
        ("accounts.google.com", "oauth2.googleapis.com", "www.google.com"),
        ("login.microsoftonline.com", "login.microsoftonline.com", "microsoft.com"),
        ("login.microsoftonline.com", "login.microsoftonline.com", "login.microsoft.com"),
    ],
)
def test_nothing_is_said_of_a_code_that_is_typed_in_where_the_provider_has_its_page(
    issuer: str, tokens: str, page: str
) -> None:
    assert warning(server(issuer, issuer, tokens), code_page=f"https://{page}/device") == ""


@pytest.mark.parametrize("host", ["as.example", "127.0.0.1", "localhost"])
def test_nothing_is_said_of_a_server_on_one_site(host: str) -> None:
    assert warning(server(host, host, host)) == ""


def test_ports_and_names_of_this_machine_are_one_site() -> None:
    assert warning(server("localhost:1", "127.0.0.1:2", "[::1]:3")) == ""


def test_a_warning_is_short_and_shows_whose_a_long_host_is() -> None:
    told = warning(server("as.example", f"{'login.google.com.' * 12}evil.example", "as.example"))
    assert ".evil.example, but" in told
    assert len(told) < 400


def test_each_issuer_has_a_path_of_its_own_that_stays() -> None:
    assert path_for("/callback", "https://as.example") == "/callback/93e20fbd9d94"
    assert path_for("/", "https://as.example") == "/93e20fbd9d94"
    assert path_for("/callback", "https://as.example/") != path_for("/callback", "https://as.example")
