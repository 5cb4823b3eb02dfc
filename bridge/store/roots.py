r"""Where the files of this user are: one table for every system.

| system | data: secrets, locks, logins | cache: eras, answers | the user's configuration | source |
|---|---|---|---|---|
| Linux | `$XDG_DATA_HOME`, `~/.local/share` | `$XDG_CACHE_HOME`, `~/.cache` | `$XDG_CONFIG_HOME`, `~/.config` | (1) |
| macOS | `~/Library/Application Support` | `~/Library/Caches` | as data | (2) |
| Windows | `%USERPROFILE%\.mcp-remote-bridge` | `cache` in that | as data | below |

(1) XDG Base Directory Specification. (2) Apple, File System Programming Guide, which has support files of every kind
in Application Support; Preferences is for the system's own format.

On Linux and macOS this is a folder `mcp-remote-bridge` in the one named. The bridge writes a log only to `--log-file`.

**Windows: not in AppData.** What a packaged app (MSIX), or a process that it starts, creates under AppData goes to a
private folder of the package, which no other program sees (Microsoft, *Understanding how packaged desktop apps run on
Windows*). Claude Desktop is such an app, and so is the Python of the Microsoft Store. The keyring is the same for all.
With markers under AppData there would be two stores for one keyring, and each would remove from it what the other's
markers name. Only AppData is virtualized (Microsoft, `virtualization:FileSystemWriteVirtualization`), so the folder is
in the profile itself, as those of many tools are.

| where the profile | what follows |
|---|---|
| is backed up by OneDrive | nothing: OneDrive takes Desktop, Documents and Pictures |
| has redirected folders | nothing: the profile is never one of them (`Win32_FolderRedirectionUserConfiguration`) |
| roams | the folder roams too, as the keyring's entries do (`CRED_PERSIST_ENTERPRISE`) |

Earlier versions stored everything under AppData. `former_roots` finds what is left there (`store/migration`).

**macOS: the usual folders.** An app in the App Sandbox gives the processes that it starts a home of their own, but no
known MCP host runs in it, because there it could not start a command that the user names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bridge import PROGRAM

# How the folders of packages that have copies of earlier versions' files begin, in `Packages` of AppData. The
# publisher's digest follows, which may change.
_PACKAGES = ("Claude_", "PythonSoftwareFoundation.Python.")

_CSIDL_PROFILE = 0x28
_LONGEST_PATH = 32768


def data_root(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of data to keep; relative where the user has no home. `system` is as in `sys.platform`."""
    if system == "win32":
        return _profile(environ) / f".{PROGRAM}"
    return _plain_folder(system, environ, "XDG_DATA_HOME", ".local/share") or _platform_folder("user_data_path")


def cache_root(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of data that may be lost at any time; relative where the user has no home."""
    if system == "win32":
        return data_root(system, environ) / "cache"
    return _plain_folder(system, environ, "XDG_CACHE_HOME", ".cache") or _platform_folder("user_cache_path")


def config_root(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what the user configures; relative where the user has no home."""
    if system in ("win32", "darwin"):
        return data_root(system, environ)
    return _plain_folder(system, environ, "XDG_CONFIG_HOME", ".config") or _platform_folder("user_config_path")


def former_roots(system: str = sys.platform, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The folders of earlier versions that exist: first AppData's own, then the packages' copies. Windows only.

    Secrets, locks and logins are in each as they are today; the cache is in `Cache`.
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

    HOMEDRIVE and HOMEPATH, which `Path.home` uses without USERPROFILE, are not used: where an administrator assigned a
    home folder, they name that one.
    """
    named = Path(environ.get("USERPROFILE", ""))
    return named if named.is_absolute() else Path(_profile_by_system())


def _profile_by_system() -> str:
    """The profile as Windows knows it; empty where it does not tell."""
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
    """The folder that platformdirs would return, without its import, which costs 5 ms; None where that is needed.

    It is not needed on Linux, with an absolute path in the variable, or with no variable and one in HOME.
    """
    base, home = environ.get(variable, ""), environ.get("HOME", "")
    if system != "linux" or "ANDROID_DATA" in environ:
        return None
    if base.startswith("/"):
        return Path(base, PROGRAM)
    return Path(home, below_home, PROGRAM) if home.startswith("/") else None
