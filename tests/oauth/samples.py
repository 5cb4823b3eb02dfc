"""An authorization server, a client, a pending request and a record, each with one change or none."""

from typing import Any

from bridge.oauth.client import Client
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.record import Record
from bridge.oauth.request import AuthorizationRequest

ISSUER = "https://as.example"
TOKEN_URL = "https://as.example/token"
REDIRECT_URI = "http://localhost:51234/callback"
SERVER_URL = "https://mcp.example/mcp"

CLIENT_SECRET = "planted-client-secret"
STATE = "planted-state"
VERIFIER = "planted-verifier"
ACCESS_TOKEN = "planted-access-token"
REFRESH_TOKEN = "planted-refresh-token"
ID_TOKEN = "planted-id-token"


def server(**changes: Any) -> AuthorizationServer:
    return AuthorizationServer(
        **{"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": TOKEN_URL, **changes}
    )


def client(**changes: Any) -> Client:
    return Client(**{"client_id": "c1", "kind": "dynamic", **changes})


def pending(**changes: Any) -> AuthorizationRequest:
    return AuthorizationRequest(
        **{
            "server": server(),
            "client": client(),
            "redirect_uri": REDIRECT_URI,
            "scope": "files:read files:write",
            "resource": SERVER_URL,
            "state": STATE,
            "verifier": VERIFIER,
            **changes,
        }
    )


def record(**changes: Any) -> Record:
    return Record(
        **{
            "server": SERVER_URL,
            "profile": "default",
            "resource": SERVER_URL,
            "issuer": ISSUER,
            "token_endpoint": TOKEN_URL,
            "client": client(),
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            **changes,
        }
    )
