"""The process: help, version, exit codes, what may reach stdout, and what is imported for it."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bridge import __version__
from bridge.cli.main import main
from bridge.config import Settings
from bridge.errors import BridgeError
from tests.support.waits import stretched

ROOT = Path(__file__).resolve().parents[2]
SECRET = "pl4nted-s3cret"
URL = "https://example.com/mcp"


def python(*words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MCP_BRIDGE_")}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=stretched(60), check=False
    )


def stand_in(monkeypatch: pytest.MonkeyPatch, outcome: int | BaseException) -> None:
    def run_bridge(settings: Settings) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    module = types.ModuleType("bridge.app.start")
    module.__dict__["run_bridge"] = run_bridge
    monkeypatch.setitem(sys.modules, "bridge.app.start", module)


def exit_code(*words: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_the_module_runs_as_a_program() -> None:
    done = python("-m", "bridge", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"mcp-remote-bridge {__version__}\n")


@pytest.mark.parametrize("words", [("run", "--help"), ("run", "-h"), (URL, "--help")])
def test_help_lists_every_option(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Usage: mcp-remote-bridge ")
    names = (
        *("header", "header-file", "transport", "protocol", "connect-timeout", "request-timeout", "allow-http"),
        *("ca-file", "client-cert", "client-cert-key", "log-level", "log-file", "silent"),
        *("client-id", "client-secret", "client-metadata-url", "issuer", "scope", "resource", "authorize-param"),
        *("callback-port", "callback-host", "callback-path", "login-timeout", "token-store"),
        *("use-id-token", "allow-private", "profile"),
    )
    for name in names:
        assert f"  --{name} " in out


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    out = capsys.readouterr().out
    for name in ("run", "login", "callback", "logout", "status", "client-metadata"):
        assert f"\n  {name} " in out


def test_a_usage_error_of_the_process_leaves_stdout_empty() -> None:
    done = python("-m", "bridge", "foo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_the_exit_code_is_the_bridges(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, 3)
    assert exit_code(URL) == 3


def test_a_bridge_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(monkeypatch, BridgeError("It broke\nhere.", hint="Try that."))
    assert exit_code(URL) == 1
    assert capsys.readouterr() == ("", "mcp-remote-bridge: error: It broke\\nhere. Try that.\n")


def test_an_interrupt_before_the_start_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, KeyboardInterrupt())
    assert exit_code(URL) == 130
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_defect_shows_its_traceback_at_debug_only(
    level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, RuntimeError(f"with {SECRET} in it"))
    assert exit_code(URL, "--header", f"X-Key: {SECRET}", "--log-level", level) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert SECRET not in err
    assert ("Traceback" in err) is (level == "debug")
    assert err.splitlines()[-1].startswith("mcp-remote-bridge: error: Stopped by an unexpected RuntimeError")
    if level == "info":
        assert err.count("\n") == 1


def test_a_defect_does_not_show_the_clients_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(monkeypatch, RuntimeError(f"with {SECRET} in it"))
    monkeypatch.setenv("MCP_BRIDGE_CLIENT_SECRET", SECRET)
    assert exit_code(URL, "--client-id", "c", "--log-level", "debug") == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert SECRET not in err


@pytest.mark.parametrize("level", ["", "debug"])
def test_a_defect_of_another_command_is_one_line_too(
    level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"with Bearer {SECRET} in it")

    monkeypatch.setattr("bridge.cli.status.host_entries", broken)
    monkeypatch.setattr("bridge.inventory.overview.overview_here", broken)
    monkeypatch.setenv("MCP_BRIDGE_LOG_LEVEL", level)
    assert exit_code("status") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert SECRET not in err
    assert ("Traceback" in err) is (level == "debug")
    assert err.splitlines()[-1].startswith("mcp-remote-bridge: error: Stopped by an unexpected RuntimeError")


def test_a_lost_stderr_leaves_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert exit_code("foo") == 2


def test_the_command_line_imports_nothing_heavy() -> None:
    """A usage error or `--help` needs no event loop, and a run imports each part when it needs it."""
    imported = "import bridge.cli.main, bridge.cli.program"
    code = f"import sys, click; old = set(sys.modules); {imported}; print(*set(sys.modules) - old)"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "bridge.cli.program" in loaded
    heavy = "anyio asyncio httpcore httpx truststore ssl socket logging http email json urllib.request"
    sign_in = "authlib joserfc keyring filelock psutil platformdirs webbrowser"
    rooms = ("bridge.app", "bridge.oauth", "bridge.login", "bridge.store")
    assert loaded.isdisjoint([*rooms, *heavy.split(), *sign_in.split()])
