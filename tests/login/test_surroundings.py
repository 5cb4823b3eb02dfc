"""Where a browser that is started would be seen by nobody, and what a person is told to do there."""

from __future__ import annotations

import pytest

from bridge.login.surroundings import CONTAINER, NO_DISPLAY, SSH, advice, why_not_here

REDIRECT_URI = "http://localhost:51234/callback"
SSH_HOLDS = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
SCREEN = {"DISPLAY": ":0"}


def why(environ: dict[str, str], platform: str = "linux", *files: str) -> str:
    return why_not_here(environ, platform, files.__contains__)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_desktop_system_has_a_browser(platform: str) -> None:
    assert why({}, platform) == ""


@pytest.mark.parametrize("display", [SCREEN, {"WAYLAND_DISPLAY": "wayland-0"}], ids=["x11", "wayland"])
def test_linux_with_a_display_has_a_browser(display: dict[str, str]) -> None:
    assert why(display) == ""


@pytest.mark.parametrize("platform", ["linux", "freebsd14"])
def test_without_a_display_there_is_none_to_see(platform: str) -> None:
    assert why({}, platform) == NO_DISPLAY
    assert why({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, platform) == NO_DISPLAY


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
def test_a_container_has_none_but_where_it_was_given_a_display(environ: dict[str, str], files: list[str]) -> None:
    assert why(environ, "linux", *files) == CONTAINER
    assert why(environ | SCREEN, "linux", *files) == ""
    assert why(environ, "darwin", *files) == ""


def test_a_program_in_flatpak_is_in_no_container() -> None:
    assert why({"container": "flatpak"}) == NO_DISPLAY


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
    assert why(environ, "linux", *files) == ""
    # A container shares the kernel, and with it the file, but not what starts Windows' programs.
    assert why(environ, "linux", *files, "/.dockerenv") == CONTAINER


@pytest.mark.parametrize("files", [[], ["/.dockerenv"]], ids=["ssh", "container"])
def test_a_browser_that_the_user_names_wins(files: list[str]) -> None:
    assert why(SSH_HOLDS | {"BROWSER": "/vscode/bin/helpers/browser.sh"}, "linux", *files) == ""


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


def test_nothing_is_advised_without_a_reason() -> None:
    assert advice("", REDIRECT_URI) == ""
