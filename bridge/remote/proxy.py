"""Which proxy, if any, is used for a URL: from the usual environment variables, else from the system's settings.

| variable | meaning |
|---|---|
| `HTTPS_PROXY`, `HTTP_PROXY` | the proxy for https:// and for http:// URLs |
| `ALL_PROXY` | the proxy for either, if the variable above is missing |
| `NO_PROXY` | reached directly: hosts with their subdomains, addresses, CIDR blocks, each also with `:port`; or `*` |

A variable in lower case wins over upper case, and an empty one in lower case switches the proxy off. `HTTP_PROXY` in
upper case is ignored if `REQUEST_METHOD` is set, because a web client's `Proxy` header could have set it
(CVE-2016-5385). The standard library has the same rules, but only for `os.environ` and without CIDR blocks, and its
import is slow.

If none of these variables exists, not even empty, the system's setting is used on Windows and macOS (`system_proxy`).
So `NO_PROXY=*` means: no proxy at all.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bridge.config import ascii_host
from bridge.errors import UsageError
from bridge.loopback import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
WITH_SETTINGS = frozenset(("win32", "darwin"))
"""The systems with a proxy setting, as in `sys.platform`."""


class Proxy(NamedTuple):
    """A proxy. `url` is `scheme://host:port` without credentials; `auth` is the user name and password."""

    url: str
    auth: tuple[str, str] | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"Proxy({self.url!r})"

    @property
    def scheme(self) -> str:
        """One of http, https, socks5 and socks5h (with both, the proxy looks up the name)."""
        return self.url.partition(":")[0]


class ProxyRefused(Exception):
    """A proxy answered that it does not connect. The text says why; of an HTTP proxy, it begins with the status.

    `may_pass`: the reason is the server, not the proxy's rules, so it may pass. `wants_sign_in`: the proxy requires a
    user and password, or others than it was given. `schemes` are the authentication schemes that it offers, in lower
    case. `signed_in`: it was given a user and password.
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
    """Return the proxy for a checked http(s) URL; None for a direct connection.

    A loopback target is always reached directly. `platform` is `sys.platform` by default. Raises `UsageError`, which
    names the variable and not its value.
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
    """Return why the system's proxy is not used for a URL that is reached directly, as a clause; "" without one.

    It is asked for after the direct connection failed. May block for some seconds.
    """
    platform = platform or sys.platform
    if platform not in WITH_SETTINGS or _proxy_variables(environ):
        return ""
    target = _target(url)
    if is_loopback(target.host):
        return ""
    from bridge.remote.system_proxy import system_proxy, unused_settings

    if (value := system_proxy(*target, platform)) and _readable(value) is None:
        return "This system is configured with a proxy whose address the bridge cannot read"
    return unused_settings(platform)


def may_change(environ: Mapping[str, str], platform: str | None = None) -> bool:
    """Whether the proxy comes from the system's settings, which may change while the program runs."""
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
    """The system's proxy; None if it cannot be used. That is no error, for the user may not know that setting."""
    try:
        return _parse_proxy("", value)
    except UsageError:
        return None


def _proxy_variables(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Map each lower-case `*_proxy` to the name that was found and its value."""
    # All names are compared: Windows would find any case, and the case matters here.
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
    with suppress(ValueError):  # A text that is not a host name matches nothing.
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
        # The text before "://" may be a mistyped password, so only known words are shown.
        shown = f" {scheme.lower()}" if re.fullmatch(r"(?i)socks\w{0,3}|ftp|wss?|quic|pac", scheme) else ""
        raise UsageError(
            f"The proxy in the environment variable {variable} has an unsupported scheme{shown}.",
            hint="Use http, https, socks5 or socks5h.",
        )
    scheme = scheme.lower()
    parts = urlsplit("//")
    host, port = None, 0
    with suppress(ValueError):  # A malformed URL is reported below, like a missing host.
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS[scheme]
    # A path is most likely the rest of a password with a "/" in it.
    if not host or parts.path.strip("/") or parts.query or re.search(r"[^\x21-\x7e]", value):
        raise UsageError(
            f"The environment variable {variable} does not contain the URL of a proxy.",
            hint="Write it as http://proxy.example:3128, and percent-encode special characters.",
        )
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    authority = f"[{host}]" if ":" in host else host
    return Proxy(f"{scheme}://{authority}:{port}", auth)
