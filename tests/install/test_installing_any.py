"""Entries of several hosts' files, installed and uninstalled in any order: the file is as it was before the first."""

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from bridge.install import installed
from bridge.install.installed import Installed
from bridge.install.installing import backups, plan_entry, plan_removal, remove, write
from bridge.inventory.entry_shapes import Launch
from bridge.inventory.host_table import HOSTS_BY_KEY
from tests.install.host_files import file_of
from tests.support.examples import examples

NAMES = ("a", "b", "c")
STEPS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=7)
"""Each step installs the entry of that name, or uninstalls it where it is there."""


@examples(20)
@given(
    key=st.sampled_from(["cursor", "codex", "goose", "zed", "amp"]),
    content=st.sampled_from(["its own", "empty", "missing"]),
    steps=STEPS,
    order=st.permutations(NAMES),
    loses_backups=st.booleans(),
)
def test_after_all_entries_went_the_file_is_as_it_was(
    key: str, content: str, steps: list[str], order: list[str], loses_backups: bool
) -> None:
    row = HOSTS_BY_KEY[key]
    with tempfile.TemporaryDirectory() as name, own_folders(Path(name) / "own"):
        path = Path(name) / f"file{Path(row.files['linux'][0].rstrip('}')).suffix}"
        before = None if content == "missing" else b"" if content == "empty" else file_of(key).encode()
        if before is not None:
            path.write_bytes(before)
        there: list[str] = []
        for step in steps:
            if step in there:
                uninstall(path, key, step)
                there.remove(step)
            else:
                write(plan_entry(row, path, step, Launch("mcp-remote-bridge", (f"https://{step}/",)), replaces=False))
                there.append(step)
            if loses_backups:
                for backup in backups().glob("*"):
                    backup.unlink()
        for step in order:
            if step in there:
                uninstall(path, key, step)
        after = path.read_bytes() if path.exists() else None
        if loses_backups and after is not None and before is not None:
            # Without the bytes from before, white space may be left.
            assert after.split() == before.split()
        else:
            assert after == before
        assert installed.load() == Installed()


def uninstall(path: Path, key: str, name: str) -> None:
    plan = plan_removal(HOSTS_BY_KEY[key], path, name)
    assert plan is not None
    remove(plan)


def own_folders(folder: Path) -> AbstractContextManager[object]:
    """The record and the backups are below `folder`."""
    variables = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    return patch.dict("os.environ", dict.fromkeys(variables, str(folder)))
