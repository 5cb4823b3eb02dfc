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


@pytest.mark.parametrize("name", ["explorer.exe", "systemd", "launchd"])
def test_a_desktop_owns_none_of_what_it_starts(name: str) -> None:
    assert not owns_its_children(name, [name])


@pytest.mark.parametrize(
    "arguments",
    [
        ["-bash"],
        ["zsh", "-i"],
        ["/bin/bash", "--login"],
        ["bash", "--init-file", "/usr/share/code/shellIntegration-bash.sh"],
        ["fish", "-C", "echo hello"],
        ["cmd.exe"],
        ["cmd.exe", "/d", "/k", "title x"],
        ["pwsh.exe", "-NoLogo"],
        ["pwsh", "-noexit", "-command", ". shellIntegration.ps1"],
    ],
)
def test_a_shell_that_is_typed_at_owns_none_of_what_was_left_running_there(arguments: list[str]) -> None:
    assert not owns_its_children(arguments[0], arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sh", "-c", "mcp-remote-bridge https://host/mcp"],
        ["bash", "-lc", "mcp-remote-bridge https://host/mcp"],
        ["/bin/sh", "./wrapper.sh"],
        ["bash", "-e", "wrapper.sh"],
        ["busybox", "sh", "-c", "mcp-remote-bridge"],
        ["cmd.exe", "/d", "/s", "/C", "mcp-remote-bridge"],
        ["powershell.exe", "-NoProfile", "-Command", "mcp-remote-bridge"],
        ["pwsh", "wrapper.ps1"],
        ["claude"],
        ["node", "-c"],
    ],
)
def test_a_shell_that_runs_something_dies_with_it(arguments: list[str]) -> None:
    assert owns_its_children(arguments[0], arguments)


def test_a_process_that_tells_no_arguments_is_no_shell_that_is_typed_at() -> None:
    assert owns_its_children("bash", ())
