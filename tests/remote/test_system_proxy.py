"""The proxy that Windows and macOS are set to: what is read, what is exempt, and that urllib judges alike."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import types
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.remote import system_proxy as system_module
from bridge.remote.proxy import may_change, proxy_for, unused_proxy
from bridge.remote.system_proxy import names_script, system_proxy, unused_settings

URL = "https://mcp.corp.example/mcp"
KEY = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
POLICY = r"SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings"
Values = dict[str, Any]


class FakeKey:
    """An open key: a missing value raises FileNotFoundError, a number comes as an int."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def __enter__(self) -> FakeKey:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def Close(self) -> None:
        pass


class FakeRegistry(types.ModuleType):
    """The registry as `winreg` gives it. `keys` are the values by root and path."""

    HKEY_CURRENT_USER = 1
    HKEY_LOCAL_MACHINE = 2

    def __init__(self, keys: dict[tuple[int, str], Values]) -> None:
        super().__init__("winreg")
        self.keys = keys

    def OpenKey(self, root: int, path: str) -> FakeKey:
        if (root, path) not in self.keys:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return FakeKey(self.keys[root, path])

    def QueryValueEx(self, key: FakeKey, name: str) -> tuple[Any, int]:
        if name not in key.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        value = key.values[name]
        return value, 4 if isinstance(value, int) else 1


Put = Callable[..., None]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Put:
    def put(**values: Any) -> None:
        monkeypatch.setitem(sys.modules, "winreg", FakeRegistry({(1, KEY): values}))

    return put


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Network settings as `_scproxy` gives them: it writes http:// before every proxy, and None for no settings."""

    def put(proxies: dict[str, str], exceptions: tuple[str | None, ...] = (), *, exclude_simple: bool = False) -> None:
        module = types.ModuleType("_scproxy")
        found = {"exclude_simple": exclude_simple, "exceptions": exceptions} if proxies else None
        vars(module).update(_get_proxies=lambda: dict(proxies), _get_proxy_settings=lambda: found)
        monkeypatch.setitem(sys.modules, "_scproxy", module)

    return put


def found(url: str, platform: str, environ: dict[str, str] | None = None) -> str | None:
    proxy = proxy_for(url, environ or {}, platform)
    return proxy.url if proxy else None


# -- which setting counts


@pytest.mark.parametrize(
    ("server", "https", "http"),
    [
        ("proxy.corp:8080", "http://proxy.corp:8080", "http://proxy.corp:8080"),
        ("http://proxy.corp:8080", "http://proxy.corp:8080", "http://proxy.corp:8080"),
        ("http=one:1;https=two:2;ftp=three:3", "http://two:2", "http://one:1"),
        ("http=one:1; https=https://two:2", "https://two:2", "http://one:1"),
        ("https=two", "http://two:80", None),
        ("socks=four:1080", None, None),
        ("https=two:2;socks=four:1080", "http://two:2", None),
        ("https=socks5://two:2", "socks5://two:2", None),
        ("ftp=three:3", None, None),
        ("https=", None, None),
        ("::::", None, None),
        ("", None, None),
    ],
)
def test_windows_settings_name_the_proxy(windows: Put, server: str, https: str | None, http: str | None) -> None:
    windows(ProxyEnable=1, ProxyServer=server)
    assert found("https://mcp.example/", "win32") == https
    assert found("http://mcp.example/", "win32") == http


@pytest.mark.parametrize("enable", [0, "0", None])
def test_a_proxy_that_is_switched_off_is_not_used(windows: Put, enable: Any) -> None:
    windows(ProxyServer="proxy:1", **({} if enable is None else {"ProxyEnable": enable}))
    assert found(URL, "win32") is None


@pytest.mark.parametrize(
    ("proxies", "https", "http"),
    [
        ({"https": "http://two:2", "http": "http://one:1"}, "http://two:2", "http://one:1"),
        ({"http": "http://one:1"}, None, "http://one:1"),
        ({"socks": "http://five:1080"}, "socks5h://five:1080", "socks5h://five:1080"),
        ({"https": "http://two", "socks": "http://five"}, "http://two:80", "socks5h://five:1080"),
        ({"ftp": "http://three:3"}, None, None),
        ({}, None, None),
    ],
)
def test_macos_settings_name_the_proxy(
    macos: Put, proxies: dict[str, str], https: str | None, http: str | None
) -> None:
    macos(proxies)
    assert found("https://mcp.example/", "darwin") == https
    assert found("http://mcp.example/", "darwin") == http


@pytest.mark.parametrize(
    "environ",
    [{"NO_PROXY": "*"}, {"no_proxy": ""}, {"HTTP_PROXY": "http://other:1"}, {"HTTPS_PROXY": ""}, {"ALL_PROXY": ""}],
)
@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_any_variable_of_the_environment_counts_instead(
    windows: Put, macos: Put, platform: str, environ: dict[str, str]
) -> None:
    windows(ProxyEnable=1, ProxyServer="proxy:1", AutoConfigURL="http://wpad/x")
    macos({"https": "http://proxy:1"})
    assert found(URL, platform) == "http://proxy:1"
    assert found(URL, platform, environ) is None
    assert unused_proxy(URL, environ, platform) == ""


@pytest.mark.parametrize(
    ("platform", "environ", "may"),
    [
        ("win32", {}, True),
        ("darwin", {"PATH": "/bin"}, True),
        ("darwin", {"NO_PROXY": "*"}, False),
        ("win32", {"https_proxy": "http://a:1"}, False),
        ("linux", {}, False),
    ],
)
def test_what_the_system_says_may_change(platform: str, environ: dict[str, str], may: bool) -> None:
    assert may_change(environ, platform) == may


def test_other_variables_do_not(windows: Put) -> None:
    windows(ProxyEnable=1, ProxyServer="proxy:1")
    assert found(URL, "win32", {"PATH": "/bin", "FTP_PROXY": "http://other:1"}) == "http://proxy:1"


@pytest.mark.parametrize("platform", ["win32", "darwin"])
@pytest.mark.parametrize(
    "url", ["http://localhost:8000/", "http://127.0.0.1/", "https://[::1]/", "http://a.localhost/"]
)
def test_this_machine_is_reached_directly(windows: Put, macos: Put, platform: str, url: str) -> None:
    windows(ProxyEnable=1, ProxyServer="proxy:1")
    macos(dict.fromkeys(("http", "https"), "http://proxy:1"))
    assert found(url, platform) is None


def test_linux_has_no_such_settings(windows: Put) -> None:
    windows(ProxyEnable=1, ProxyServer="proxy:1")
    assert found(URL, "linux") is None
    assert unused_proxy(URL, {}, "linux") == ""


def test_a_registry_without_the_key_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "winreg", FakeRegistry({}))
    assert found(URL, "win32") is None
    assert unused_proxy(URL, {}, "win32") == ""


@pytest.mark.parametrize(
    ("per_user", "expected"), [(0, "http://machine:1"), (1, "http://user:1"), (None, "http://user:1")]
)
def test_a_policy_may_say_that_the_machines_settings_count(
    monkeypatch: pytest.MonkeyPatch, per_user: int | None, expected: str
) -> None:
    user, machine = ({"ProxyEnable": 1, "ProxyServer": f"{whose}:1"} for whose in ("user", "machine"))
    policy: Values = {} if per_user is None else {"ProxySettingsPerUser": per_user}
    keys = {(1, KEY): user, (2, KEY): machine, (2, POLICY): policy}
    monkeypatch.setitem(sys.modules, "winreg", FakeRegistry(keys))
    assert found(URL, "win32") == expected


def test_a_python_without_the_module_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_scproxy", None)
    assert found(URL, "darwin") is None


# -- exceptions


@pytest.mark.parametrize(
    ("override", "url", "direct"),
    [
        ("<local>", "https://intranet/", True),
        ("<local>", "https://mcp.corp.example/", False),
        ("<local>", "http://[fd00::1]/", False),
        ("*.corp.example;<LOCAL>", "https://intranet/", True),
        ("*.corp.example", "https://mcp.corp.example/", True),
        ("*.CORP.example", "https://MCP.Corp.Example./", True),
        ("*.corp.example", "https://corp.example/", False),
        ("*.corp", "https://mcp.corporation/", False),
        ("192.168.*", "http://192.168.7.9:8080/", True),
        ("192.168.*", "http://192.169.7.9/", False),
        ("192.168.?.9; other", "http://192.168.7.9/", True),
        ("https://mcp.corp.example", "https://mcp.corp.example/", True),
        ("mcp.corp.example:8443", "https://mcp.corp.example:8443/", True),
        ("mcp.corp.example:8443", "https://mcp.corp.example/", False),
        ("[fd00::1]", "http://[fd00::1]/", True),
        ("*", "https://mcp.corp.example/", True),
        ("(*.corp[", "https://mcp.corp.example/", False),
        ("*.xn--bcher-kva.example", "https://mcp.b\u00fccher.example/", True),
        ("", "https://mcp.corp.example/", False),
    ],
)
def test_windows_exceptions(windows: Put, override: str, url: str, direct: bool) -> None:
    windows(ProxyEnable=1, ProxyServer="proxy:1", ProxyOverride=override)
    assert (found(url, "win32") is None) == direct


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*.local", "http://nas.local/", True),
        ("*.local", "http://nas.locale/", False),
        ("mcp.corp.example", "https://MCP.corp.example/", True),
        ("corp.example", "https://mcp.corp.example/", False),
        ("169.254/16", "http://169.254.3.4/", True),
        ("169.254/16", "http://169.255.3.4/", False),
        ("10.1", "http://10.1.2.3/", True),
        ("10.1", "http://10.2.2.3/", False),
        ("10.0.0.0/8", "http://10.2.2.3/", True),
        ("192.168.1.7", "http://192.168.1.7/", True),
        ("192.168.1.7", "http://192.168.1.8/", False),
        ("10/40", "http://10.1.2.3/", False),
        ("300.1", "http://10.1.2.3/", False),
        ("10", "http://intranet/", False),
        ("", "http://intranet/", False),
        (None, "http://intranet/", False),
    ],
)
def test_macos_exceptions(macos: Put, entry: str | None, url: str, direct: bool) -> None:
    macos(dict.fromkeys(("http", "https"), "http://proxy:1"), (None, "other.example", entry))
    assert (found(url, "darwin") is None) == direct


@pytest.mark.parametrize("exclude", [True, False])
def test_macos_may_leave_out_simple_names(macos: Put, exclude: bool) -> None:
    macos(dict.fromkeys(("http", "https"), "http://proxy:1"), exclude_simple=exclude)
    assert (found("https://intranet/", "darwin") is None) == exclude
    assert found("https://mcp.corp.example/", "darwin") == "http://proxy:1"


def test_no_name_is_looked_up(windows: Put, macos: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getfqdn"):
        monkeypatch.setattr(socket, name, looked_up)
    windows(ProxyEnable=1, ProxyServer="proxy:1", ProxyOverride="10.*;*.other")
    macos({"https": "http://proxy:1"}, ("10/8", "*.other"))
    assert found(URL, "win32") == found(URL, "darwin") == "http://proxy:1"


# -- what is not supported


def test_a_script_on_windows_is_noticed(windows: Put) -> None:
    windows(ProxyEnable=0, AutoConfigURL="http://wpad.corp/proxy.pac")
    assert found(URL, "win32") is None
    assert "PAC" in unused_proxy(URL, {}, "win32")
    assert unused_proxy("http://localhost:1/", {}, "win32") == ""
    windows(ProxyEnable=1, ProxyServer="proxy:1", AutoConfigURL="http://wpad.corp/proxy.pac")
    assert found(URL, "win32") == "http://proxy:1"
    assert unused_settings("win32") == ""


def test_socks_4_is_noticed(windows: Put) -> None:
    windows(ProxyEnable=1, ProxyServer="socks=four:1080")
    assert "SOCKS 4" in unused_proxy(URL, {}, "win32")


@pytest.mark.parametrize("server", ["https=quic://a:1", "https=a:b:c", "https=http://a/path"])
def test_an_address_that_is_none_is_noticed(windows: Put, server: str) -> None:
    windows(ProxyEnable=1, ProxyServer=server)
    assert found(URL, "win32") is None
    assert "cannot read" in unused_proxy(URL, {}, "win32")


SCUTIL = """<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
  }
  FTPPassive : 1
  ProxyAutoConfigEnable : 1
  ProxyAutoConfigURLString : http://wpad.corp/proxy.pac
  ProxyAutoDiscoveryEnable : 0
}
"""


def test_a_script_on_macos_is_known_by_what_scutil_prints(macos: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names_script(SCUTIL)
    assert names_script(SCUTIL.replace("ConfigEnable : 1", "ConfigEnable : 0").replace("yEnable : 0", "yEnable : 1"))
    assert not names_script(SCUTIL.replace("ConfigEnable : 1", "ConfigEnable : 0"))
    assert not names_script("")
    macos({})
    ran: list[list[str]] = []

    def run(command: list[str], **given: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        assert not any(name.startswith("MCP_BRIDGE_") for name in given["env"])
        return subprocess.CompletedProcess(command, 0, SCUTIL.encode())

    monkeypatch.setenv("MCP_BRIDGE_CLIENT_SECRET", "hidden")
    monkeypatch.setattr(subprocess, "run", run)
    assert "PAC" in unused_proxy(URL, {}, "darwin")
    assert ran == [["/usr/sbin/scutil", "--proxy"]]


@pytest.mark.parametrize("problem", [FileNotFoundError(), subprocess.TimeoutExpired("scutil", 2.0)])
def test_a_system_that_does_not_tell_is_no_reason_to_say_anything(
    macos: Put, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def run(*_: object, **__: object) -> None:
        raise problem

    macos({})
    monkeypatch.setattr(subprocess, "run", run)
    assert unused_settings("darwin") == ""


# -- urllib


def urllib_of(name: str, platform: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """urllib.request as it is on another system. Names are not looked up, as from Python 3.13 on."""
    spec = importlib.util.spec_from_file_location(f"urllib_request_on_{name}", urllib.request.__file__)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", name)
        patched.setattr(sys, "platform", platform)
        spec.loader.exec_module(module)

    def unknown(host: str) -> str:
        if host.replace(".", "").isdigit():
            return host
        raise socket.gaierror

    quiet = types.SimpleNamespace(gethostbyname=unknown, getfqdn=lambda host: host, error=OSError)
    module.socket = quiet
    return module


NAMES = ["intranet", "mcp.corp.example", "corp.example", "nas.local", "192.168.7.9", "10.1.2.3", "169.254.3.4"]
ENTRIES = [
    "*.corp.example",
    "corp.example",
    "<local>",
    "192.168.*",
    "10.*",
    "*.local",
    "*",
    "mcp.*.example",
    "int?anet",
]
BLOCKS = [
    "*.local",
    "169.254/16",
    "10.1",
    "10/8",
    "192.168.7.9",
    "192.168",
    "mcp.corp.example",
    "*.example",
    "10.1.2/40",
]


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(ENTRIES), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_urllib_finds_the_same_on_windows(urllib_on_windows: Any, windows: Put, host: str, entries: list[str]) -> None:
    windows(ProxyEnable=1, ProxyServer="http=one:1;https=two:2", ProxyOverride=";".join(entries))
    asked = urllib_on_windows.getproxies_registry()["https"]
    direct = urllib_on_windows.proxy_bypass_registry(host)
    assert system_proxy("https", host, 443, "win32") == ("" if direct else asked)


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(BLOCKS), max_size=3), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_urllib_finds_the_same_on_macos(
    urllib_on_macos: Any, macos: Put, host: str, entries: list[str], exclude: bool
) -> None:
    macos({"https": "http://two:2"}, tuple(entries), exclude_simple=exclude)
    known = {"exclude_simple": exclude, "exceptions": entries}
    direct = urllib_on_macos._proxy_bypass_macosx_sysconf(host, known)
    assert system_proxy("https", host, 443, "darwin") == ("" if direct else "http://two:2")


@pytest.fixture
def urllib_on_windows(windows: Put, monkeypatch: pytest.MonkeyPatch) -> Any:
    windows()
    return urllib_of("nt", "win32", monkeypatch)


@pytest.fixture
def urllib_on_macos(macos: Put, monkeypatch: pytest.MonkeyPatch) -> Any:
    macos({})
    return urllib_of("posix", "darwin", monkeypatch)


def test_the_settings_are_read_once_for_each_question(windows: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    windows(ProxyEnable=1, ProxyServer="one:1")
    assert found(URL, "win32") == "http://one:1"
    windows(ProxyEnable=1, ProxyServer="two:2")
    assert found(URL, "win32") == "http://two:2", "a change counts for the next connection"
    monkeypatch.setattr(system_module, "_MOST_EXCEPTIONS", 1)
    windows(ProxyEnable=1, ProxyServer="two:2", ProxyOverride="a;*")
    assert found(URL, "win32") == "http://two:2"
