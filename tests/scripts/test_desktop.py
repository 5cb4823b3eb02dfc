"""Packages that only some tests use are installed where that is asked for; elsewhere their tests say what to type."""

import shutil
import sys
from collections.abc import Sequence

import pytest

from scripts import desktop
from scripts.environment import SetupError

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("variables", "may"),
    [
        ({}, False),
        ({"CI": ""}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
        ({"BRIDGE_TEST_PACKAGES": "1"}, True),
        ({"BRIDGE_TEST_PACKAGES": "0"}, False),
        ({"BRIDGE_TEST_PACKAGES": "0", "CI": "true"}, False),
        ({"BRIDGE_TEST_PACKAGES": "", "CI": "true"}, True),
    ],
)
def test_packages_are_installed_where_ci_or_the_variable_says_so(variables: dict[str, str], may: bool) -> None:
    assert desktop.may_install(variables) is may


class Machine:
    """A Debian machine that lacks every program, and what is asked of its package manager."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed: list[list[str]] = []
        self.there: set[str] = {"apt-get"}
        self.brings = True
        monkeypatch.setattr(shutil, "which", lambda name: name if name in self.there else None)
        monkeypatch.setattr(desktop, "install_packages", self.install)
        monkeypatch.setattr(sys, "platform", "linux")
        for name in ("CI", desktop.VARIABLE):
            monkeypatch.delenv(name, raising=False)

    def install(self, packages: Sequence[str], *, timeout: float) -> bool:
        self.installed.append(list(packages))
        if self.brings:
            self.there |= {program.names[0] for program in desktop.PROGRAMS}
        return True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_users_machine_is_left_as_it_is(machine: Machine) -> None:
    assert desktop.install_desktop_programs(1) == ""
    assert machine.installed == []


def test_they_are_announced_and_installed_where_asked_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(desktop.VARIABLE, "1")
    assert desktop.install_desktop_programs(1) == ""
    assert machine.installed == [["chromium", "dbus-daemon", "gnome-keyring", "xvfb"]]
    assert capsys.readouterr().out == (
        "Installing chromium, dbus-daemon, gnome-keyring, xvfb for a few tests, where that is allowed.\n"
    )


def test_a_browser_of_another_name_is_one(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(desktop.VARIABLE, "1")
    machine.there.add("google-chrome")
    desktop.install_desktop_programs(1)
    assert machine.installed == [["dbus-daemon", "gnome-keyring", "xvfb"]]


def test_what_stays_missing_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    machine.brings = False
    assert "Without chromium" in desktop.install_desktop_programs(1)

    def fail(packages: Sequence[str], *, timeout: float) -> bool:
        raise SetupError("E: no such package\n\nCould not install it; this failed:\n    apt-get install")

    monkeypatch.setattr(desktop, "install_packages", fail)
    assert "(apt-get install)" in desktop.install_desktop_programs(1)


def test_the_line_to_type_names_the_packages_that_are_missing(machine: Machine) -> None:
    reasons = [
        "Skipped: " + desktop.DISPLAY.reason,
        desktop.BUS.reason + "; " + desktop.KEYRING.reason,
        "needs Windows",
    ]
    told = desktop.how_to_run_the_skipped(reasons)
    assert told.splitlines()[-1] == (
        "    sudo apt-get install -y --no-install-recommends dbus-daemon gnome-keyring xvfb"
    )
    assert "BRIDGE_TEST_PACKAGES=1" in told
    assert desktop.how_to_run_the_skipped(["needs Windows"]) == ""
    machine.there.clear()
    assert desktop.how_to_run_the_skipped(reasons) == ""


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="the line is for Debian")
def test_a_run_ends_with_the_line(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import pytest_terminal_summary")
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_window(number):
            pytest.skip({desktop.DISPLAY.reason!r})
        """
    )
    said = pytester.runpytest("-p", "no:xdist").stdout.str()
    assert said.count("sudo apt-get install -y --no-install-recommends xvfb\n") == 1
