"""What an authorization endpoint says of a client, before the user sees it."""

import json
from typing import Any

import pytest

from bridge.oauth.authorization_probe import Doubt, probe_answer

CALLBACK = "http://localhost:1234/callback"


def redirects(location: str) -> Doubt | None:
    answer = probe_answer(302, "", b"", location)
    return answer.doubt if answer else None


def shows(status: int, body: Any, content_type: str = "text/html") -> Doubt | None:
    if isinstance(body, dict):
        body, content_type = json.dumps(body), "application/json"
    answer = probe_answer(status, content_type, body.encode(), "")
    return answer.doubt if answer else None


@pytest.mark.parametrize(
    ("location", "doubt"),
    [
        (f"{CALLBACK}?error=invalid_client", Doubt.CLIENT),
        ("https://app.example/api/auth/error?error=invalid_client&error_description=client_not_found", Doubt.CLIENT),
        ("/error?error=unauthorized_client", Doubt.CLIENT),
        ("https://as.example/oops#error=invalid_client", Doubt.CLIENT),
        ("https://as.example/error?error=redirect_uri_mismatch", Doubt.REDIRECT_URI),
        ("/error?error=invalid_request&error_description=redirect_uri+is+not+registered", Doubt.REDIRECT_URI),
        (f"{CALLBACK}?error=invalid_target", Doubt.RESOURCE),
        (f"{CALLBACK}?error=login_required", None),
        ("/login?returnTo=%2Fauthorize%3Ferror%3Dinvalid_client", None),
        ("/login", None),
        ("", None),
        ("https://as.example/?" + "&".join(f"a{number}=1" for number in range(100)), None),
    ],
)
def test_a_redirect_tells_by_its_error(location: str, doubt: Doubt | None) -> None:
    assert redirects(location) is doubt


@pytest.mark.parametrize(
    ("status", "body", "doubt"),
    [
        (400, {"error": "invalid_client"}, Doubt.CLIENT),
        (400, {"error": "invalid_request", "error_description": "Client ID 'x' not found"}, Doubt.CLIENT),
        (401, {"error": "invalid_client", "error_description": "unknown"}, Doubt.CLIENT),
        (400, {"error": "invalid_request", "error_description": "Unregistered redirect_uri"}, Doubt.REDIRECT_URI),
        (400, "<h1>Invalid redirect_uri</h1>", Doubt.REDIRECT_URI),
        (400, "<p>The redirect URI in the request does not match.", Doubt.REDIRECT_URI),
        (400, "<h1>Unknown client</h1>", Doubt.CLIENT),
        (400, {"error": "invalid_target"}, Doubt.RESOURCE),
        (200, "<p>AADSTS700016: Application with identifier 'x' was not found", Doubt.CLIENT),
        (200, "<p>AADSTS50011: The redirect URI specified does not match", Doubt.REDIRECT_URI),
        (403, "<h1>Just a moment...</h1>", Doubt.UNSAID),
        (400, "No required SSL certificate was sent: invalid client certificate", Doubt.UNSAID),
        (404, "", Doubt.UNSAID),
        (405, "<h1>Unknown client</h1>", None),
        (429, "<h1>Unknown client</h1>", None),
        (503, "<h1>Unknown client</h1>", None),
        (200, "<h1>Sign in</h1> Unknown client? Ask your administrator.", None),
    ],
)
def test_a_page_tells_by_its_status_and_words(status: int, body: Any, doubt: Doubt | None) -> None:
    assert shows(status, body) is doubt
