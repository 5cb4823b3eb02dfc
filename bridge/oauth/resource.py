"""Protected resource metadata. First draft."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from bridge.oauth.errors import MetadataError


class ProtectedResource(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] | None = None
    resource_name: str = ""
    resource_documentation: str = ""


def resource_matches(server_url: str, resource: str) -> bool:
    """Judge."""
    a, b = urlsplit(server_url), urlsplit(resource)
    path = b.path.rstrip("/")
    return (a.scheme, a.netloc) == (b.scheme, b.netloc) and (a.path.rstrip("/") + "/").startswith(path + "/")


def read_protected_resource(body: bytes, url: str, server_url: str) -> ProtectedResource:
    """Read and judge."""
    try:
        d = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MetadataError(f"{url} is not JSON.") from None
    resource = d.get("resource")
    if not isinstance(resource, str) or not resource_matches(server_url, resource):
        raise MetadataError(f"{url} is about {resource!r}, not {server_url}.")
    scopes = d.get("scopes_supported")
    return ProtectedResource(
        resource=resource,
        authorization_servers=tuple(d.get("authorization_servers") or ()),
        scopes_supported=tuple(scopes) if isinstance(scopes, list) else None,
        resource_name=d.get("resource_name") or "",
    )
