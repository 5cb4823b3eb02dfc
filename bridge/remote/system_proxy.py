"""The proxy that the user's system is set to: Windows' Internet Settings, the network settings of macOS.

Hosts with a window have few variables to pass on, and the proxy that the browser uses is known to the system only.

| system | read from | proxies | exceptions |
|---|---|---|---|
| Windows | the registry, `_WINDOWS_KEY` of the user | `ProxyServer`, while `ProxyEnable` is not 0 | `ProxyOverride` |
| Windows, `ProxySettingsPerUser` is 0 in `_WINDOWS_POLICY` | that key of the machine | the same | the same |
| macOS | `_scproxy`, which asks SCDynamicStoreCopyProxies | http's, https'; else SOCKS 5 | a list; simple names |

| an exception of | means |
|---|---|
| Windows | names and addresses apart by `;`, with `*` and `?`; `<local>`: every name without a dot |
| macOS | names with `*` and `?`; addresses by their beginning, `169.254`, or as a block, `10.0/16` |

The policy is Microsoft's (IEInternals, Understanding Web Proxy Configuration). But for it, `urllib.request`
(`getproxies`, `proxy_bypass`) reads the same, and has the same rules in releases of Python since March 2024: an address
among the exceptions counts for a host that is written as an address. Before, it looked each name up, as no browser
does: the name service learned it, and where it was silent each connection waited for it (CPython gh-115197). Its import
takes longer than all that is done here, so it is not used; tests hold the two against each other.

| not supported | how it is noticed |
|---|---|
| a script that finds the proxy (PAC), Windows | `AutoConfigURL` |
| the same on macOS, or a search for one (WPAD) | `ProxyAutoConfigEnable`, `ProxyAutoDiscoveryEnable` of scutil(8) |
| SOCKS 4: what Windows means by `socks=` | the entry |

None of that is a reason not to connect: a script mostly lets some ways be direct. It is told where no connection comes
about (`unused_settings`). Windows' own search for a script is on nearly everywhere, and tells nothing.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from contextlib import suppress
from typing import Any, NamedTuple

SCUTIL_SECONDS = 2.0
"""How long `scutil` is given to answer."""

_WINDOWS_KEY = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_WINDOWS_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
_MOST_EXCEPTIONS = 1000
_PARTS = r"\*+|\?|[^*?]+"
_SCRIPT = "This system finds its proxy by a script (PAC), which the bridge does not run"
_SOCKS_4 = "This system is set to a SOCKS 4 proxy, which the bridge does not support"


class SystemSettings(NamedTuple):
    """What a system is set to. `proxies` are URLs by the target's scheme; `simple`: names without a dot go directly.

    `unused` says what there is that is not supported, as a clause without its full stop.
    """

    proxies: dict[str, str]
    exceptions: tuple[str, ...] = ()
    simple: bool = False
    unused: str = ""


def system_proxy(scheme: str, host: str, port: int, platform: str) -> str:
    """Return the URL of the proxy for a target, "" for the direct way. `platform` as `sys.platform`.

    `host` is as the name service knows it: ASCII, lower case, an IPv6 address without brackets. Raises nothing.
    """
    found = _settings(platform)
    proxy = found.proxies.get(scheme, "")
    if not proxy or (found.simple and "." not in host and ":" not in host):
        return ""
    matches = _matches_on_macos if platform == "darwin" else _matches_on_windows
    return "" if any(matches(entry, host, port) for entry in found.exceptions[:_MOST_EXCEPTIONS]) else proxy


def unused_settings(platform: str) -> str:
    """Return what the system is set to that is not supported, as a clause, "" where there is nothing of the kind.

    May block for `SCUTIL_SECONDS`. Raises nothing.
    """
    found = _settings(platform)
    if found.unused or found.proxies or platform != "darwin":
        return found.unused
    return _SCRIPT if _has_script_on_macos() else ""


def _settings(platform: str) -> SystemSettings:
    """Nothing where the system has no such settings, or they make no sense."""
    read = {"win32": _windows, "darwin": _macos}.get(platform)
    if read is not None:
        with suppress(ImportError, OSError, ValueError, TypeError, AttributeError):
            return read()
    return SystemSettings({})


def _windows() -> SystemSettings:
    winreg: Any = importlib.import_module("winreg")

    def value(key: Any, name: str) -> str:
        with suppress(OSError):
            return str(winreg.QueryValueEx(key, name)[0]).strip()
        return ""

    whose = winreg.HKEY_CURRENT_USER
    with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _WINDOWS_POLICY) as key:
        if value(key, "ProxySettingsPerUser") == "0":
            whose = winreg.HKEY_LOCAL_MACHINE
    with winreg.OpenKey(whose, _WINDOWS_KEY) as key:
        enabled, server = value(key, "ProxyEnable") not in {"", "0"}, value(key, "ProxyServer")
        override, script = value(key, "ProxyOverride"), value(key, "AutoConfigURL")
    if not enabled or not server:
        return SystemSettings({}, unused=_SCRIPT if script else "")
    proxies: dict[str, str] = {}
    for entry in re.split(r"[;\s]+", server):
        target, equals, address = entry.rpartition("=")
        if address and (not equals or target.lower() in {"http", "https"}):
            for scheme in (target.lower(),) if equals else ("http", "https"):
                proxies.setdefault(scheme, address if "://" in address else f"http://{address}")
    entries = [entry for entry in re.split(r"[;\s]+", override) if entry]
    return SystemSettings(
        proxies,
        tuple(entry for entry in entries if not entry.startswith("<")),
        simple="<local>" in [entry.lower() for entry in entries],
        unused="" if proxies else _SOCKS_4 if "socks=" in server.lower() else "",
    )


def _macos() -> SystemSettings:
    scproxy: Any = importlib.import_module("_scproxy")
    found: dict[str, str] = scproxy._get_proxies() or {}
    if not found:
        return SystemSettings({})
    settings: dict[str, Any] = scproxy._get_proxy_settings() or {}
    # The module writes http:// before each of them; CFNetwork speaks SOCKS 5 unless it is told otherwise.
    socks = re.sub(r"^http://", "socks5h://", found.get("socks", ""))
    proxies = {scheme: found.get(scheme) or socks for scheme in ("http", "https")}
    return SystemSettings(
        {scheme: url for scheme, url in proxies.items() if url},
        tuple(entry for entry in settings.get("exceptions", ()) if entry),
        simple=bool(settings.get("exclude_simple")),
    )


def _has_script_on_macos() -> bool:
    import os
    import subprocess

    from bridge.config import child_environment

    try:
        done = subprocess.run(
            ["/usr/sbin/scutil", "--proxy"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(os.environ),
            timeout=SCUTIL_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return names_script(done.stdout.decode("utf-8", "replace"))


def names_script(text: str) -> bool:
    """Whether what `scutil --proxy` prints says that a script finds the proxy: `ProxyAutoConfigEnable : 1`."""
    return re.search(r"^\s*ProxyAuto(?:Config|Discovery)Enable\s*:\s*[1-9]", text, re.MULTILINE) is not None


def _matches_on_windows(entry: str, host: str, port: int) -> bool:
    entry = re.sub(r"^[a-z][a-z0-9+.-]*://", "", entry.lower())
    if named := re.fullmatch(r"(\[.*\]|[^:]*):(\d{1,5})", entry):
        if int(named[2]) != port:
            return False
        entry = named[1]
    return _is_like(entry.strip("[]"), host)


def _matches_on_macos(entry: str, host: str, _: int) -> bool:
    block = re.fullmatch(r"(\d+(?:\.\d+){0,3})\.?(?:/(\d{1,2}))?", entry)
    if block is None:
        return _is_like(entry.lower(), host)
    numbers = block[1].split(".")
    length = block[2] or str(8 * len(numbers))
    try:
        network = ipaddress.IPv4Network(f"{'.'.join([*numbers, '0', '0', '0'][:4])}/{length}", strict=False)
        return ipaddress.IPv4Address(host) in network
    except ValueError:  # A name, or an entry that means nothing.
        return False


def _is_like(pattern: str, host: str) -> bool:
    parts = (
        ".*" if part[0] == "*" else "." if part == "?" else re.escape(part) for part in re.findall(_PARTS, pattern)
    )
    return re.fullmatch("".join(parts), host) is not None
