"""Which proxy, if any, the way to a URL leads through: by the environment's usual variables, else by the system.

| variable | meaning |
|---|---|
| `HTTPS_PROXY`, `HTTP_PROXY` | the proxy for https:// and for http:// URLs |
| `ALL_PROXY` | the proxy for either, where the variable above is missing |
| `NO_PROXY` | reached directly: hosts and all below, addresses, CIDR blocks, each also `:port`; or `*` |

Lower case wins over upper case, and an empty lower-case one switches the proxy off. `HTTP_PROXY` in upper
case is ignored where `REQUEST_METHOD` is set: there a web client's `Proxy` header could have made it
(CVE-2016-5385). The standard library has the same rules for `os.environ` only, without CIDR blocks, and its
import is dear.

Where none of these variables is there, be it empty, the system's own setting counts on Windows and macOS
(`system_proxy`). So `NO_PROXY=*` says: no proxy at all.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bridge.config import ascii_host, is_loopback
from bridge.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
WITH_SETTINGS = frozenset(("win32", "darwin"))
"""The systems that have settings of their own, as `sys.platform`."""


class Proxy(NamedTuple):
    """A proxy: `url` is `scheme://host:port` without credentials; `auth` is user name and password."""

    url: str
    auth: tuple[str, str] | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"Proxy({self.url!r})"

    @property
    def scheme(self) -> str:
        """One of http, https, socks5 and socks5h (the proxy resolves the name)."""
        return self.url.partition(":")[0]


class ProxyRefused(Exception):
    """A proxy answered, and connects to nothing; the text says how, beginning with a status where it is HTTP's.

    `may_pass`: it speaks of the server, not of its own rules. `wants_sign_in`: it wants a user and password, or others
    than it got. `schemes` are the ways to sign in that it offers, lower case; `signed_in` tells whether it got a user
    and password.
    """

    def __init__(
        self,
        said: str,
        *,
        may_pass: bool = False,
        wants_sign_in: bool = False,
        schemes: tuple[str, ...] = (),
        signed_in: bool = False,
    ) -> None:
        super().__init__(said)
        self.may_pass = may_pass
        self.wants_sign_in = wants_sign_in
        self.schemes = schemes
        self.signed_in = signed_in


def proxy_for(url: str, environ: Mapping[str, str], platform: str | None = None) -> Proxy | None:
    """Return the proxy for a checked http(s) URL, or None for the direct way.

    A loopback target is always reached directly. `platform` is `sys.platform` unless it is given. Raises `UsageError`
    that names the variable, not its value.
    """
    platform = platform or sys.platform
    variables = _proxy_variables(environ)
    if not variables and platform not in WITH_SETTINGS:
        return None
    target = _target(url)
    if is_loopback(target.host):
        return None
    if not variables:
        from bridge.remote.system_proxy import system_proxy

        return _readable(system_proxy(*target, platform))
    name, value = variables.get(f"{target.scheme}_proxy") or variables.get("all_proxy") or ("", "")
    if not value:
        return None
    _, exceptions = variables.get("no_proxy", ("", ""))
    if _is_exempt(target.host, target.port, exceptions):
        return None
    return _parse_proxy(name, value)


def unused_proxy(url: str, environ: Mapping[str, str], platform: str | None = None) -> str:
    """Return why the system's proxy is not used on the direct way to a URL, as a clause; "" where there is none.

    For where that way leads nowhere. May block for some seconds.
    """
    platform = platform or sys.platform
    if platform not in WITH_SETTINGS or _proxy_variables(environ):
        return ""
    target = _target(url)
    if is_loopback(target.host):
        return ""
    from bridge.remote.system_proxy import system_proxy, unused_settings

    if (value := system_proxy(*target, platform)) and _readable(value) is None:
        return "This system is set to a proxy whose address the bridge does not understand"
    return unused_settings(platform)


def may_change(environ: Mapping[str, str], platform: str | None = None) -> bool:
    """Whether the system says which proxy it is, so that it may say otherwise while the program runs."""
    return (platform or sys.platform) in WITH_SETTINGS and not _proxy_variables(environ)


class _ProxyTarget(NamedTuple):
    scheme: str
    host: str
    port: int


def _target(url: str) -> _ProxyTarget:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = ascii_host(parts.hostname or "").removesuffix(".")
    return _ProxyTarget(scheme, host, parts.port or _DEFAULT_PORTS.get(scheme, 0))


def _readable(value: str) -> Proxy | None:
    """The system's proxy; None for what is none that can be used: the user may never have seen that setting."""
    try:
        return _parse_proxy("", value)
    except UsageError:
        return None


def _proxy_variables(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Map each lower-case `*_proxy` to the name that was found and its value."""
    # Walked rather than looked up: Windows finds any case, and only the spelling tells who set it.
    found: dict[str, tuple[str, str]] = {}
    wanted = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    lower_first = sorted(environ.items(), key=lambda item: not item[0].islower())
    for name, value in lower_first:
        key = name.lower()
        if key not in wanted or key in found:
            continue
        if key == "http_proxy" and name != key and "REQUEST_METHOD" in environ:
            continue
        found[key] = (name, value.strip())
    return found


def _is_exempt(host: str, port: int, exceptions: str) -> bool:
    return any(_matches(host, port, entry) for entry in re.split(r"[\s,]+", exceptions.lower()) if entry)


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    if network := _network(entry):
        return _is_in(host, network)
    # Either [v6]:port or name:port; an address without brackets was a network above.
    name, _, only_port = entry.rpartition(":") if re.search(r":\d+$", entry) else (entry, "", "")
    if only_port and int(only_port) != port:
        return False
    if network := _network(name.strip("[]")):
        return _is_in(host, network)
    with suppress(ValueError):  # What cannot be a name is none that could match.
        name = ascii_host(name.removeprefix("*").removeprefix(".")).removesuffix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


def _parse_proxy(variable: str, value: str) -> Proxy:
    scheme, separator, _ = value.partition("://")
    if not separator:
        scheme, value = "http", f"http://{value}"
    if scheme.lower() not in _DEFAULT_PORTS:
        # What stands before "://" may be a mistyped password; only a word that cannot be one is shown.
        shown = f" {scheme.lower()}" if re.fullmatch(r"(?i)socks\w{0,3}|ftp|wss?|quic|pac", scheme) else ""
        raise UsageError(
            f"The proxy in the environment variable {variable} has a scheme{shown} that is not supported.",
            hint="Use http, https, socks5 or socks5h.",
        )
    scheme = scheme.lower()
    parts = urlsplit("//")
    host, port = None, 0
    with suppress(ValueError):  # Malformed: reported below like a missing host.
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS[scheme]
    # A path is most likely the rest of a password that holds a plain "/".
    if not host or parts.path.strip("/") or parts.query or re.search(r"[^\x21-\x7e]", value):
        raise UsageError(
            f"The environment variable {variable} does not hold a proxy's URL.",
            hint="It should look like http://proxy.example:3128; percent-encode special characters.",
        )
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    authority = f"[{host}]" if ":" in host else host
    return Proxy(f"{scheme}://{authority}:{port}", auth)
