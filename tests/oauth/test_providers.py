"""The table of providers: each row is recognised as it says, and no server is taken for another's."""

import re

import pytest

from bridge.oauth.providers import (
    PROVIDERS,
    authorization_parameters,
    client_console,
    documents_site,
    member_of,
    reason_in,
    standard_error,
)

GOOGLE = "https://accounts.google.com"


@pytest.mark.parametrize("issuer", [GOOGLE, f"{GOOGLE}/", "https://ACCOUNTS.google.com"])
def test_a_provider_is_recognised_by_its_issuers_host(issuer: str) -> None:
    assert authorization_parameters(issuer) == (("access_type", "offline"),)
    assert client_console(issuer).startswith("https://console.cloud.google.com/")


@pytest.mark.parametrize(
    "issuer",
    ["https://accounts.google.com.evil.example", "https://evil.example/accounts.google.com", "https://x", "", "x"],
)
def test_another_issuer_is_not_taken_for_it(issuer: str) -> None:
    assert authorization_parameters(issuer) == ()
    assert client_console(issuer) == ""


def test_endpoints_on_a_documented_host_belong_to_the_issuer_and_to_no_other() -> None:
    assert documents_site("accounts.google.com", "oauth2.googleapis.com")
    assert not documents_site("login.microsoftonline.com", "oauth2.googleapis.com")
    assert not documents_site("accounts.google.com", "oauth2.googleapis.com.evil.example")


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_each_row_does_something_and_its_patterns_are_whole(provider: object) -> None:
    row = next(one for one in PROVIDERS if one is provider)
    assert row.name
    assert row.console or row.parameters or row.sites or row.errors or row.reasons or row.members
    assert row.hosts or not (row.console or row.parameters or row.sites)
    for pattern in filter(None, (row.hosts, *row.sites)):
        assert not re.search(r"(?<!\\)\.(?![*+?])", pattern), "a dot without a backslash means any character"


@pytest.mark.parametrize("kind", ["errors", "reasons", "members"])
def test_a_name_stands_in_one_row(kind: str) -> None:
    names = [name for provider in PROVIDERS for name in getattr(provider, kind)]
    assert len(names) == len(set(names))


def test_a_providers_own_names_are_read_as_the_standards() -> None:
    assert standard_error("bad_refresh_token") == "invalid_grant"
    assert standard_error("authorization_declined") == "access_denied"
    assert standard_error("anything_else") == "anything_else"
    assert reason_in("invalid_request: AADSTS901002: not supported") == "invalid_target"
    assert reason_in("AADSTS50076") == ""
    assert member_of({"verification_url": "b"}, "verification_uri") == "b"
    assert member_of({"verification_uri": "a", "verification_url": "b"}, "verification_uri") == "a"
    assert member_of({"scp": ["a"]}, "scope") == ["a"]
    assert member_of({"other": "b"}, "verification_uri") is None
