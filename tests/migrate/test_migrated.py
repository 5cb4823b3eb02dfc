"""The record of the last migration."""

import stat
import sys
from pathlib import Path

import pytest

from bridge.migrate.migrated import LastMigration, MigratedEntry, MigratedFile, Migration, digest_of
from bridge.store.errors import StoreError
from bridge.store.paths import StorePaths

ENTRY = MigratedEntry(("mcpServers", "a"), {"command": "npx", "args": ["hush"]}, {"command": "ours"})
FILE = MigratedFile("Cursor", "/home/me/.cursor/mcp.json", digest_of(b"a"), digest_of(b"b"), "/backup", (ENTRY,))


def test_what_is_written_is_read_again_until_it_is_forgotten(tmp_path: Path) -> None:
    last = LastMigration(StorePaths(tmp_path))
    migration = Migration().with_file(FILE, ["one"]).with_file(FILE, ["one", "two"])

    assert last.read() is None
    last.write(migration)
    assert last.read() == migration
    assert migration.secrets == ("one", "two")
    last.forget()
    assert last.read() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    last = LastMigration(StorePaths(tmp_path))
    last.write(Migration(files=(FILE,)))

    assert stat.S_IMODE(last.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(last.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"{}x", b"[]", b'{"format": 2}', b"\xff"])
def test_a_damaged_record_is_an_error_and_stays(tmp_path: Path, content: bytes) -> None:
    last = LastMigration(StorePaths(tmp_path))
    last.write(Migration())
    last.path.write_bytes(content)

    with pytest.raises(StoreError, match="damaged"):
        last.read()
    assert last.path.read_bytes() == content


def test_no_secret_is_in_its_repr() -> None:
    assert "hush" not in repr(Migration(files=(FILE,)))
