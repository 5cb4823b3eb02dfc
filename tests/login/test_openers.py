"""Which programs open a page on each system, and how long a URL each of them is given."""

import os
from pathlib import Path

import pytest

from bridge.login.openers import ARGUMENT, SHELL_EXECUTE, commands, environment, passed

LONG = "https://login.example/authorize?scope=" + "x" * 3000
SHORT = "http://127.0.0.1:50123/start/token"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to put programs in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def words_of(environ: dict[str, str], platform: str = "linux", *, on_wsl: bool = False) -> list[list[str]]:
    return list(commands("https://a.example/?x", environ, platform, on_wsl=on_wsl))


@pytest.mark.skipif(os.name == "nt", reason="the programs are files with a mode")
class TestCommands:
    """What would be run, on each system."""

    def test_linux_needs_a_display(self, programs: Path) -> None:
        put(programs, "xdg-open", "firefox")
        assert words_of({"PATH": str(programs)}) == []

    @pytest.mark.parametrize("display", ["DISPLAY", "WAYLAND_DISPLAY"])
    def test_linux_tries_what_there_is(self, programs: Path, display: str) -> None:
        put(programs, "firefox", "gio", "xdg-open")
        assert words_of({"PATH": str(programs), display: ":0"}) == [
            [str(programs / "xdg-open"), "https://a.example/?x"],
            [str(programs / "gio"), "open", "https://a.example/?x"],
            [str(programs / "firefox"), "https://a.example/?x"],
        ]

    def test_wsl_opens_windows_browser(self, programs: Path) -> None:
        put(programs, "wslview", "xdg-open")
        windows = ["/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler", "https://a.example/?x"]
        viewer = [str(programs / "wslview"), "https://a.example/?x"]
        assert words_of({"PATH": str(programs)}, on_wsl=True) == [viewer, windows]
        assert words_of({"PATH": "/nowhere"}, on_wsl=True) == [windows]
        assert words_of({"PATH": str(programs), "DISPLAY": ":0"}, on_wsl=True)[2][0] == str(programs / "xdg-open")

    def test_macos_has_its_open_and_then_the_open_of_the_users_session(self) -> None:
        opening = ["/usr/bin/open", "https://a.example/?x"]
        assert words_of({"PATH": "/nowhere"}, "darwin") == [opening]
        found = list(commands("https://a.example/?x", {}, "darwin", on_wsl=False, user=501))
        assert found == [opening, ["/bin/launchctl", "asuser", "501", *opening]]

    @pytest.mark.parametrize("variable", ["w3m", "w3m:/usr/bin/lynx %s", "www-browser", ":", ""])
    def test_a_variable_that_names_only_browsers_for_a_terminal_is_as_good_as_none(
        self, programs: Path, variable: str
    ) -> None:
        put(programs, "w3m", "xdg-open", "www-browser")
        (programs / "firefox").symlink_to(programs / "xdg-open")
        found = words_of({"PATH": str(programs), "BROWSER": variable, "DISPLAY": ":0"})
        assert [command[0] for command in found] == [str(programs / "xdg-open"), str(programs / "firefox")]

    def test_of_the_variables_browsers_those_for_a_terminal_are_left_out(self, programs: Path) -> None:
        put(programs, "w3m", "firefox")
        found = words_of({"PATH": str(programs), "BROWSER": "w3m %s:firefox", "DISPLAY": ":0"})
        assert found == [[str(programs / "firefox"), "https://a.example/?x"]]

    @pytest.mark.parametrize("name", ["SystemRoot", "SYSTEMROOT"])
    def test_windows_calls_its_handler_by_the_full_name(self, name: str) -> None:
        assert words_of({name: r"D:\Win"}, "win32") == [
            [r"D:\Win\System32\rundll32.exe", "url.dll,FileProtocolHandler", "https://a.example/?x"]
        ]
        assert words_of({}, "win32")[0][0] == r"C:\Windows\System32\rundll32.exe"

    @pytest.mark.parametrize(
        ("variable", "expected"),
        [
            ("firefox", [["firefox", "URL"]]),
            ("firefox %s", [["firefox", "URL"]]),
            ("firefox --new-tab", [["firefox", "--new-tab", "URL"]]),
            ("firefox --url=%s --new-tab", [["firefox", "--url=URL", "--new-tab"]]),
            ("firefox %s &", [["firefox", "URL"]]),
            ("firefox -P 'my own' %s", [["firefox", "-P", "my own", "URL"]]),
            ("firefox:chrome %s", [["firefox", "URL"], ["chrome", "URL"]]),
            (":none::chrome: ", [["chrome", "URL"]]),
            ("my browser", [["my browser", "URL"]]),
            ("'my browser' %s", [["my browser", "URL"]]),
            ("firefox 'open", []),
            ("&", []),
            ("firefox %s; rm -rf /", [["firefox", "URL;", "rm", "-rf", "/"]]),
        ],
    )
    def test_the_variable_is_read_as_python_reads_it(
        self, programs: Path, variable: str, expected: list[list[str]]
    ) -> None:
        put(programs, "firefox", "chrome", "my browser", "xdg-open")
        found = words_of({"PATH": str(programs), "BROWSER": variable, "DISPLAY": ":0"})
        assert found == [
            [str(programs / program), *(word.replace("URL", "https://a.example/?x") for word in words)]
            for program, *words in expected
        ]

    def test_windows_reads_the_variable_with_its_own_paths(self, programs: Path) -> None:
        put(programs, "my browser", "shell.bat", "shell.CMD")
        variable = f'"{programs}/my browser" C:\\a\\b %s;{programs}/shell.bat %s;"{programs}/shell.CMD"'
        assert words_of({"PATH": "", "BROWSER": variable}, "win32") == [
            [str(programs / "my browser"), r"C:\a\b", "https://a.example/?x"]
        ]

    def test_a_long_url_goes_to_windows_opener_by_its_short_address(self) -> None:
        assert urls_of(LONG, {}, "win32") == [SHORT]

    @pytest.mark.parametrize("length", [100, SHELL_EXECUTE])
    def test_what_windows_opener_takes_is_passed_whole(self, length: int) -> None:
        url = "https://a.example/".ljust(length, "x")
        assert urls_of(url, {}, "win32") == [url]
        assert urls_of(url + "x" * SHELL_EXECUTE, {}, "win32") == [SHORT]

    def test_what_encoding_makes_too_long_is_too_long(self) -> None:
        assert urls_of("https://a.example/" + "'" * 700, {}, "win32") == [SHORT]

    def test_each_attempt_has_a_short_address_of_its_own(self, programs: Path) -> None:
        put(programs, "wslview", "xdg-open")
        made: list[str] = []

        def shorten(url: str) -> str:
            made.append(url)
            return f"{SHORT}{len(made)}"

        environ = {"PATH": str(programs), "DISPLAY": ":0"}
        found = [command[-1] for command in commands(LONG, environ, "linux", on_wsl=True, shorten=shorten)]
        assert found == [f"{SHORT}1", f"{SHORT}2", LONG]
        assert made == [LONG, LONG]

    @pytest.mark.parametrize("platform", ["darwin", "linux"])
    def test_other_systems_openers_take_a_long_url(self, programs: Path, platform: str) -> None:
        put(programs, "xdg-open")
        assert urls_of(LONG, {"PATH": str(programs), "DISPLAY": ":0"}, platform) == [LONG]

    @pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
    def test_a_browser_that_the_variable_names_is_given_what_an_argument_holds(
        self, programs: Path, platform: str
    ) -> None:
        put(programs, "firefox")
        environ = {"PATH": str(programs), "BROWSER": "firefox"}
        assert urls_of(LONG, environ, platform) == [LONG]
        assert urls_of(LONG + "x" * ARGUMENT, environ, platform) == [SHORT]


def urls_of(url: str, environ: dict[str, str], platform: str) -> list[str]:
    """What each opener would be given, where a short address can be had."""
    return [command[-1] for command in commands(url, environ, platform, on_wsl=False, shorten=lambda _: SHORT)]


def test_without_a_short_address_the_whole_url_is_passed() -> None:
    assert passed(LONG, 10, None) == LONG


def test_an_opener_does_not_get_a_variable_that_names_only_browsers_for_a_terminal() -> None:
    assert environment(["/usr/bin/gio"], {"BROWSER": "w3m", "PATH": "/none"}, "linux") == {"PATH": "/none"}
    assert environment(["/usr/bin/gio"], {"BROWSER": "firefox"}, "linux") == {"BROWSER": "firefox"}
