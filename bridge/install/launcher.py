"""Which command a host's entry holds: one that still works after a reboot, and for programs started from a dock.

So it is an absolute path, because a program that was started from a dock or the Start menu has another PATH than a
terminal, and it is a path that no tool removes or renames by itself.

| the bridge runs from | how that is known | the command |
|---|---|---|
| a cache of `uvx` | a folder of uv's cache in the path | `uvx`, by its path, with the package |
| a cache of `pipx run` | a folder of pipx's cache in the path | `pipx run`, by its path, with the package |
| `pipx install` | `pipx_metadata.json` | the link in pipx's folder of programs; else the program itself |
| `uv tool install` | `uv-receipt.toml` | the link in uv's folder of programs; else the program itself |
| Homebrew | `Cellar` in the path, which has the version in it | the link in Homebrew's `bin` |
| another virtual environment | `prefix` is not `base_prefix` | the program in it, and a warning |
| a system's or user's Python | | the program in the folder of scripts |

Sources: pipx (`paths.py`, `pipx_metadata_file.py`, `venv.py`), uv (docs: Storage, Tools), Homebrew (Formula Cookbook).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import msgspec

from bridge import PROGRAM
from bridge.errors import UsageError

_HOW = "Install it with pipx or with uv tool, as README says."
_CACHE_NAMES = frozenset({".cache", "cache", "caches"})
_UV_CACHES = ("archive-v", "builds-v", "environments-v")


class Surroundings(msgspec.Struct, frozen=True):
    """Where this process runs, as the system tells it; paths are texts of `platform` (`sys.platform`).

    `scripts` are the folders in which installers put programs, the likeliest first. `source` is the URL from which the
    package was installed, where it was no index (PEP 610). `temporary` are the folders of temporary files.
    """

    platform: str
    prefix: str
    base_prefix: str
    home: str
    environ: Mapping[str, str]
    scripts: Sequence[str]
    is_file: Callable[[str], bool]
    which: Callable[[str], str | None]
    source: str = ""
    temporary: Sequence[str] = ()

    def path(self, *parts: str) -> PurePath:
        """A path of this system."""
        return (PureWindowsPath if self.platform == "win32" else PurePosixPath)(*parts)

    @property
    def program(self) -> str:
        """The name of the program's file."""
        return f"{PROGRAM}.exe" if self.platform == "win32" else PROGRAM


class Launcher(msgspec.Struct, frozen=True):
    """The command, and the arguments before the bridge's own. `warning` says when it would stop working."""

    command: str
    arguments: tuple[str, ...] = ()
    warning: str = ""


def find_launcher(here: Surroundings) -> Launcher:
    """The command for a host's entry. Raises `UsageError` where there is none that lasts."""
    prefix = here.path(here.prefix)
    for names_it, make in _KINDS:
        if names_it(here, prefix):
            return _lasting(here, make(here, prefix))
    raise AssertionError("the last kind takes all")


def _is_uv_cache(_: Surroundings, prefix: PurePath) -> bool:
    return any(part.startswith(_UV_CACHES) for part in prefix.parts)


def _is_pipx_cache(_: Surroundings, prefix: PurePath) -> bool:
    parts = [part.lower() for part in prefix.parts]
    return "pipx" in parts and not _CACHE_NAMES.isdisjoint(parts)


def _is_pipx(here: Surroundings, prefix: PurePath) -> bool:
    return here.is_file(str(prefix / "pipx_metadata.json"))


def _is_uv_tool(here: Surroundings, prefix: PurePath) -> bool:
    return here.is_file(str(prefix / "uv-receipt.toml"))


def _is_homebrew(_: Surroundings, prefix: PurePath) -> bool:
    return "Cellar" in prefix.parts


def _is_venv(here: Surroundings, _: PurePath) -> bool:
    return here.prefix != here.base_prefix


def _uvx(here: Surroundings, _: PurePath) -> Launcher:
    package = ("--from", here.source, PROGRAM) if here.source else (PROGRAM,)
    if uvx := here.which("uvx"):
        return Launcher(uvx, package)
    if uv := here.which("uv"):
        return Launcher(uv, ("tool", "run", *package))
    raise _not_installed("uvx")


def _pipx_run(here: Surroundings, _: PurePath) -> Launcher:
    package = ("--spec", here.source, PROGRAM) if here.source else (PROGRAM,)
    if pipx := here.which("pipx"):
        return Launcher(pipx, ("run", *package))
    raise _not_installed("pipx")


def _pipx_link(here: Surroundings, prefix: PurePath) -> Launcher:
    return _link(here, prefix, here.environ.get("PIPX_BIN_DIR", ""))


def _uv_link(here: Surroundings, prefix: PurePath) -> Launcher:
    data = here.environ.get("XDG_DATA_HOME", "")
    beside_data = str(here.path(data).parent / "bin") if data else ""
    return _link(here, prefix, here.environ.get("UV_TOOL_BIN_DIR") or here.environ.get("XDG_BIN_HOME") or beside_data)


def _link(here: Surroundings, prefix: PurePath, folder: str) -> Launcher:
    """The link in the tool's folder of programs, by default `~/.local/bin`, which stays when the tool updates."""
    link = str(here.path(folder or str(here.path(here.home, ".local", "bin"))) / here.program)
    return Launcher(link) if here.is_file(link) else _script(here, prefix)


def _homebrew(here: Surroundings, prefix: PurePath) -> Launcher:
    link = str(here.path(*prefix.parts[: prefix.parts.index("Cellar")]) / "bin" / here.program)
    return Launcher(link) if here.is_file(link) else _script(here, prefix)


def _venv(here: Surroundings, prefix: PurePath) -> Launcher:
    found = _script(here, prefix)
    return Launcher(
        found.command,
        warning=f"The bridge is installed in the virtual environment {prefix}: the entry stops working if you remove "
        f"or move that. {_HOW}",
    )


def _script(here: Surroundings, _: PurePath) -> Launcher:
    for folder in here.scripts:
        program = str(here.path(folder) / here.program)
        if here.is_file(program):
            return Launcher(program)
    raise UsageError(f"The program {here.program} is not installed, so a host could not start it.", hint=_HOW)


def _lasting(here: Surroundings, found: Launcher) -> Launcher:
    """`found`, unless it is in a folder of temporary files, which the system empties. A home there is for a test."""
    command = here.path(found.command)
    for folder in here.temporary:
        if command.is_relative_to(folder) and not here.path(here.home).is_relative_to(folder):
            raise UsageError(
                f"The bridge runs from a folder of temporary files ({command}), so a host could not start it later.",
                hint=_HOW,
            )
    return found


def _not_installed(tool: str) -> UsageError:
    return UsageError(
        f"The bridge runs from a cache of {tool}, and there is no program {tool} on PATH that a host could start.",
        hint=_HOW,
    )


_Kind = tuple[Callable[[Surroundings, PurePath], bool], Callable[[Surroundings, PurePath], Launcher]]

# The caches come first: what they hold may have the marks of an installation too.
_KINDS: tuple[_Kind, ...] = (
    (_is_uv_cache, _uvx),
    (_is_pipx_cache, _pipx_run),
    (_is_pipx, _pipx_link),
    (_is_uv_tool, _uv_link),
    (_is_homebrew, _homebrew),
    (_is_venv, _venv),
    (lambda _here, _prefix: True, _script),
)


def surroundings() -> Surroundings:
    """Where this process runs."""
    import os
    import shutil
    import sys
    import sysconfig
    import tempfile
    from pathlib import Path

    schemes = (sysconfig.get_default_scheme(), f"{os.name}_user")
    folders = [sysconfig.get_path("scripts", scheme) for scheme in schemes if scheme in sysconfig.get_scheme_names()]
    return Surroundings(
        platform=sys.platform,
        prefix=sys.prefix,
        base_prefix=sys.base_prefix,
        home=str(Path.home()),
        environ=os.environ,
        scripts=folders,
        is_file=lambda path: Path(path).is_file(),
        which=lambda name: _absolute(shutil.which(name)),
        source=_source(),
        temporary=tuple({tempfile.gettempdir(), *(("/tmp", "/var/tmp") if os.name == "posix" else ())}),  # noqa: S108
    )


def _absolute(path: str | None) -> str | None:
    import os

    return None if path is None else os.path.abspath(path)  # noqa: PTH100 - links stay as they are


def _source() -> str:
    """The URL that the package was installed from; empty where that was an index."""
    import json
    from importlib import metadata

    try:
        told = metadata.distribution(PROGRAM).read_text("direct_url.json")
        found = json.loads(told) if told else {}
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return ""
    url = found.get("url") if isinstance(found, dict) else None
    if not isinstance(url, str):
        return ""
    vcs = found.get("vcs_info")
    return f"{vcs['vcs']}+{url}" if isinstance(vcs, dict) and isinstance(vcs.get("vcs"), str) else url
