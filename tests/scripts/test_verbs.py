"""The scripts people run, the ones the build runs and the ones the README names are the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import test as test_script
from tests.support import examples
from tests.support.waits import stretched

ROOT = Path(__file__).parents[2]
SCRIPT = re.compile(r"python3 (scripts/\w+\.py)")


def build_steps() -> list[str]:
    return SCRIPT.findall((ROOT / ".ci" / "run").read_text())


def test_the_build_runs_what_the_readme_tells_people_to_run() -> None:
    named = set(SCRIPT.findall((ROOT / "README.md").read_text()))
    assert {"scripts/demo.py", "scripts/test.py", "scripts/check.py"} <= named
    assert set(build_steps()) <= named


def test_the_build_ends_with_the_tests() -> None:
    assert build_steps() == ["scripts/check.py", "scripts/demo.py", "scripts/test.py", "scripts/test.py"]


def test_every_script_that_is_named_is_there() -> None:
    for name in {*build_steps(), *SCRIPT.findall((ROOT / "README.md").read_text())}:
        assert (ROOT / name).is_file(), name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
def test_the_build_script_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_workflow_runs_the_same_scripts_and_trusts_no_tag() -> None:
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    run = set(re.findall(r"python (scripts/\w+\.py)", text))
    assert run == {"scripts/check.py", "scripts/demo.py", "scripts/test.py", "scripts/smoke.py"}
    assert "run: .ci/run" in text
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert [action for action in actions if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action)] == []
    assert "permissions:\n  contents: read\n" in text


def test_the_workflow_runs_every_python_on_every_system() -> None:
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r"Programming Language :: Python :: (3\.\d+)", pyproject)
    assert f"python: {json.dumps(versions)}" in text
    assert {"ubuntu", "windows", "macos"} <= set(re.findall(r"[a-z]+(?=-[\d.]+[,\]])", text))


def test_the_readme_names_the_systems_of_the_workflow() -> None:
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert set(re.findall(r"(?:windows|macos)-[\w-]+", text)) == {
        *("windows-2022", "windows-2025", "macos-13", "macos-15", "macos-15-intel", "macos-26")
    }
    assert "Windows Server 2022 and 2025, macOS 15 (both processors) and macOS 26; it has not been run yet" in readme


def test_the_pinned_programs_name_no_registry() -> None:
    """A lock file made behind somebody's mirror would send everybody there."""
    lock = json.loads((ROOT / "tests" / "counterparts" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []


def test_the_pins_are_exact() -> None:
    wanted = json.loads((ROOT / "tests" / "counterparts" / "package.json").read_text())["dependencies"]
    assert sorted(wanted) == [
        "@anthropic-ai/mcpb",
        "@modelcontextprotocol/conformance",
        "@modelcontextprotocol/server-everything",
        "mcp-remote",
        "oidc-provider",
    ]
    assert [version for version in wanted.values() if not version[0].isdigit()] == []


class TestTheTestsOwnWorld:
    """What `scripts/test.py` lets through to pytest."""

    def test_every_place_to_write_to_is_under_the_given_home(self, tmp_path: Path) -> None:
        real = {"HOME": "/home/real", "XDG_CONFIG_HOME": "/home/real/.config", "APPDATA": "/home/real/data"}
        variables = test_script.private_variables(real, tmp_path)
        assert "/home/real" not in " ".join(variables.values())
        for name in (
            "HOME",
            "USERPROFILE",
            "APPDATA",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
        ):
            assert Path(variables[name]).is_relative_to(tmp_path), name
            assert Path(variables[name]).is_dir(), name

    def test_this_machines_network_settings_stay_out(self, tmp_path: Path) -> None:
        machine = {
            "https_proxy": "http://proxy.example:8080",
            "NO_PROXY": "*",
            "SSL_CERT_FILE": "/etc/some.pem",
            "MCP_BRIDGE_LOG_LEVEL": "debug",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
        }
        variables = test_script.private_variables(machine | {"PATH": "/bin"}, tmp_path)
        assert set(machine) & {name for name, value in variables.items() if value} == set()
        assert variables["PATH"] == "/bin"

    def test_the_developers_desktop_is_not_looked_for(self, tmp_path: Path) -> None:
        desktop = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "BROWSER": "firefox"}
        variables = test_script.private_variables(desktop, tmp_path)
        # Set and empty: what is missing would be taken from the processes above.
        assert [variables[name] for name in (*desktop, "DBUS_SESSION_BUS_ADDRESS")] == [""] * 4

    def test_bytecode_is_kept_for_the_next_worker_and_the_next_run(self, tmp_path: Path) -> None:
        variables = test_script.private_variables({"PYTHONDONTWRITEBYTECODE": "1"}, tmp_path)
        assert "PYTHONDONTWRITEBYTECODE" not in variables

    def test_pytest_arguments_and_exit_code_pass_through(self) -> None:
        leave = [sys.executable, "-c", "import sys; sys.exit(int(sys.argv[1]))", "5"]
        assert test_script.run_tests(leave, dict(os.environ)) == 5


def test_the_examples_that_fast_makes_fewer_are_those_of_the_tests() -> None:
    assert examples.VARIABLE == test_script.EXAMPLES
    assert 0 < float(test_script.FAST_EXAMPLES) < float(test_script.PLAIN_EXAMPLES) < 1


def test_the_build_tries_all_examples() -> None:
    assert f'{test_script.EXAMPLES}="${{{test_script.EXAMPLES}:-1}}"' in (ROOT / ".ci" / "run").read_text()


def test_a_script_that_was_misspelt_says_how_it_is_used() -> None:
    """Before any set-up, so this costs nothing."""
    for name in ("demo", "check"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "--nonsense"],
            capture_output=True,
            text=True,
            timeout=stretched(60),
            check=False,
        )
        assert done.returncode != 0
        assert f"scripts/{name}.py" in done.stderr
        assert "Preparing" not in done.stdout
