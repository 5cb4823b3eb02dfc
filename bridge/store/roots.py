r"""Where the files of this user are: one table for every system.

| system | data: secrets, locks, logins | cache: eras, answers | source |
|---|---|---|---|
| Linux | `$XDG_DATA_HOME` or `~/.local/share` | `$XDG_CACHE_HOME` or `~/.cache` | XDG Base Directory Specification |
| macOS | `~/Library/Application Support` | `~/Library/Caches` | Apple, File System Programming Guide |
| Windows | `%USERPROFILE%\.mcp-remote-bridge` | `cache` in that | below |

On Linux and macOS a folder `mcp-remote-bridge` in the one named. The bridge keeps a log only where `--log-file` says.

**Windows: not in AppData.** What a packaged app (MSIX) creates under AppData, and so does every process that it starts,
goes to a private folder of the package, and nobody else sees it (Microsoft, *Understanding how packaged desktop apps
run on Windows*). Claude Desktop is such an app, and so is the Python of the Microsoft Store. The keyring is the same
for all. With markers under AppData there would be two stores beside one keyring, and each would remove from it what
the other's markers name. Only AppData is virtualized (Microsoft, `virtualization:FileSystemWriteVirtualization`), so
the folder is in the profile itself, as those of many tools are.

| where the profile | what follows |
|---|---|
| is backed up by OneDrive | nothing: that takes Desktop, Documents and Pictures |
| has redirected folders | nothing: the profile itself can be none (`Win32_FolderRedirectionUserConfiguration`) |
| roams | the folder goes along, as the keyring's entries do (`CRED_PERSIST_ENTERPRISE`) |

Earlier versions kept all of it under AppData. What is left there is found by `former_roots`, see `store/migration`.

**macOS: as ever.** An app in the App Sandbox gives what it starts a home of its own, but no known host of MCP servers
is in it: in there it could not start a command that the user names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bridge import PROGRAM

"""What the bridge's folders, and its entries in a keyring, are called."""

# The packages that had a copy of earlier versions' files: how their folders' names begin, in `Packages` of AppData.
# What follows is the publisher's digest, which need not stay as it is.
_PACKAGES = ("Claude_", "PythonSoftwareFoundation.Python.")

_CSIDL_PROFILE = 0x28
_LONGEST_PATH = 32768


def data_root(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what has to be kept; relative where the user has no home. `system` as in `sys.platform`."""
    if system == "win32":
        return _profile(environ) / f".{PROGRAM}"
    return _plain_folder(system, environ, "XDG_DATA_HOME", ".local/share") or _platform_folder("user_data_path")


def cache_root(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what may be lost at any time; relative where the user has no home."""
    if system == "win32":
        return data_root(system, environ) / "cache"
    return _plain_folder(system, environ, "XDG_CACHE_HOME", ".cache") or _platform_folder("user_cache_path")


def former_roots(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The folders there are of earlier versions: AppData's own first, then the packages' copies. None but on Windows.

    In each, secrets, locks and logins lie as they do today, and the cache is in `Cache`.
    """
    if system != "win32":
        return ()
    home = _profile(environ) / "AppData" / "Local"
    bases = dict.fromkeys((Path(environ.get("LOCALAPPDATA") or home), home))
    found = [base / PROGRAM for base in bases]
    for base in bases:
        packages = base / "Packages"
        found += [packages / name / "LocalCache" / "Local" / PROGRAM for name in _packages(packages)]
    return tuple(folder for folder in found if folder.is_absolute() and folder.is_dir())


def _packages(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.startswith(_PACKAGES))
    except OSError:
        return []


def _profile(environ: Mapping[str, str]) -> Path:
    """The user's profile on Windows.

    Not by HOMEDRIVE and HOMEPATH, as `Path.home` would have it without USERPROFILE: where an administrator assigned a
    home folder these name that, which is another one.
    """
    named = Path(environ.get("USERPROFILE", ""))
    return named if named.is_absolute() else Path(_profile_by_system())


def _profile_by_system() -> str:
    """As Windows itself knows it; empty where it does not say."""
    import ctypes

    windll = getattr(ctypes, "windll", None)
    if windll is None:
        return ""
    buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
    failed = windll.shell32.SHGetFolderPathW(None, _CSIDL_PROFILE, None, 0, buffer)
    return "" if failed else buffer.value


def _platform_folder(kind: str) -> Path:
    import platformdirs

    folder = getattr(platformdirs, kind)(PROGRAM, appauthor=False)
    return Path(folder)


def _plain_folder(system: str, environ: Mapping[str, str], variable: str, below_home: str) -> Path | None:
    """The folder where it goes without saying, as platformdirs has it, whose import costs 5 ms; None where it does not.

    That is on Linux, with an absolute path in the variable, or in HOME and none in the variable.
    """
    base, home = environ.get(variable, ""), environ.get("HOME", "")
    if system != "linux" or "ANDROID_DATA" in environ:
        return None
    if base.startswith("/"):
        return Path(base, PROGRAM)
    return Path(home, below_home, PROGRAM) if home.startswith("/") else None
