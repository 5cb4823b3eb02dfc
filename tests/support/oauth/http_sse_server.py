"""A protected server of HTTP+SSE (MCP 2024-11-05): each of its requests wants a token of the authority."""

import json

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import WELL_KNOWN, bearer
from tests.support.servers.fault_http import Exchange
from tests.support.servers.fault_http_sse import LegacyServer


class ProtectedLegacyServer(LegacyServer):
    """As `LegacyServer`, behind the check of the token."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.authority = authority

    async def _handle(self, exchange: Exchange) -> None:
        place = f"{WELL_KNOWN}/sse"
        token = bearer(exchange.request)
        if exchange.request.path == place:
            document = {"resource": self.url, "authorization_servers": [self.authority.issuer]}
            await exchange.respond(200, json.dumps(document).encode(), "application/json")
        elif token is None or self.authority.ledger.valid(token) is None:
            challenge = f'Bearer resource_metadata="{self.http.origin}{place}"'
            await exchange.respond(401, b"", "", [("WWW-Authenticate", challenge)])
        else:
            await super()._handle(exchange)
