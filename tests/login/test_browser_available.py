"""Where the user would not see a browser that is started, and what the user is told to do there."""

from __future__ import annotations

import pytest

from bridge.login.browser_available import CONTAINER, NO_DISPLAY, SSH, advice, place, why_not_here
from bridge.login.openers import names_browser

REDIRECT_URI = "http://localhost:51234/callback"
SSH_HOLDS = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
SCREEN = {"DISPLAY": ":0"}


def why(environ: dict[str, str], platform: str = "linux") -> str:
    return why_not_here(environ, platform, names_browser=names_browser(environ, platform))


def where(environ: dict[str, str], platform: str = "linux", *files: str) -> str:
    return place(environ, platform, files.__contains__)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_desktop_system_has_a_browser(platform: str) -> None:
    assert why({}, platform) == where({}, platform) == ""


@pytest.mark.parametrize("display", [SCREEN, {"WAYLAND_DISPLAY": "wayland-0"}], ids=["x11", "wayland"])
def test_linux_with_a_display_has_a_browser(display: dict[str, str]) -> None:
    assert why(display) == where(display) == ""


@pytest.mark.parametrize("platform", ["linux", "freebsd14"])
def test_a_missing_display_is_said_and_is_no_reason_not_to_try(platform: str) -> None:
    for environ in ({}, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}):
        assert why(environ, platform) == ""
        assert where(environ, platform) == NO_DISPLAY


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_an_ssh_session_has_none_whatever_the_machine_has(name: str, platform: str) -> None:
    assert why({name: "x"} | SCREEN, platform) == SSH
    assert why({name: "x"}, platform) == SSH
    assert why({name: ""} | SCREEN, platform) == ""


def test_a_display_that_ssh_forwards_is_the_persons_own() -> None:
    assert why(SSH_HOLDS | {"DISPLAY": "localhost:10.0"}) == ""
    # On a Mac programs do not look at it; /private/tmp/... is XQuartz of the machine itself.
    assert why(SSH_HOLDS | {"DISPLAY": "localhost:10.0"}, "darwin") == SSH
    assert why(SSH_HOLDS | {"DISPLAY": "/private/tmp/com.apple.launchd.x/org.xquartz:0"}) == SSH
    assert why(SSH_HOLDS | {"WAYLAND_DISPLAY": "wayland-0"}) == SSH


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({}, ["/.dockerenv"]),
        ({}, ["/run/.containerenv"]),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, []),
        ({"container": "podman"}, []),
        ({"REMOTE_CONTAINERS": "true"}, []),
        ({"CODESPACES": "true"}, []),
        ({"DEVCONTAINER": "true"}, []),
    ],
    ids=["docker", "podman", "kubernetes", "container", "vscode", "codespaces", "devcontainer"],
)
def test_a_container_is_said_and_is_no_reason_not_to_try(environ: dict[str, str], files: list[str]) -> None:
    assert why(environ) == ""
    assert where(environ, "linux", *files) == CONTAINER
    assert where(environ | SCREEN, "linux", *files) == ""
    assert where(environ, "darwin", *files) == ""


def test_a_program_in_flatpak_is_in_no_container() -> None:
    assert where({"container": "flatpak"}) == NO_DISPLAY


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({"WSL_DISTRO_NAME": "Ubuntu"}, []),
        ({"WSL_INTEROP": "/run/WSL/1_interop"}, []),
        ({}, ["/proc/sys/fs/binfmt_misc/WSLInterop"]),
        ({}, ["/proc/sys/fs/binfmt_misc/WSLInterop-late"]),
    ],
    ids=["distribution", "interop", "file", "late-file"],
)
def test_wsl_has_the_browser_of_windows(environ: dict[str, str], files: list[str]) -> None:
    assert why(environ) == where(environ, "linux", *files) == ""
    # A container shares the kernel, and with it the file, but not what starts Windows' programs.
    assert where(environ, "linux", *files, "/.dockerenv") == CONTAINER


def test_a_browser_that_the_user_names_wins() -> None:
    assert why(SSH_HOLDS | {"BROWSER": "/vscode/bin/helpers/browser.sh"}) == ""


def test_a_browser_for_a_terminal_does_not_make_ssh_a_place_for_one() -> None:
    assert why(SSH_HOLDS | {"BROWSER": "w3m"}) == SSH
    assert why(SSH_HOLDS | {"BROWSER": "w3m:firefox %s"}) == ""


@pytest.mark.parametrize("reason", [SSH, NO_DISPLAY])
def test_the_lines_to_type_are_told_whole(reason: str) -> None:
    said = advice(reason, REDIRECT_URI, "build.example")
    assert said.startswith(f"{reason[0].upper()}{reason[1:]}. Either on your own machine run: ")
    assert "ssh -L 51234:localhost:51234 build.example," in said
    assert "mcp-remote-bridge callback '" in said
    assert "--grant device-code" in said
    assert "on this machine" not in said


def test_no_tunnel_leads_into_a_container() -> None:
    said = advice(CONTAINER, REDIRECT_URI)
    assert "ssh" not in said
    assert "mcp-remote-bridge callback '" in said


def test_a_browser_here_will_do_where_none_is_wanted() -> None:
    said = advice("no browser is wanted", REDIRECT_URI)
    assert said.startswith("No browser is wanted. Either open the link in a browser on this machine; or ")


def test_any_browser_will_do_where_nothing_comes_back() -> None:
    assert advice(SSH, "").endswith("Open the link in any browser.")
    assert "ssh -L" not in advice(SSH, "")


def test_what_was_tried_is_said_and_the_advice_is_for_the_place() -> None:
    said = advice(f"{CONTAINER} (/usr/bin/xdg-open ended with status 3)", REDIRECT_URI, at=CONTAINER)
    assert said.startswith(f"T{CONTAINER[1:]} (/usr/bin/xdg-open ended with status 3). Either open the link in any ")
    assert "on this machine" not in said
    assert "ssh" not in said


def test_nothing_is_advised_without_a_reason() -> None:
    assert advice("", REDIRECT_URI) == ""
