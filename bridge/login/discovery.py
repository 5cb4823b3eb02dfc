"""Finding the authorization servers of an MCP server (RFC 9728 3, RFC 8414 3, MCP Discovery).

| protected resource metadata | next step |
|---|---|
| found | its authorization servers, in order; the MCP server's own origin if it names none |
| at none of its URLs (4xx, or a page that is not JSON) | the MCP server's own origin, as in MCP 2025-03-26 |
| found, but malformed or about another resource | an error |
| no answer | an error; the user can try again later |

If the MCP server's own origin has no authorization server metadata, the default endpoints are used.
"""

from __future__ import annotations

import logging

import msgspec

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth.addresses import (
    authorization_base,
    authorization_server_urls,
    check_endpoint,
    protected_resource_urls,
)
from bridge.oauth.errors import MetadataError, SignInError, Silent, Unavailable
from bridge.oauth.metadata import AuthorizationServer, default_authorization_server, read_authorization_server
from bridge.oauth.resource import ProtectedResource, read_protected_resource
from bridge.protocol.sanitize import address

_logger = logging.getLogger("bridge.login")

_RESOURCE = "protected resource metadata"
_SERVER = "authorization server metadata"


class DiscoveredServers(msgspec.Struct, frozen=True):
    """The issuers where the user may sign in. `resource` is None if the server has no protected resource metadata."""

    resource: ProtectedResource | None
    issuers: tuple[str, ...]

    @property
    def is_guessed(self) -> bool:
        """Whether the server names no issuer, so the issuer is its own origin (MCP 2025-03-26)."""
        return self.resource is None or not self.resource.authorization_servers


class Discovery:
    """Finds the authorization servers of the MCP server at `server_url`; `for_user`: for a grant that asks the user."""

    def __init__(self, server_url: str, http: AuthHttpClient, *, for_user: bool = True) -> None:
        self._server_url = server_url
        self._http = http
        self._for_user = for_user

    async def find(self, named: str | None) -> DiscoveredServers:
        """Read the protected resource metadata; `named` is the challenge's `resource_metadata`.

        Raises `MetadataError` for a document that must not be believed, `Unavailable` if it cannot be fetched now.
        """
        late: Unavailable | None = None
        silent: set[str] = set()  # An origin that does not answer is not asked for its other URLs.
        for url in protected_resource_urls(self._server_url, named):
            if authorization_base(url) in silent:
                continue
            try:
                reply = await self._http.metadata(url, _RESOURCE)
            except Unavailable as problem:
                late = late or problem
                if isinstance(problem, Silent):
                    silent.add(authorization_base(url))
                continue
            if reply.status >= 500 or reply.status == 429:
                late = late or Unavailable(
                    f"The {_RESOURCE} at {address(url)} is not available: it answered status {reply.status}.",
                    hint="Try again later.",
                )
            elif _is_document(reply):
                resource = read_protected_resource(reply.body, url, self._server_url)
                _logger.debug("%s names %s", url, ", ".join(resource.authorization_servers) or "no server")
                return DiscoveredServers(
                    resource, resource.authorization_servers or (authorization_base(self._server_url),)
                )
        if late is not None:
            raise late
        return DiscoveredServers(None, (authorization_base(self._server_url),))

    async def server(self, issuer: str, found: DiscoveredServers) -> AuthorizationServer:
        """Read an authorization server's metadata, and check the addresses of its endpoints.

        Raises `MetadataError`, `Unavailable`.
        """
        check_endpoint(issuer, "authorization server")
        guessed = found.resource is None or issuer not in found.resource.authorization_servers
        late: SignInError | None = None
        tried = authorization_server_urls(issuer)
        for url in tried:
            try:
                reply = await self._http.metadata(url, _SERVER)
                if _is_document(reply):
                    return await self._vetted(
                        read_authorization_server(reply.body, url, issuer, guessed=guessed, for_user=self._for_user)
                    )
            except (MetadataError, Unavailable) as problem:
                late = late or problem
                if isinstance(problem, Silent):
                    break
                continue
            if reply.status >= 500 or reply.status == 429:
                late = late or Unavailable(
                    f"The {_SERVER} at {address(url)} is not available: it answered status {reply.status}.",
                    hint="Try again later.",
                )
        if late is not None:
            raise late
        if found.resource is None:
            return default_authorization_server(self._server_url)
        raise MetadataError(
            f"{address(issuer)}, which {self._server_url} names as its authorization server, has no metadata: there is "
            f"no JSON document at {', '.join(map(address, tried))}.",
            hint="Only the server's operator can fix that.",
        )

    async def _vetted(self, server: AuthorizationServer) -> AuthorizationServer:
        if self._for_user:
            await self._http.vet(server.authorization_endpoint, "authorization endpoint")
        await self._http.vet(server.token_endpoint, "token endpoint")
        return server


def _is_document(reply: AuthResponse) -> bool:
    # Many sites answer any path with a page and status 200. That means that there is no metadata; it is not malformed.
    return reply.status == 200 and reply.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
