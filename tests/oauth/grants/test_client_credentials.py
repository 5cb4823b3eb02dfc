"""The token request of a program that signs in as itself."""

import pytest

from bridge.oauth.grants.client_credentials import client_credentials_form

RESOURCE = "https://mcp.example/v1/mcp"


@pytest.mark.parametrize(
    ("scope", "resource", "sent"),
    [
        ("a b", RESOURCE, {"scope": "a b", "resource": RESOURCE}),
        ("", RESOURCE, {"resource": RESOURCE}),
        ("a", None, {"scope": "a"}),
    ],
)
def test_only_what_is_wanted_is_sent(scope: str, resource: str | None, sent: dict[str, str]) -> None:
    assert client_credentials_form(scope, resource) == {"grant_type": "client_credentials", **sent}
