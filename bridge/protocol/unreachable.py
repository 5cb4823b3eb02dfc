"""Why a server cannot be reached, in words, and what to do: the same sentences for every connection the bridge makes.

The rooms that connect tell one reason from another; what is said of each stands here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Reason = Literal["unknown-name", "silent-name-service", "refused", "timed-out", "no-route", "other"]

CHECK_PROXY = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
CHECK_PORT = "Check the port, and whether the URL should begin with {}://."

_WHY = {
    "unknown-name": "the name {host} is not known to the name service",
    "silent-name-service": "the name service did not answer for {host}",
    "refused": "the connection was refused",
    "timed-out": "no answer in the time given to connect",
    "no-route": "there is no network route to it",
    "other": "{detail}",
}
_CHECK = "Check the URL, and whether the server is running."
_FIREWALL = "A firewall may be dropping the packets, or a proxy may be needed."


class Told(NamedTuple):
    """A sentence, and what to do."""

    message: str
    hint: str


def unreachable(reason: Reason, where: str, host: str, *, proxy: str = "", detail: str = "") -> Told:
    """No connection to `where`, a URL or a phrase with one. `host` is the name that was looked up.

    `proxy` is the proxy's URL without credentials, where it was the proxy that could not be reached.
    """
    why = _WHY[reason].format(host=host, detail=detail.rstrip("."))
    check = CHECK_PROXY if proxy else _CHECK
    hint = {
        "unknown-name": check if proxy else "Check the spelling, and the network or VPN.",
        "silent-name-service": "Check the network or VPN.",
        "timed-out": f"{check} {_FIREWALL}",
        "no-route": "Check the network or VPN.",
    }.get(reason, check)
    return Told(f"Cannot reach {where}: {f'the proxy {proxy}: ' if proxy else ''}{why}.", hint)


def untrusted(where: str, why: str) -> Told:
    """A certificate that was not accepted; `why` is the TLS library's reason."""
    return Told(
        f"Cannot trust {where}: its certificate was not accepted ({why}).",
        "If your organization has its own certificate authority, pass its certificate with --ca-file FILE, "
        "or set SSL_CERT_FILE.",
    )


def no_tls(where: str) -> Told:
    """An answer to a TLS handshake that is no TLS."""
    return Told(f"Cannot reach {where}: what answers there does not speak TLS.", CHECK_PORT.format("http"))


def wants_certificate(where: str, reason: str) -> Told:
    """A handshake that the server ended, as it does where it wants a client certificate; `reason` is the alert's."""
    return Told(
        f"Cannot reach {where}: the server ended the TLS handshake ({reason}).",
        "It may require a client certificate: pass --client-cert FILE, and --client-cert-key FILE.",
    )


def tls_failed(where: str, why: str) -> Told:
    """Any other handshake that failed."""
    return Told(f"Cannot reach {where}: the TLS handshake failed ({why}).", "Try again.")


def proxy_refused(where: str, proxy: str, said: str) -> Told:
    """A proxy that connects to nothing; `said` is its answer, and begins with its status where it has one."""
    hint = CHECK_PROXY
    if said.startswith("407"):
        hint = "The proxy requires a sign-in: put the user and password into the proxy's URL."
    return Told(f"Cannot reach {where}: the proxy {proxy} refused to connect ({said[:200]}).", hint)


def not_http(where: str, said: str) -> Told:
    """An answer that is no HTTP."""
    return Told(f"The answer of {where} is not HTTP ({said}).", CHECK_PORT.format("https"))
