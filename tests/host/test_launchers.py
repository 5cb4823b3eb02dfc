"""Which processes are launchers, by name and by what they run."""

import pytest

from bridge.host.launchers import is_launcher, owns_its_children

OWN = ["/venv/bin/python", "/venv/bin/mcp-remote-bridge", "https://host/mcp"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sh", ["sh", "-c", "mcp-remote-bridge https://host/mcp; exit"]),
        ("-zsh", []),
        ("/bin/bash", ["bash"]),
        ("cmd.exe", ["C:\\Windows\\system32\\cmd.exe", "/d", "/s", "/c", "mcp-remote-bridge"]),
        ("CMD.EXE", []),
        ("pwsh", []),
        ("uvx", ["uvx", "mcp-remote-bridge"]),
        ("py.exe", ["py", "-3", "-m", "bridge"]),
        ("mcp-remote-bridge.exe", ["mcp-remote-bridge.exe", "https://host/mcp"]),
        ("node", ["npm exec @scope/name https://host/mcp"]),
        ("node", ["/usr/bin/node", "/usr/lib/node_modules/npm/bin/npx-cli.js", "name"]),
        ("node.exe", ["C:\\node\\node.exe", "--no-warnings", "C:\\node\\node_modules\\npm\\bin\\npx-cli.js", "name"]),
        ("python3.12", ["python3.12", "-m", "pipx", "run", "mcp-remote-bridge"]),
        ("python.exe", ["python.exe", "C:\\Scripts\\pipx.exe", "run", "mcp-remote-bridge"]),
        ("python.exe", ["C:\\venv\\Scripts\\python.exe", *OWN[1:]]),
    ],
)
def test_these_only_start_another(name: str, arguments: list[str]) -> None:
    assert is_launcher(name, arguments, OWN)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Claude.exe", ["Claude.exe"]),
        ("claude", ["claude"]),
        ("node", ["claude"]),
        ("node", ["/usr/bin/node", "/home/me/host.js", "npx"]),
        ("node", []),
        ("python3", ["python3", "host.py", "https://host/mcp"]),
        ("python3", ["python3", "-m", "host"]),
        ("python3", ["python3", "-c", "import subprocess"]),
        ("Code Helper (Plugin)", []),
        ("codex", ["codex", "exec"]),
        ("goosed", []),
        ("", []),
        ("shell", []),
    ],
)
def test_these_may_be_hosts(name: str, arguments: list[str]) -> None:
    assert not is_launcher(name, arguments, OWN)


def test_no_arguments_are_nobodys_own() -> None:
    assert not is_launcher("host", ["host"], ["python"])
    assert not is_launcher("host", [], [])


def test_a_desktop_owns_none_of_what_it_starts() -> None:
    assert not owns_its_children("explorer.exe")
    assert not owns_its_children("systemd")
    assert owns_its_children("Claude.exe")
