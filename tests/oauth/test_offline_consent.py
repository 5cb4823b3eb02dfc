"""The page of consent is asked for where only that brings a refresh token, and never in vain twice."""

import pytest

from bridge.oauth.offline_consent import asks_for_consent, asks_for_refresh_token, learned
from bridge.oauth.record import Consent

ISSUER, GOOGLE, ENTRA = (
    "https://as.example",
    "https://accounts.google.com",
    "https://login.microsoftonline.com/common/v2.0",
)
OFFLINE = "openid offline_access"


def test_a_refresh_token_is_asked_for_by_scope_or_by_a_providers_own_parameter() -> None:
    assert asks_for_refresh_token(ISSUER, OFFLINE)
    assert asks_for_refresh_token(GOOGLE, "openid")
    assert not asks_for_refresh_token(ISSUER, "openid")


@pytest.mark.parametrize(
    ("known", "was_asked", "has_refresh_token", "then"),
    [
        ("", False, True, ""),
        ("", False, False, "wanted"),
        ("wanted", True, True, "helps"),
        ("wanted", True, False, "useless"),
        ("helps", True, True, "helps"),
        ("helps", False, True, "helps"),
        ("useless", False, False, "useless"),
    ],
)
def test_what_a_sign_in_teaches(known: Consent, was_asked: bool, has_refresh_token: bool, then: Consent) -> None:
    found = learned(ISSUER, OFFLINE, known, was_asked=was_asked, has_refresh_token=has_refresh_token)
    assert found == then


def test_without_a_wish_for_a_refresh_token_nothing_is_learned_or_asked() -> None:
    assert learned(ISSUER, "openid", "", was_asked=False, has_refresh_token=False) == ""
    assert not asks_for_consent(ISSUER, "openid", "wanted")


@pytest.mark.parametrize(("known", "asks"), [("", False), ("wanted", True), ("helps", True), ("useless", False)])
def test_when_it_is_asked_for(known: Consent, asks: bool) -> None:
    assert asks_for_consent(ISSUER, OFFLINE, known) is asks
    assert asks_for_consent(GOOGLE, "openid", known) is asks
    assert not asks_for_consent(ENTRA, OFFLINE, known)
