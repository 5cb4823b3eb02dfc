"""What the store's tests share."""

import os
from pathlib import Path

import pytest

from tests.store.rings import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def private_home(tmp_path: Path) -> dict[str, str]:
    """The variables of a process whose home is empty, and which finds no desktop session."""
    paths = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {name: str(tmp_path / "home") for name in paths}
