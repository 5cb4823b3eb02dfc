"""The token exchange at a company's provider: what is sent, and which answers are an ID-JAG."""

import json

import pytest

from bridge.oauth.errors import GrantRejected, NeedsChange, SignInError
from bridge.oauth.grants.id_jag import ID_JAG, read_id_jag, token_exchange_form

URL = "https://idp.example/token"


def read(members: dict[str, object], status: int = 200) -> str:
    return read_id_jag(status, "application/json", json.dumps(members).encode(), URL)


def test_the_request_names_the_issuer_and_the_resource() -> None:
    form = token_exchange_form("id-token", "https://as.example", "a b", "https://mcp.example/mcp")
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        "audience": "https://as.example",
        "subject_token": "id-token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "resource": "https://mcp.example/mcp",
        "scope": "a b",
    }
    assert {"resource", "scope"}.isdisjoint(token_exchange_form("id-token", "https://as.example", "", None))


def test_an_id_jag_is_told_from_any_other_token() -> None:
    assert read({"access_token": "a.b.c", "issued_token_type": ID_JAG, "token_type": "N_A"}) == "a.b.c"
    wrong: list[dict[str, object]] = [
        {"access_token": "a.b.c"},
        {"access_token": "a.b.c", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"},
        {"access_token": "a b", "issued_token_type": ID_JAG},
        {"access_token": 5, "issued_token_type": ID_JAG},
        {"issued_token_type": ID_JAG},
    ]
    for members in wrong:
        with pytest.raises(NeedsChange, match="ID-JAG was expected") as refused:
            read(members)
        assert "a.b.c" not in str(refused.value)


def test_a_refusal_is_that_of_a_token_endpoint() -> None:
    with pytest.raises(GrantRejected):
        read({"error": "invalid_grant"}, 400)
    with pytest.raises(SignInError):
        read({"error": "invalid_target"}, 400)
