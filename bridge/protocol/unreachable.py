"""Why a server cannot be reached, told apart and put into words: the same for every connection the bridge makes.

The rooms that connect say which numbers of the system and which step it was; what they mean, and what is said, stands
here. What a TLS handshake failed for is in `handshakes`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Literal, NamedTuple

from bridge.protocol.words import quoted

Reason = Literal["unknown-name", "silent-name-service", "refused", "timed-out", "no-route", "other"]

Step = Literal["name", "connection", "proxy", "handshake"]
"""What is waited for on the way: the name service, TCP, the proxy's answer, TLS."""

CHECK_PROXY = (
    "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY; on Windows and macOS, where none of them is set, the system's proxy."
)
CHECK_PORT = "Check the port, and whether the URL should begin with {}://."

# The system's own numbers, and Winsock's; those of Windows' kernel are made Winsock's before (`system_errors`).
_NUMBERS: tuple[tuple[Reason, frozenset[int]], ...] = (
    ("timed-out", frozenset((errno.ETIMEDOUT, 10060))),
    ("refused", frozenset((errno.ECONNREFUSED, 10061))),
    ("no-route", frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, 10050, 10051, 10065))),
)
_WHY = {
    "unknown-name": "the name {host} is not known to the name service",
    "silent-name-service": "the name service did not answer for {host}",
    "refused": "the connection was refused",
    "timed-out": "no answer in the time given to connect",
    "no-route": "there is no network route to it",
    "other": "{detail}",
}
_LATE: dict[Step, str] = {
    "name": "the name service did not answer for {host} within {time}",
    "connection": "no TCP connection to {host} came about within {time}",
    "proxy": "it took the connection, but did not answer within {time}",
    "handshake": "{host} took the connection, but did not finish the TLS handshake within {time}",
}
_SCHEMES = {"negotiate": "Negotiate", "kerberos": "Kerberos", "ntlm": "NTLM", "digest": "Digest", "bearer": "Bearer"}
_MOST_SAID = 300
_CHECK = "Check the URL, and whether the server is running."
_NETWORK = "Check the network or VPN."
_FIREWALL = "A firewall may be dropping the packets, or a proxy may be needed."
_SCHEME = "Check whether the proxy's URL begins as it should: http://, https:// or socks5://."


class Told(NamedTuple):
    """A sentence, and what to do."""

    message: str
    hint: str


def reason_of(numbers: Iterable[int]) -> Reason:
    """What the system's error numbers mean; several where several addresses failed."""
    given = frozenset(numbers)
    return next((reason for reason, known in _NUMBERS if given & known), "other")


def unreachable(reason: Reason, where: str, host: str, *, proxy: str = "", detail: str = "") -> Told:
    """No connection to `where`, a URL or a phrase with one. `host` is the name that was looked up.

    `proxy` is the proxy's URL without credentials, where it was the proxy that could not be reached.
    """
    why = _WHY[reason].format(host=host, detail=detail.rstrip("."))
    check = CHECK_PROXY if proxy else _CHECK
    if proxy and reason == "other":
        check = f"{CHECK_PROXY} {_SCHEME}"
    hint = {
        "unknown-name": check if proxy else "Check the spelling, and the network or VPN.",
        "silent-name-service": _NETWORK,
        "timed-out": f"{check} {_FIREWALL}",
        "no-route": _NETWORK,
    }.get(reason, check)
    return _told(where, proxy, why, hint)


def too_late(step: Step, where: str, host: str, seconds: float, *, proxy: str = "") -> Told:
    """The time was over while `step` was waited for, which had begun `seconds` before; else as `unreachable`."""
    why = _LATE[step].format(host=host, time=duration(seconds))
    check = CHECK_PROXY if proxy else _CHECK
    hint = {
        "name": _NETWORK,
        "proxy": f"{CHECK_PROXY} {_SCHEME}",
        "handshake": check if proxy else f"{_CHECK} {CHECK_PORT.format('http')}",
    }.get(step, f"{check} {_FIREWALL}")
    return _told(where, proxy, why, hint)


def duration(seconds: float) -> str:
    """Seconds in words, as exact as anybody needs: `10 seconds`, `0.5 seconds`."""
    shown = f"{seconds:.0f}" if seconds >= 9.5 else f"{seconds:.1g}"
    return f"{shown} second{'' if shown == '1' else 's'}"


def _told(where: str, proxy: str, why: str, hint: str) -> Told:
    return Told(f"Cannot reach {where}: {f'the proxy {proxy}: ' if proxy else ''}{why}.", hint)


def without_proxy(told: Told, unused: str, scheme: str) -> Told:
    """Add to a direct way that led nowhere why the system's own proxy was not used; `unused` is a clause, may be ""."""
    if not unused:
        return told
    variable = f"{scheme.upper()}_PROXY"
    return told._replace(
        hint=f"{told.hint} {unused}: set {variable} to the proxy's URL, such as http://proxy.example:3128, in the env "
        "of the host's entry for this server."
    )


def proxy_refused(
    where: str,
    proxy: str,
    said: str,
    *,
    may_pass: bool = False,
    wants_sign_in: bool = False,
    schemes: tuple[str, ...] = (),
    signed_in: bool = False,
) -> Told:
    """A proxy that connects to nothing; `said` is its answer, and begins with its status where it has one.

    `may_pass`: it speaks of the server, not of its own rules. `wants_sign_in`: it wants a user and password, or others
    than it got, as one that says 407 does. `schemes` are the ways to sign in that it offers, lower case; `signed_in`
    tells whether it got a user and password.
    """
    shown = said[:_MOST_SAID]
    if schemes and "basic" not in schemes:
        ways = " or ".join(_SCHEMES.get(scheme, scheme[:20]) for scheme in schemes[:4])
        return Told(
            f"Cannot reach {where}: the proxy {proxy} wants a sign-in by {ways}, which the bridge cannot do ({shown}).",
            "Run a local proxy that signs in for you, such as px (NTLM, Kerberos) or cntlm (NTLM), and set HTTPS_PROXY "
            "to its address, http://127.0.0.1:3128 as either comes.",
        )
    hint = _CHECK if may_pass else CHECK_PROXY
    if wants_sign_in or said.startswith("407"):
        hint = (
            "The proxy requires a sign-in: put the user and password into the proxy's URL, as in "
            "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT."
        )
        if signed_in:
            hint = "The proxy does not accept the user and password in the proxy's URL: check them."
    return Told(f"Cannot reach {where}: the proxy {proxy} refused to connect ({shown}).", hint)


def not_http(where: str, said: str) -> Told:
    """An answer that is no HTTP; `said` is what the library makes of it, with a piece of the answer in it."""
    return Told(f"The answer of {where} is not HTTP ({quoted(said)}).", CHECK_PORT.format("https"))
