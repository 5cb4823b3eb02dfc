"""The wiring, where it decides something: which proxy a new connection takes."""

import sys
import types
from typing import Any, cast

import pytest

from bridge.app.main import _chooser
from bridge.process.redact import Redactor
from bridge.remote import proxy as proxy_module
from bridge.remote.proxy import Proxy

URL = "https://mcp.example/mcp"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def on(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "sys", types.SimpleNamespace(platform=platform))


def test_on_linux_and_by_variables_the_proxy_is_settled_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    on("linux", monkeypatch)
    assert _chooser(URL, cast("Any", None)) is None
    on("darwin", monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    assert _chooser(URL, cast("Any", None)) is None


def test_else_each_connection_takes_the_systems_and_its_password_stays_out_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on("darwin", monkeypatch)
    proxies = {"https": "http://user:pass-word@proxy.corp:1"}
    module = types.ModuleType("_scproxy")
    vars(module).update(_get_proxies=lambda: proxies, _get_proxy_settings=lambda: None)
    monkeypatch.setitem(sys.modules, "_scproxy", module)
    redact = Redactor()
    choose = _chooser(URL, cast("Any", types.SimpleNamespace(redactor=redact)))
    assert choose is not None
    assert choose() == Proxy("http://proxy.corp:1", ("user", "pass-word"))
    assert "pass-word" not in redact("a line with pass-word in it")
    proxies.clear()
    assert choose() is None
