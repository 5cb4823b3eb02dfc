"""Which command an entry holds, for each way in which people install the bridge."""

import sys
from pathlib import Path

import pytest

from bridge.errors import UsageError
from bridge.install.launcher import Launcher, Surroundings, find_launcher, surroundings

LINUX, MAC, WINDOWS = "linux", "darwin", "win32"
HOMES = {LINUX: "/home/me", MAC: "/Users/me", WINDOWS: r"C:\Users\me"}
BASES = {LINUX: "/usr", MAC: "/usr/local", WINDOWS: r"C:\Python313"}
TOOLS = {
    "uvx": "/home/me/.local/bin/uvx",
    "pipx": "/usr/bin/pipx",
}


def here(
    platform: str,
    prefix: str,
    *files: str,
    environ: dict[str, str] | None = None,
    scripts: tuple[str, ...] = (),
    tools: dict[str, str] | None = None,
    source: str = "",
    home: str = "",
    is_system: bool = False,
) -> Surroundings:
    return Surroundings(
        platform=platform,
        prefix=prefix,
        base_prefix=prefix if is_system else BASES[platform],
        home=home or HOMES[platform],
        environ=environ or {},
        scripts=scripts,
        is_file=lambda path: path in files,
        which=lambda name: (TOOLS if tools is None else tools).get(name),
        source=source,
        temporary=(r"C:\Users\me\AppData\Local\Temp",) if platform == WINDOWS else ("/tmp", "/var/tmp"),
    )


INSTALLED = [
    # platform, prefix, the files there are, variables, the command
    (
        LINUX,
        "/home/me/.local/share/pipx/venvs/mcp-remote-bridge",
        "pipx_metadata.json",
        {},
        "/home/me/.local/bin/mcp-remote-bridge",
    ),
    (
        MAC,
        "/Users/me/.local/pipx/venvs/mcp-remote-bridge",
        "pipx_metadata.json",
        {"PIPX_BIN_DIR": "/Users/me/bin"},
        "/Users/me/bin/mcp-remote-bridge",
    ),
    (
        WINDOWS,
        r"C:\Users\me\pipx\venvs\mcp-remote-bridge",
        "pipx_metadata.json",
        {},
        r"C:\Users\me\.local\bin\mcp-remote-bridge.exe",
    ),
    (
        LINUX,
        "/home/me/.local/share/uv/tools/mcp-remote-bridge",
        "uv-receipt.toml",
        {},
        "/home/me/.local/bin/mcp-remote-bridge",
    ),
    (
        MAC,
        "/Users/me/.local/share/uv/tools/mcp-remote-bridge",
        "uv-receipt.toml",
        {"UV_TOOL_BIN_DIR": "/opt/tools", "XDG_BIN_HOME": "/no"},
        "/opt/tools/mcp-remote-bridge",
    ),
    (
        LINUX,
        "/data/share/uv/tools/mcp-remote-bridge",
        "uv-receipt.toml",
        {"XDG_DATA_HOME": "/data/share"},
        "/data/bin/mcp-remote-bridge",
    ),
    (
        WINDOWS,
        r"C:\Users\me\AppData\Roaming\uv\tools\mcp-remote-bridge",
        "uv-receipt.toml",
        {},
        r"C:\Users\me\.local\bin\mcp-remote-bridge.exe",
    ),
]


@pytest.mark.parametrize(("platform", "prefix", "mark", "environ", "command"), INSTALLED)
def test_a_tool_that_was_installed_is_started_by_its_link(
    platform: str, prefix: str, mark: str, environ: dict[str, str], command: str
) -> None:
    separator = "\\" if platform == WINDOWS else "/"
    place = here(platform, prefix, f"{prefix}{separator}{mark}", command, environ=environ)
    assert find_launcher(place) == Launcher(command)


@pytest.mark.parametrize(
    ("platform", "scripts", "command"),
    [
        (LINUX, "/p/bin", "/p/bin/mcp-remote-bridge"),
        (MAC, "/p/bin", "/p/bin/mcp-remote-bridge"),
        (WINDOWS, r"C:\p\Scripts", r"C:\p\Scripts\mcp-remote-bridge.exe"),
    ],
)
@pytest.mark.parametrize("mark", ["pipx_metadata.json", "uv-receipt.toml"])
def test_without_the_link_the_program_itself_is_started(platform: str, scripts: str, command: str, mark: str) -> None:
    prefix = r"C:\p" if platform == WINDOWS else "/p"
    found = find_launcher(
        here(platform, prefix, f"{prefix}{'/' if prefix == '/p' else chr(92)}{mark}", command, scripts=(scripts,))
    )
    assert found == Launcher(command)


@pytest.mark.parametrize(
    ("platform", "prefix"),
    [
        (LINUX, "/home/me/.cache/uv/archive-v0/Ab3x"),
        (LINUX, "/var/cache/environments-v2/mcp-remote-bridge-1a2b"),
        (MAC, "/Users/me/.cache/uv/archive-v0/Ab3x"),
        (WINDOWS, r"C:\Users\me\AppData\Local\uv\cache\archive-v0\Ab3x"),
    ],
)
def test_a_run_by_uvx_is_written_as_a_run_by_uvx(platform: str, prefix: str) -> None:
    place = here(platform, prefix)
    assert find_launcher(place) == Launcher(TOOLS["uvx"], ("mcp-remote-bridge",))
    from_source = here(platform, prefix, source="file:///src", tools={"uv": "/bin/uv"})
    words = ("tool", "run", "--from", "file:///src", "mcp-remote-bridge")
    assert find_launcher(from_source) == Launcher("/bin/uv", words)
    with pytest.raises(UsageError, match="no program uvx"):
        find_launcher(here(platform, prefix, tools={}))


@pytest.mark.parametrize(
    ("platform", "prefix"),
    [
        (LINUX, "/home/me/.local/share/pipx/.cache/0a1b2c"),
        (LINUX, "/home/me/.cache/pipx/0a1b2c"),
        (MAC, "/Users/me/Library/Caches/pipx/0a1b2c"),
        (WINDOWS, r"C:\Users\me\AppData\Local\pipx\pipx\Cache\0a1b2c"),
    ],
)
def test_a_run_by_pipx_is_written_as_a_run_by_pipx(platform: str, prefix: str) -> None:
    assert find_launcher(here(platform, prefix)) == Launcher("/usr/bin/pipx", ("run", "mcp-remote-bridge"))
    words = ("run", "--spec", "git+https://x.example/r", "mcp-remote-bridge")
    assert find_launcher(here(platform, prefix, source="git+https://x.example/r")) == Launcher("/usr/bin/pipx", words)
    with pytest.raises(UsageError, match="no program pipx"):
        find_launcher(here(platform, prefix, tools={}))


def test_homebrew_is_started_by_the_link_without_a_version() -> None:
    prefix = "/opt/homebrew/Cellar/mcp-remote-bridge/1.2.3/libexec"
    place = here(MAC, prefix, "/opt/homebrew/bin/mcp-remote-bridge")
    assert find_launcher(place) == Launcher("/opt/homebrew/bin/mcp-remote-bridge")


def test_the_environment_of_a_project_is_warned_of() -> None:
    found = find_launcher(
        here(LINUX, "/home/me/code/x/.venv", "/v/bin/mcp-remote-bridge", scripts=("/v/bin",)),
    )
    assert found.command == "/v/bin/mcp-remote-bridge"
    assert "virtual environment /home/me/code/x/.venv" in found.warning


def test_a_systems_python_has_the_program_among_its_scripts_or_those_of_the_user() -> None:
    user = "/home/me/.local/bin"
    place = here(LINUX, "/usr", f"{user}/mcp-remote-bridge", scripts=("/usr/bin", user), is_system=True)
    assert find_launcher(place) == Launcher(f"{user}/mcp-remote-bridge")


def test_what_is_not_installed_is_told() -> None:
    with pytest.raises(UsageError, match=r"mcp-remote-bridge is not installed.*with pipx"):
        find_launcher(here(LINUX, "/home/me/x/.venv", scripts=("/home/me/x/.venv/bin",)))
    with pytest.raises(UsageError, match=r"mcp-remote-bridge\.exe is not installed"):
        find_launcher(here(WINDOWS, r"C:\x", scripts=(r"C:\x\Scripts",)))


@pytest.mark.parametrize(
    ("platform", "folder", "program"),
    [
        (LINUX, "/tmp/x/bin", "/tmp/x/bin/mcp-remote-bridge"),
        (
            WINDOWS,
            r"C:\Users\me\AppData\Local\Temp\x\Scripts",
            r"C:\Users\me\AppData\Local\Temp\x\Scripts\mcp-remote-bridge.exe",
        ),
    ],
)
def test_a_folder_of_temporary_files_is_refused(platform: str, folder: str, program: str) -> None:
    with pytest.raises(UsageError, match="temporary"):
        find_launcher(here(platform, folder, program, scripts=(folder,)))


def test_a_home_in_a_folder_of_temporary_files_is_a_home() -> None:
    program = "/tmp/h/bin/mcp-remote-bridge"
    place = here(LINUX, "/tmp/h/v", program, scripts=("/tmp/h/bin",), home="/tmp/h")
    assert find_launcher(place).command == program


def test_here_the_program_is_found() -> None:
    found = find_launcher(surroundings())
    assert Path(found.command).is_absolute()
    assert Path(found.command).name.startswith("mcp-remote-bridge")
    assert Path(found.command).is_relative_to(sys.prefix)
