"""The proxy in the system's settings: the Internet Settings of Windows, the network settings of macOS.

Desktop hosts pass on few environment variables, and only the system knows the proxy that the browser uses.

| system | read from | proxies | exceptions |
|---|---|---|---|
| Windows | the registry, `_WINDOWS_KEY` of the user | `ProxyServer`, if `ProxyEnable` is not 0 | `ProxyOverride` |
| Windows, `ProxySettingsPerUser` is 0 in `_WINDOWS_POLICY` | that key of the machine | the same | the same |
| macOS | `_scproxy` (SCDynamicStoreCopyProxies) | for http and https; else SOCKS 5 | a list; simple names |

| an exception on | has the form |
|---|---|
| Windows | names and addresses separated by `;`, with `*` and `?`; `<local>` means every name without a dot |
| macOS | names with `*` and `?`; the beginning of an address, `169.254`; a block, `10.0/16` |

The policy is documented by Microsoft (IEInternals, Understanding Web Proxy Configuration). Apart from it,
`urllib.request` (`getproxies`, `proxy_bypass`) reads the same settings, and has had the same rules in Python releases
since March 2024: an address among the exceptions counts for a host that is written as an address. Before that it looked
up each name, as no browser does: the name service learned the name, and if it did not answer, each connection waited
(CPython gh-115197). Importing it takes longer than all the work here, so it is not used; tests compare the two.

| not supported | detected by |
|---|---|
| a script that selects the proxy (PAC), Windows | `AutoConfigURL` |
| the same on macOS, or a search for one (WPAD) | `ProxyAutoConfigEnable`, `ProxyAutoDiscoveryEnable` of scutil(8) |
| SOCKS 4, which is the meaning of `socks=` on Windows | the entry |

The bridge connects all the same, for most scripts allow some direct connections. If the connection fails, the error
names the setting (`unused_settings`). Windows' own search for a script is on nearly everywhere, so it is no sign.
"""

from __future__ import annotations

import importlib
import ipaddress
import re
from contextlib import suppress
from typing import Any, NamedTuple

SCUTIL_SECONDS = 2.0
"""How many seconds `scutil` may take."""

_WINDOWS_KEY = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_WINDOWS_POLICY = r"SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
_MOST_EXCEPTIONS = 1000
_PARTS = r"\*+|\?|[^*?]+"
_SCRIPT = "This system uses a proxy script (PAC), which the bridge does not run"
_SOCKS_4 = "This system is configured with a SOCKS 4 proxy, which the bridge does not support"


class SystemSettings(NamedTuple):
    """A system's settings. `proxies` are URLs by the target's scheme; `simple`: names without a dot are exceptions.

    `unused` is a clause about an unsupported setting, without a full stop; empty if there is none.
    """

    proxies: dict[str, str]
    exceptions: tuple[str, ...] = ()
    simple: bool = False
    unused: str = ""


def system_proxy(scheme: str, host: str, port: int, platform: str) -> str:
    """Return the URL of the proxy for a target; "" for a direct connection. `platform` is as in `sys.platform`.

    `host` is in ASCII and lower case, an IPv6 address without brackets. Raises nothing.
    """
    found = _settings(platform)
    proxy = found.proxies.get(scheme, "")
    if not proxy or (found.simple and "." not in host and ":" not in host):
        return ""
    matches = _matches_on_macos if platform == "darwin" else _matches_on_windows
    return "" if any(matches(entry, host, port) for entry in found.exceptions[:_MOST_EXCEPTIONS]) else proxy


def unused_settings(platform: str) -> str:
    """Return a clause about a setting of the system that is not supported; "" where there is none.

    May block for `SCUTIL_SECONDS`. Raises nothing.
    """
    found = _settings(platform)
    if found.unused or found.proxies or platform != "darwin":
        return found.unused
    return _SCRIPT if _has_script_on_macos() else ""


def _settings(platform: str) -> SystemSettings:
    """The system's settings; empty if there are none, or they cannot be read."""
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
    # `_scproxy` writes http:// before each proxy. CFNetwork speaks SOCKS 5 by default.
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
    """Whether the output of `scutil --proxy` names a script: `ProxyAutoConfigEnable : 1`."""
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
    except ValueError:  # A name, or an invalid entry.
        return False


def _is_like(pattern: str, host: str) -> bool:
    parts = (
        ".*" if part[0] == "*" else "." if part == "?" else re.escape(part) for part in re.findall(_PARTS, pattern)
    )
    return re.fullmatch("".join(parts), host) is not None
