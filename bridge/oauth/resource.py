"""Protected resource metadata: the MCP server names its authorization servers there (RFC 9728 2, 3.2, 3.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from bridge.oauth.addresses import authorization_base, check_endpoint, is_url
from bridge.oauth.document import Document
from bridge.oauth.errors import MetadataError
from bridge.protocol.sanitize import address, shown

MAX_SERVERS = 10

_LONGEST_NAME = 100


class ProtectedResource(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata.

    `resource` is sent to authorization servers unchanged (RFC 8707 2). Without `authorization_servers` the server's own
    origin is the authorization server (MCP 2025-03-26). `scopes_supported` is None if the document has none.
    """

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] | None = None
    resource_name: str = ""
    resource_documentation: str = ""


def read_protected_resource(body: bytes, url: str, server_url: str) -> ProtectedResource:
    """Read the document that came from `url` about the server at `server_url`.

    Raises `MetadataError` if it is malformed or is about another resource (RFC 9728 3.3).
    """
    document = Document(body, "protected resource metadata", url)
    resource = document.required_text("resource")
    if not resource_matches(server_url, resource):
        raise document.fault(
            f"has the 'resource' '{address(resource)}', but the server's URL {shown(server_url, 300)} was expected, "
            "or the same URL with a shorter path",
            hint="If the server has several URLs, use the one that it names; otherwise only its operator can fix that.",
        )
    named = document.texts("authorization_servers")
    servers = tuple(server for server in named or () if _is_issuer(server))[:MAX_SERVERS]
    if named and not servers:
        raise document.fault(
            f"names '{address(named[0])}' as its authorization server, but an https URL without query or "
            "fragment was expected"
        )
    return ProtectedResource(
        resource=resource,
        authorization_servers=servers,
        scopes_supported=document.texts("scopes_supported"),
        resource_name=shown(document.text("resource_name") or "", _LONGEST_NAME),
        resource_documentation=document.endpoint("resource_documentation") or "",
    )


def resource_matches(server_url: str, resource: str) -> bool:
    """Whether a resource identifier is that of the server at `server_url` (RFC 9728 3.3, MCP Canonical Server URI).

    The origins must be the same, except for case and default port. The resource's path must be the server's path or its
    first segments, except for a slash at the end. If the resource has a query, path and query must both be the same.
    """
    if not is_url(resource) or authorization_base(resource) != authorization_base(server_url):
        return False
    server, named = urlsplit(server_url), urlsplit(resource)
    path, beginning = f"{server.path.rstrip('/')}/", f"{named.path.rstrip('/')}/"
    if named.query:
        return (path, server.query) == (beginning, named.query)
    return path.startswith(beginning)


def _is_issuer(url: str) -> bool:
    try:
        check_endpoint(url, "authorization server")
    except MetadataError:
        return False
    return "?" not in url
