"""The bridge as it is installed here, put into a bundle: as a wheel, or as a folder with all packages that it needs.

| form | what is taken |
|---|---|
| a wheel | the files of the package `bridge`, and what the installation says of it (its metadata, its licence) |
| a folder | the same, and every file of the installed packages that the bridge requires, directly or not |

A wheel is `binary distribution format` of the Python Packaging User Guide: a zip archive with a `RECORD` of its files.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import bridge
from bridge import PROGRAM, __version__
from bridge.bundle.archive import archive
from bridge.bundle.templates import filled
from bridge.errors import BridgeError

_NAME = PROGRAM.replace("-", "_")
_INFO = f"{_NAME}-{__version__}.dist-info"
_KEPT_METADATA = ("METADATA", "entry_points.txt")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)([^;]*)(?:;(.*))?")

WHEEL_NAME = f"{_NAME}-{__version__}-py3-none-any.whl"
"""The file name of the bridge's wheel."""


def own_wheel() -> bytes:
    """The wheel of the bridge that runs. Raises `BridgeError` where it is not installed."""
    files = {**_package_files(), **_metadata_files(_own())}
    files[f"{_INFO}/WHEEL"] = filled("wheel", program=PROGRAM, version=__version__)
    rows = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in sorted(files.items())]
    files[f"{_INFO}/RECORD"] = "\n".join([*rows, f"{_INFO}/RECORD,,", ""]).encode()
    return archive(files)


def own_folder() -> dict[str, bytes]:
    """The bridge and all packages that it needs, as files of a folder that `PYTHONPATH` can name.

    Raises `BridgeError` where the bridge is not installed.
    """
    own = _own()
    files = {**_package_files(), **_metadata_files(own)}
    for package in _required(own):
        for name, path in _files_of(package):
            files.setdefault(name, path.read_bytes())
    return files


def _own() -> metadata.Distribution:
    try:
        return metadata.distribution(PROGRAM)
    except metadata.PackageNotFoundError:
        raise BridgeError(
            "A bundle is made of the installed program, and this one runs without being installed.",
            hint="Install it first: in the project's folder, pipx install .",
        ) from None


def _package_files() -> dict[str, bytes]:
    folder = Path(bridge.__file__).parent
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".pyo"))
    return {f"{folder.name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in found}


def _metadata_files(own: metadata.Distribution) -> dict[str, bytes]:
    texts = {name: own.read_text(name) for name in _KEPT_METADATA}
    files = {f"{_INFO}/{name}": text.encode() for name, text in texts.items() if text is not None}
    for name, path in _files_of(own):
        if "/licenses/" in name:
            files[f"{_INFO}/licenses/{name.partition('/licenses/')[2]}"] = path.read_bytes()
    return files


def _required(first: metadata.Distribution) -> Iterator[metadata.Distribution]:
    """The installed packages that one requires, and those that they require, each once.

    One that is required on other systems only is not installed, and one of an extra was not asked for.
    """
    seen, waiting = {_plain(PROGRAM)}, [first]
    while waiting:
        for requirement in waiting.pop().requires or ():
            read = _REQUIREMENT.match(requirement)
            if read is None or "extra" in (read[3] or "") or (name := _plain(read[1])) in seen:
                continue
            seen.add(name)
            try:
                found = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue
            waiting.append(found)
            yield found


def _files_of(package: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Each file of a package that lies where it is imported from: its path there, and the file."""
    for file in package.files or ():
        path = Path(str(package.locate_file(file)))
        # What lies elsewhere is a program or its manual.
        if ".." in file.parts or file.is_absolute() or file.suffix in (".pyc", ".pth") or not path.is_file():
            continue
        yield file.as_posix(), path


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
