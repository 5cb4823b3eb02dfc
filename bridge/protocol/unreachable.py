"""Why a server cannot be reached, told apart and put into words: the same for every connection the bridge makes.

The rooms that connect say which numbers of the system and which step it was; what they mean, and what is said, stands
here. What a TLS handshake failed for is in `tls_failures`.

macOS keeps programs from the local network until the user allows it to the app that they belong to, and then says
EHOSTUNREACH though the network is up (Apple TN3179, Understanding local network privacy; Terminal and what is started
from it, SSH sessions and root are free of it). That is told where all of this holds (`kept_from_local_network`):

| | |
|---|---|
| the system | macOS 15 or newer, which is Darwin 24 |
| the number | EHOSTUNREACH, 65 there; not ENETUNREACH, which is what a machine without a network says |
| the target | a private, link-local or multicast address; a name whose address is not known |
"""

from __future__ import annotations

import errno
import ipaddress
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from bridge.protocol.sanitize import quoted

Reason = Literal["unknown-name", "silent-name-service", "refused", "timed-out", "no-route", "local-network", "other"]

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
    "local-network": "macOS finds no route to it, as where an app is not allowed to use the local network",
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
_ALLOW = (
    "In System Settings > Privacy & Security > Local Network, allow the app that starts the bridge (Claude, for one), "
    "then start that app anew. If it is allowed already: check the network or VPN."
)
_MACOS_EHOSTUNREACH = 65
_FIRST_DARWIN = 24
_ERRNO = r"\[Errno (\d+)\]"
_ADDRESS = r"\('([0-9A-Fa-f:.]{2,45})(?:%[^']*)?', \d+"  # As asyncio writes where it could not connect to.
_FIREWALL = "A firewall may be dropping the packets, or a proxy may be needed."
_SCHEME = "Check whether the proxy's URL begins as it should: http://, https:// or socks5://."


class Advice(NamedTuple):
    """A sentence, and what to do."""

    message: str
    hint: str


def reason_of(numbers: Iterable[int]) -> Reason:
    """What the system's error numbers mean; several where several addresses failed."""
    given = frozenset(numbers)
    return next((reason for reason, known in _NUMBERS if given & known), "other")


def kept_from_local_network(problems: Iterable[BaseException], host: str, platform: str, release: str) -> bool:
    """Whether macOS seems to keep this program from the local network; see the table at the top.

    `host` is what was to be connected to, a name or an address without brackets; `platform` is as `sys.platform`,
    `release` the kernel's. The problems' texts may say which addresses were tried.
    """
    if platform != "darwin" or not release.partition(".")[0].isdecimal():
        return False
    texts = [(problem, str(problem)) for problem in problems]
    numbers = {getattr(problem, "errno", None) for problem, _ in texts}
    numbers |= {int(found) for _, text in texts for found in re.findall(_ERRNO, text)}
    if int(release.partition(".")[0]) < _FIRST_DARWIN or _MACOS_EHOSTUNREACH not in numbers:
        return False
    known = [literal for one in (host, *_addresses(text for _, text in texts)) if (literal := _literal(one))]
    return not known or any(one.is_private or one.is_link_local or one.is_multicast for one in known)


def _addresses(texts: Iterable[str]) -> list[str]:
    return [found for text in texts for found in re.findall(_ADDRESS, text)]


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def unreachable(reason: Reason, where: str, host: str, *, proxy: str = "", detail: str = "") -> Advice:
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
        "local-network": _ALLOW,
    }.get(reason, check)
    return _told(where, proxy, why, hint)


def too_late(step: Step, where: str, host: str, seconds: float, *, proxy: str = "") -> Advice:
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


def _told(where: str, proxy: str, why: str, hint: str) -> Advice:
    return Advice(f"Cannot reach {where}: {f'the proxy {proxy}: ' if proxy else ''}{why}.", hint)


def without_proxy(told: Advice, unused: str, scheme: str) -> Advice:
    """Add to a direct way that led nowhere why the system's own proxy was not used; `unused` is a clause, may be "".

    No proxy leads into the local network.
    """
    if not unused or told.hint == _ALLOW:
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
) -> Advice:
    """A proxy that connects to nothing; `said` is its answer, and begins with its status where it has one.

    `may_pass`: it speaks of the server, not of its own rules. `wants_sign_in`: it wants a user and password, or others
    than it got, as one that says 407 does. `schemes` are the ways to sign in that it offers, lower case; `signed_in`
    tells whether it got a user and password.
    """
    shown = quoted(said, _MOST_SAID)[1:-1]  # The sentence says whose words they are; links go.
    if schemes and "basic" not in schemes:
        ways = " or ".join(_SCHEMES.get(scheme, scheme[:20]) for scheme in schemes[:4])
        return Advice(
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
    return Advice(f"Cannot reach {where}: the proxy {proxy} refused to connect ({shown}).", hint)


def not_http(where: str, said: str) -> Advice:
    """An answer that is no HTTP; `said` is what the library makes of it, with a piece of the answer in it."""
    return Advice(f"The answer of {where} is not HTTP ({quoted(said)}).", CHECK_PORT.format("https"))
