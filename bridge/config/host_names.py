"""Host names with letters beyond ASCII (IDNA 2008, RFC 5891), and the names that always mean this machine.

A user writes `bücher.example`; name services, TLS, HTTP and proxies know the host as `xn--bcher-kva.example`, its
A-label. Messages show the name as the user wrote it.

`localhost` and all names below it are loopback, and the bridge never looks them up (RFC 6761, 6.3): a name service, or
the system's hosts file, could point them elsewhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

_LOCALHOST = ("127.0.0.1", "::1")


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


def localhost_addresses(host: str) -> tuple[str, ...]:
    """The addresses of `localhost` and of every name below it (RFC 6761, 6.3); none for any other host."""
    name = host.lower().removesuffix(".")
    return _LOCALHOST if name == "localhost" or name.endswith(".localhost") else ()
