"""Where the store's files are on each platform, and what a store key may look like."""

import sys
from pathlib import Path

import platformdirs
import pytest

from bridge import PROGRAM
from bridge.store.errors import StoreError
from bridge.store.paths import StorePaths, check_key, make_private, platform_cache, platform_paths


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_linux_has_it_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert platform_paths() == StorePaths(tmp_path / "mcp-remote-bridge")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = platform_paths()
    assert paths.credentials == tmp_path / ".local/share/mcp-remote-bridge/credentials"
    assert paths.locks == tmp_path / ".local/share/mcp-remote-bridge/locks"
    assert list(tmp_path.iterdir()) == []


PLATFORMDIRS = (platformdirs.user_data_path, platformdirs.user_cache_path)
FOLDERS = ("", "/", "/data", "/data/", "/a//b", "/a/../b", " /data", "data", "~/data", "/has space", "/\u00e9")


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
@pytest.mark.parametrize("base", [*FOLDERS, None])
def test_linux_has_the_folders_that_platformdirs_names(base: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = {}, {}
    for home in (*FOLDERS, None):
        for name, value in (("XDG_DATA_HOME", base), ("XDG_CACHE_HOME", base), ("HOME", home)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        ours[home] = platform_paths().root, platform_cache()
        theirs[home] = tuple(find(PROGRAM, appauthor=False) for find in PLATFORMDIRS)
    assert ours == theirs


@pytest.mark.parametrize("key", ["tokens-0123456789abcdef", "client-" + "a" * 128])
def test_a_slot(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        *("", "-0123456789abcdef", "tokens_0123456789abcdef", "tokens-0123456789abcde", "tokens-" + "a" * 129),
        *("tokens-0123456789abcdef\n", "tokens-0123456789abcdeg", "TOKENS-0123456789abcdef", "a/b-0123456789abcdef"),
    ],
)
def test_not_a_slot(key: str) -> None:
    with pytest.raises(ValueError, match="hex digits"):
        check_key(key)


def test_without_a_home_folder_nothing_is_made_where_the_bridge_happens_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="no home folder"):
        make_private(Path("~/.local/share/mcp-remote-bridge"))
    assert list(tmp_path.iterdir()) == []
