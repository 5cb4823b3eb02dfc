"""The bridge that runs, as a wheel and as a folder with all that it needs."""

import base64
import csv
import hashlib
import io
import re
import zipfile
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import pytest

from bridge import __version__
from bridge.bundle.own_packages import WHEEL_NAME, own_folder, own_wheel
from bridge.errors import BridgeError

ROOT = Path(__file__).resolve().parents[2]
INFO = f"mcp_remote_bridge-{__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(own_wheel()))


def test_a_wheel_has_every_file_of_the_program_and_no_bytecode(wheel: zipfile.ZipFile) -> None:
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bridge").rglob("*.py")}
    packed = {name for name in wheel.namelist() if name.startswith("bridge/")}
    assert packed == own | {
        "bridge/py.typed",
        *(f"bridge/bundle/{name}.txt" for name in ("program", "project", "wheel")),
    }


def test_the_record_of_a_wheel_has_the_digest_of_each_file(wheel: zipfile.ZipFile) -> None:
    rows = list(csv.reader(io.StringIO(wheel.read(f"{INFO}/RECORD").decode())))
    assert sorted(name for name, _, _ in rows) == sorted(wheel.namelist())
    for name, digest, size in rows[:-1]:
        content = wheel.read(name)
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert (digest, size) == (f"sha256={sha256}", str(len(content)))
    assert rows[-1] == [f"{INFO}/RECORD", "", ""]


def test_a_wheel_says_what_it_needs_and_how_it_is_started(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"{INFO}/METADATA").decode()
    assert f"\nName: mcp-remote-bridge\nVersion: {__version__}\n" in text
    assert "Requires-Dist: msgspec" in text
    assert "mcp-remote-bridge = bridge.cli.main:main" in wheel.read(f"{INFO}/entry_points.txt").decode()
    assert "Tag: py3-none-any" in wheel.read(f"{INFO}/WHEEL").decode()
    assert re.fullmatch(r"mcp_remote_bridge-[\d.]+-py3-none-any\.whl", WHEEL_NAME)


def test_a_folder_has_the_packages_that_are_needed_and_no_others() -> None:
    names = own_folder()
    tops = {name.partition("/")[0] for name in names}
    assert {"bridge", "msgspec", "httpx", "click", "h11", "anyio", "certifi", INFO} <= tops
    assert not {"pytest", "hypothesis", "ruff", "mypy", "mcp"} & tops
    # keyring finds its backends by their metadata.
    assert any(re.fullmatch(r"keyring-[\d.]+\.dist-info/entry_points\.txt", name) for name in names)
    assert not [name for name in names if ".." in name or name.endswith((".pyc", ".pth"))]


def test_a_program_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(BridgeError, match=r"without being installed.*pipx install \."):
        own_wheel()
