"""Addresses: which may be asked or opened, which are private, and where metadata stands.

Everything here judges text; no name is resolved.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from bridge.oauth.errors import MetadataError
from bridge.protocol.words import address

MAX_URL = 2048
"""Characters."""

_RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
_SERVER_METADATA = "/.well-known/oauth-authorization-server"
_OPENID_METADATA = "/.well-known/openid-configuration"

# RFC 3986 2 knows visible ASCII only, and of that not these. Browsers take a backslash for a slash.
_NOT_IN_URL = re.compile(r'[^\x21-\x7e]|["<>\\^`{|}]')
_NAME = re.compile(r"(?!-)[0-9a-z_-]{1,63}(?:\.[0-9a-z_-]{1,63})*\.?")
# Browsers and resolvers read a host that ends so as an IPv4 address, in notations such as 127.1 and 0x7f.1.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")

# IANA IPv4 Special-Purpose Address Registry; the last one is multicast, reserved and broadcast.
_PRIVATE_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    )
)
# Of IPv6 only this is given out as public (RFC 4291 2.4), but for special purposes within it (IANA's registry).
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# RFC 6761 6.3, RFC 6762 3 and its appendix G, RFC 8375, and ICANN's `.internal`.
_LOCAL_SUFFIXES = (
    *(".localhost", ".localdomain", ".local", ".internal", ".home.arpa"),
    *(".intranet", ".private", ".corp", ".home", ".lan"),
)


def check_endpoint(url: str, what: str) -> str:
    """Return `url` as it is if it may be asked or opened, else raise `MetadataError`; `what` names it there.

    It may be https, or http to this machine itself, with a host and without user name, password or fragment.
    """
    if problem := _problem(url):
        raise MetadataError(
            f"The {what} was refused: '{address(url)}' {problem}.",
            hint="It must be an https URL; only the server's operator can fix that.",
        )
    return url


def is_url(text: str) -> bool:
    """Whether `text` is an http or https URL with a usable host, and without user name, password or fragment."""
    return not _malformed(text)


def is_private(address: str) -> bool:
    """Whether an IP address literal is of no use outside one machine or network; False for what is no such literal.

    An IPv6 address that stands for an IPv4 address (mapped, 6to4, NAT64) is judged by that.
    """
    try:
        ip = ipaddress.ip_address(address.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_private_v4(ip)
    if ip.ipv4_mapped is not None:
        return _is_private_v4(ip.ipv4_mapped)
    if ip in _NAT64:
        return _is_private_v4(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip.sixtofour is not None:
        return _is_private_v4(ip.sixtofour)
    return ip not in _PUBLIC_V6 or any(ip in network for network in _PRIVATE_V6)


def is_local_name(host: str) -> bool:
    """Whether a host name, by its form alone, means this machine or something in its network; False for literals."""
    name = host.lower().removesuffix(".")
    if ":" in name or _ENDS_IN_NUMBER.fullmatch(name):
        return False
    # No public host has a name of one label: such a name is completed from the resolver's search list.
    return "." not in name or name.endswith(_LOCAL_SUFFIXES)


def authorization_base(server_url: str) -> str:
    """The server's origin in its normal form (MCP 2025-03-26, Authorization Base URL; RFC 6454 6.2)."""
    parts = urlsplit(server_url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{_port_suffix(parts)}"


def protected_resource_urls(server_url: str, named: str | None) -> tuple[str, ...]:
    """Where protected resource metadata may be, in order (RFC 9728 3.1, MCP).

    The URL a challenge named if it is usable, then the form with the server's path and query, then the root.
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
    """Where an authorization server's metadata may be, in MCP's order (RFC 8414 3.1 and 5, OIDC Discovery 4.1).

    | issuer | forms |
    |---|---|
    | with a path | OAuth, OpenID with the path inserted; OpenID with the path before it |
    | without | OAuth, OpenID |

    Raises `MetadataError` for an issuer with a query or fragment, which no issuer has (RFC 8414 2).
    """
    if "?" in issuer or "#" in issuer:
        raise MetadataError(
            f"The authorization server {address(issuer)} was refused: an issuer has no query and no fragment.",
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
    """Why a URL may not be asked or opened, going on from it; empty where it may."""
    if malformed := _malformed(url):
        return malformed
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_loopback((parts.hostname or "").lower()):
        return "is plain http, which anyone on the way can read and change"
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
        named = len(host) <= 253 and _NAME.fullmatch(host) and not _ENDS_IN_NUMBER.fullmatch(host)
        return bool(named) and not bracketed
    # A zone (fe80::1%eth0) means something on one machine only.
    return (literal.version == 6) == bracketed and "%" not in host


def _is_loopback(host: str) -> bool:
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_private_v4(ip: ipaddress.IPv4Address) -> bool:
    return any(ip in network for network in _PRIVATE_V4)


def _port_suffix(parts: SplitResult) -> str:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return "" if parts.port in {None, default} else f":{parts.port}"
