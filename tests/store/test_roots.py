"""Where the files are on each system: the rows of the table."""

import os
import sys
from pathlib import Path

import pytest

from bridge.store import roots
from bridge.store.roots import cache_root, config_root, data_root, former_roots
from tests.store.packaged import PACKAGE, Profile


def test_windows_has_it_in_the_profile_and_not_in_appdata(tmp_path: Path) -> None:
    environ = {"USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path / "AppData" / "Local")}
    environ |= {"HOME": "/elsewhere", "HOMEDRIVE": "/", "HOMEPATH": "share", "XDG_DATA_HOME": "/xdg"}
    assert data_root("win32", environ) == tmp_path / ".mcp-remote-bridge"
    assert cache_root("win32", environ) == tmp_path / ".mcp-remote-bridge" / "cache"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [None, "", "relative"])
def test_a_host_that_passes_no_profile_on_leads_to_the_one_that_windows_knows(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the home folder that an administrator assigned, which HOMEPATH names."""
    monkeypatch.setattr(roots, "_profile_by_system", lambda: str(tmp_path))
    environ = {"HOMEDRIVE": "/", "HOMEPATH": "share"} | ({} if named is None else {"USERPROFILE": named})
    assert data_root("win32", environ) == tmp_path / ".mcp-remote-bridge"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows it")
def test_without_a_profile_the_folder_is_not_an_absolute_one() -> None:
    """Then nothing is made anywhere, see `make_private`."""
    assert not data_root("win32", {}).is_absolute()
    assert former_roots("win32", {}) == ()


def test_earlier_versions_files_are_found_in_appdata_and_in_the_packages(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    assert former_roots("win32", profile.environ) == ()
    python = profile.local / "Packages" / "PythonSoftwareFoundation.Python.3.13_qbz5n2kfra8p0" / "LocalCache" / "Local"
    other = profile.local / "Packages" / "Microsoft.WindowsTerminal_8wekyb3d8bbwe" / "LocalCache" / "Local"
    expected = [base / "mcp-remote-bridge" for base in (profile.local, profile.package / "Local", python)]
    for folder in (*expected, other / "mcp-remote-bridge"):
        folder.mkdir(parents=True)
    assert list(former_roots("win32", profile.environ)) == expected
    assert list(former_roots("win32", {"USERPROFILE": str(tmp_path)})) == expected
    assert PACKAGE in str(expected[1])


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_elsewhere_it_was_never_in_another_folder(system: str, tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    (profile.local / "mcp-remote-bridge").mkdir()
    assert former_roots(system, profile.environ) == ()


def test_macos_has_it_where_it_always_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    for name in ("HOME", "USERPROFILE"):  # Which of them counts depends on the system that the test runs on.
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    from platformdirs.macos import MacOS

    for kind in ("user_data_path", "user_cache_path"):
        monkeypatch.setattr(
            platformdirs, kind, lambda name, appauthor, kind=kind: getattr(MacOS(name, appauthor=appauthor), kind)
        )
    assert data_root("darwin", os.environ) == tmp_path / "Library" / "Application Support" / "mcp-remote-bridge"
    assert cache_root("darwin", os.environ) == tmp_path / "Library" / "Caches" / "mcp-remote-bridge"


def test_the_configuration_is_with_the_data_but_for_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"HOME": "/home/me", "XDG_CONFIG_HOME": "/xdg"}
    assert config_root("linux", named) == Path("/xdg/mcp-remote-bridge")
    assert config_root("linux", {"HOME": "/home/me"}) == Path("/home/me/.config/mcp-remote-bridge")
    assert config_root("win32", {"USERPROFILE": str(tmp_path)}) == tmp_path / ".mcp-remote-bridge"
    monkeypatch.setattr(roots, "_platform_folder", lambda kind: Path("/Users/me") / kind)
    assert config_root("darwin", named) == data_root("darwin", named) == Path("/Users/me/user_data_path")
