"""Host names with letters beyond ASCII (IDNA 2008, RFC 5891).

A user writes `bücher.example`; name services, TLS, HTTP and proxies know the host as `xn--bcher-kva.example`, its
A-label. Messages show the name as the user wrote it.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def ascii_host(host: str) -> str:
    """A host as the network knows it; a dot at its end stays. Raises ValueError where it cannot be a host name."""
    if host.isascii():
        return host
    import idna  # Few hosts need it, and its tables take long to load.

    return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")


def ascii_url(url: str) -> str:
    """A checked URL with its host as the network knows it, and the rest unchanged. Raises as `ascii_host`."""
    if url.isascii():
        return url
    netloc = urlsplit(url).netloc
    host, colon, port = netloc.rpartition(":") if netloc.rpartition(":")[2].isdecimal() else (netloc, "", "")
    return url.replace(netloc, f"{ascii_host(host)}{colon}{port}", 1)
