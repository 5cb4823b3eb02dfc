"""Why a server cannot be reached, and what the user can do: the same for every connection that the bridge makes.

The rooms that connect give the system's error numbers and the step; their meaning and the sentences are here. The
reasons why a TLS handshake failed are in `tls_failures`.

On macOS a program may use the local network only if the user allows it to the app that the program belongs to. Without
that, connecting fails with EHOSTUNREACH although the network is up (Apple TN3179, Understanding local network privacy;
exempt are Terminal and what is started from it, SSH sessions and root). The bridge assumes this reason where all of
these are true (`kept_from_local_network`):

| condition | value |
|---|---|
| the system | macOS 15 or newer, which is Darwin 24 |
| the error number | EHOSTUNREACH, 65 on macOS; not ENETUNREACH, which a computer without a network gives |
| the target | a private, link-local or multicast address, or a name whose address is unknown |
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
"""What the bridge waits for: DNS, TCP, the proxy's response, TLS."""

CHECK_PROXY = (
    "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY; on Windows and macOS, where none of them is set, the system's proxy."
)
CHECK_PORT = "Check the port, and whether the URL should begin with {}://."

# The numbers of this system and of Winsock; those of the Windows kernel have been translated (`system_errors`).
_NUMBERS: tuple[tuple[Reason, frozenset[int]], ...] = (
    ("timed-out", frozenset((errno.ETIMEDOUT, 10060))),
    ("refused", frozenset((errno.ECONNREFUSED, 10061))),
    ("no-route", frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, 10050, 10051, 10065))),
)
_WHY = {
    "unknown-name": "the name {host} cannot be resolved",
    "silent-name-service": "DNS did not respond for {host}",
    "refused": "the connection was refused",
    "timed-out": "it did not respond within the connect timeout",
    "no-route": "there is no network route to it",
    "local-network": "macOS finds no route to it, which also happens when an app may not use the local network",
    "other": "{detail}",
}
_LATE: dict[Step, str] = {
    "name": "DNS did not respond for {host} within {time}",
    "connection": "could not open a TCP connection to {host} within {time}",
    "proxy": "it accepted the connection but did not respond within {time}",
    "handshake": "{host} accepted the connection but did not finish the TLS handshake within {time}",
}
_SCHEMES = {"negotiate": "Negotiate", "kerberos": "Kerberos", "ntlm": "NTLM", "digest": "Digest", "bearer": "Bearer"}
_MAX_WORDS = 300
_CHECK = "Check the URL, and whether the server is running."
_NETWORK = "Check the network or VPN."
_ALLOW = (
    "In System Settings > Privacy & Security > Local Network, allow the app that starts the bridge (Claude, for one), "
    "then restart that app. If it is allowed already: check the network or VPN."
)
_MACOS_EHOSTUNREACH = 65
_FIRST_DARWIN = 24
_ERRNO = r"\[Errno (\d+)\]"
_ADDRESS = r"\('([0-9A-Fa-f:.]{2,45})(?:%[^']*)?', \d+"  # In asyncio's text, the address that it could not connect to.
_FIREWALL = "A firewall may be dropping the packets, or a proxy may be needed."
_SCHEME = "Check that the proxy's URL begins with http://, https:// or socks5://, as the proxy requires."


class Advice(NamedTuple):
    """A sentence, and what to do."""

    message: str
    hint: str


def reason_of(numbers: Iterable[int]) -> Reason:
    """What the system's error numbers mean. There are several where several addresses failed."""
    given = frozenset(numbers)
    return next((reason for reason, known in _NUMBERS if given & known), "other")


def kept_from_local_network(problems: Iterable[BaseException], host: str, platform: str, release: str) -> bool:
    """Whether macOS seems not to allow this program to use the local network; see the table at the top.

    `host` is the target, a name or an address without brackets; `platform` is `sys.platform`, `release` the kernel's.
    The texts of the problems may name the addresses that were tried.
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
    """No connection to `where`, a URL or a phrase with one, is possible. `host` is the name that was looked up.

    `proxy` is the proxy's URL without credentials, where the proxy could not be reached.
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
    """The time for connecting ended in `step`, which had begun `seconds` before. Otherwise as `unreachable`."""
    why = _LATE[step].format(host=host, time=duration(seconds))
    check = CHECK_PROXY if proxy else _CHECK
    hint = {
        "name": _NETWORK,
        "proxy": f"{CHECK_PROXY} {_SCHEME}",
        "handshake": check if proxy else f"{_CHECK} {CHECK_PORT.format('http')}",
    }.get(step, f"{check} {_FIREWALL}")
    return _told(where, proxy, why, hint)


def duration(seconds: float) -> str:
    """Seconds in words, rounded: `10 seconds`, `0.5 seconds`."""
    shown = f"{seconds:.0f}" if seconds >= 9.5 else f"{seconds:.1g}"
    return f"{shown} second{'' if shown == '1' else 's'}"


def _told(where: str, proxy: str, why: str, hint: str) -> Advice:
    return Advice(f"Cannot reach {where}: {f'the proxy {proxy}: ' if proxy else ''}{why}.", hint)


def without_proxy(told: Advice, unused: str, scheme: str) -> Advice:
    """Add to the hint of a failed direct connection why the system's proxy was not used; `unused` is a clause, or "".

    Not for the local network, where a proxy does not help.
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
    """The proxy refused to connect. `said` is its response, which begins with the status if there is one.

    `may_pass`: the reason is the server, not the proxy's rules. `wants_sign_in`: it requires a user and password, or
    rejected those that it got, as with status 407. `schemes` are the authentication schemes that it offers, in lower
    case. `signed_in`: it got a user and password.
    """
    shown = quoted(said, _MAX_WORDS)[1:-1]  # Without the quotation marks: the sentence says whose words they are.
    if schemes and "basic" not in schemes:
        ways = " or ".join(_SCHEMES.get(scheme, scheme[:20]) for scheme in schemes[:4])
        return Advice(
            f"Cannot reach {where}: the proxy {proxy} requires authentication with {ways}, "
            f"which the bridge does not support ({shown}).",
            "Run a local proxy that signs in for you, such as px (NTLM, Kerberos) or cntlm (NTLM), and set HTTPS_PROXY "
            "to its address (http://127.0.0.1:3128 by default).",
        )
    hint = _CHECK if may_pass else CHECK_PROXY
    if wants_sign_in or said.startswith("407"):
        hint = (
            "The proxy requires a user name and password: put them into the proxy's URL, as in "
            "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT."
        )
        if signed_in:
            hint = "The proxy rejected the user name and password in the proxy's URL: check them."
    return Advice(f"Cannot reach {where}: the proxy {proxy} refused to connect ({shown}).", hint)


def not_http(where: str, said: str) -> Advice:
    """The response is not HTTP. `said` is the library's text, which has a part of the response."""
    return Advice(f"The response from {where} is not HTTP ({quoted(said)}).", CHECK_PORT.format("https"))
