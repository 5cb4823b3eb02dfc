"""URLs that servers name: which of them may be requested or opened, and where metadata is found.

Only the form of a URL is judged here, and no name is resolved. `reach` judges the addresses that a URL leads to.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from bridge.loopback import is_loopback
from bridge.oauth.errors import MetadataError
from bridge.oauth.reach import ends_in_number
from bridge.protocol.sanitize import address

MAX_URL = 2048
"""Characters."""

_RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
_SERVER_METADATA = "/.well-known/oauth-authorization-server"
_OPENID_METADATA = "/.well-known/openid-configuration"

# A URL holds visible ASCII only, without these characters (RFC 3986 2). Browsers read a backslash as a slash.
_NOT_IN_URL = re.compile(r'[^\x21-\x7e]|["<>\\^`{|}]')
_NAME = re.compile(r"(?!-)[0-9a-z_-]{1,63}(?:\.[0-9a-z_-]{1,63})*\.?")


def check_endpoint(url: str, what: str) -> str:
    """Return `url` unchanged if it may be requested or opened, else raise `MetadataError`.

    It must be https, or http to this machine. It must have a host, and no user name, password or fragment. `what` names
    the URL in the message.
    """
    if problem := _problem(url):
        raise MetadataError(
            f"The {what} was refused: '{address(url)}' {problem}.",
            hint="It must be an https URL; only the server's operator can fix that.",
        )
    return url


def is_url(text: str) -> bool:
    """Whether `text` is an http or https URL with a usable host and without user name, password or fragment."""
    return not _malformed(text)


def authorization_base(server_url: str) -> str:
    """The server's origin in its normal form (MCP 2025-03-26, Authorization Base URL; RFC 6454 6.2)."""
    parts = urlsplit(server_url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{_port_suffix(parts)}"


def protected_resource_urls(server_url: str, named: str | None) -> tuple[str, ...]:
    """The URLs where protected resource metadata may be, in order (RFC 9728 3.1, MCP).

    First the URL that the challenge named, if it is usable; then the one with the server's path and query; then the
    root.
    """
    base, parts = authorization_base(server_url), urlsplit(server_url)
    query = f"?{parts.query}" if parts.query else ""
    path = parts.path if parts.path != "/" else ""
    urls = [
        f"{base}{_RESOURCE_METADATA}{path}{query}",
        f"{base}{_RESOURCE_METADATA}{path.rstrip('/')}{query}",
        f"{base}{_RESOURCE_METADATA}",
    ]
    if named and not _problem(named):
        urls.insert(0, named)
    return tuple(dict.fromkeys(urls))


def authorization_server_urls(issuer: str) -> tuple[str, ...]:
    """The URLs where an authorization server's metadata may be, in MCP's order (RFC 8414 3.1, 5, OIDC Discovery 4.1).

    | issuer | URLs |
    |---|---|
    | with a path | OAuth and OpenID before the path; OpenID after the path |
    | without a path | OAuth, OpenID |

    Raises `MetadataError` for an issuer with a query or fragment (RFC 8414 2 allows neither).
    """
    if "?" in issuer or "#" in issuer:
        raise MetadataError(
            f"The authorization server {address(issuer)} was refused: an issuer must have no query and no fragment.",
            hint="Only the server's operator can fix that.",
        )
    parts = urlsplit(issuer)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if not path:
        return (f"{base}{_SERVER_METADATA}", f"{base}{_OPENID_METADATA}")
    return (
        f"{base}{_SERVER_METADATA}{path}",
        f"{base}{_OPENID_METADATA}{path}",
        f"{base}{path}{_OPENID_METADATA}",
    )


def _problem(url: str) -> str:
    """Why a URL must not be requested or opened, as a predicate; empty if it may be."""
    if malformed := _malformed(url):
        return malformed
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        return "uses plain http, which anyone on the network can read and change"
    return ""


def _malformed(url: str) -> str:
    if len(url) > MAX_URL:
        return f"has more than {MAX_URL} characters"
    if bad := _NOT_IN_URL.search(url):
        return f"has a character (U+{ord(bad[0]):04X}) that is not allowed in a URL"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "is malformed"
    if parts.scheme not in {"https", "http"}:
        return "is not https"
    if "@" in parts.netloc:
        return "carries a user name or password"
    if not _is_host(host, bracketed="[" in parts.netloc):
        return "has no usable host"
    if port == 0:
        return "has no usable port"
    return "has a fragment" if "#" in url else ""


def _is_host(host: str, *, bracketed: bool) -> bool:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        named = len(host) <= 253 and _NAME.fullmatch(host) and not ends_in_number(host)
        return bool(named) and not bracketed
    # A zone (fe80::1%eth0) has a meaning on one machine only.
    return (literal.version == 6) == bracketed and "%" not in host


def _port_suffix(parts: SplitResult) -> str:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return "" if parts.port in {None, default} else f":{parts.port}"
