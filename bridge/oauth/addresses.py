"""Addresses. First draft."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bridge.oauth.errors import MetadataError


def check_endpoint(url: str, what: str) -> str:
    """Judge."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise MetadataError(f"The {what} is no URL.") from None
    loopback = host in {"localhost", "127.0.0.1", "::1"}
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)) or "#" in url:
        raise MetadataError(f"The {what} {url[:200]!r} must be https.")
    return url


def is_private(address: str) -> bool:
    """Judge a literal."""
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def is_local_name(host: str) -> bool:
    """Judge a name."""
    return host == "localhost" or host.endswith(".localhost")


def authorization_base(server_url: str) -> str:
    """The origin."""
    parts = urlsplit(server_url)
    return f"{parts.scheme}://{parts.netloc}"


def protected_resource_urls(server_url: str, named: str | None) -> tuple[str, ...]:
    """Places."""
    base, path = authorization_base(server_url), urlsplit(server_url).path.rstrip("/")
    own = [f"{base}/.well-known/oauth-protected-resource{path}", f"{base}/.well-known/oauth-protected-resource"]
    return tuple(dict.fromkeys([*([named] if named else []), *own]))


def authorization_server_urls(issuer: str) -> tuple[str, ...]:
    """Places."""
    base, path = authorization_base(issuer), urlsplit(issuer).path.rstrip("/")
    oauth, oidc = f"{base}/.well-known/oauth-authorization-server", f"{base}/.well-known/openid-configuration"
    return (f"{oauth}{path}", f"{oidc}{path}", f"{base}{path}/.well-known/openid-configuration") if path else (oauth, oidc)
