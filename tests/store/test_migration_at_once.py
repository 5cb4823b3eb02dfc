"""Bridges on Windows that start at once, in Claude's package and outside of it, as whole processes."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import PROGRAM
from bridge.oauth.record import encode, tokens_key
from bridge.store.disk import DiskStore
from bridge.store.file import PrivateFiles
from bridge.store.paths import StorePaths
from bridge.store.roots import data_root, former_roots
from bridge.store.system import KeyringEntries
from tests.oauth.samples import record
from tests.store.machine import made_older
from tests.store.packaged import Profile
from tests.store.rings import SLOT, FolderRing
from tests.support.waits import stretched

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name != "posix", reason="a view made of POSIX calls")]

RUN = """
import asyncio, contextlib, json, os, sys
from pathlib import Path
from tests.store.packaged import Profile, packaged
from tests.store.rings import SLOT, FolderRing
from bridge.oauth.record import encode, tokens_key
from bridge.store.disk import DiskStore
from bridge.store.file import PrivateFiles
from bridge.store.paths import StorePaths
from bridge.store.roots import data_root, former_roots
from bridge.store.system import KeyringEntries

async def main(work):
    places = StorePaths(data_root("win32", os.environ), former_roots("win32", os.environ))
    ring = FolderRing(Path(work["ring"]))
    store = DiskStore("auto", places, KeyringEntries(lambda: ring, lambda _: None), lambda _: None)
    print("ready", flush=True)
    sys.stdin.readline()
    async with store.locked(SLOT, 60):
        before = await store.load(SLOT) or b""
        await store.save(SLOT, before + work["new"].encode())
    print(before.decode())

work = json.loads(sys.argv[1])
view = packaged(Profile(Path(os.environ["USERPROFILE"]))) if work["packaged"] else contextlib.nullcontext()
with view:
    asyncio.run(main(work))
"""


COMMAND = """
import contextlib, os, sys
from pathlib import Path
from tests.store.packaged import Profile, packaged

# Only where the files are is decided as on Windows: all else has to run here.
here, sys.platform = sys.platform, "win32"
import bridge.store.roots
sys.platform = here
from bridge.cli.main import main

profile = Profile(Path(os.environ["USERPROFILE"]))
with packaged(profile) if sys.argv.pop(1) == "the package" else contextlib.nullcontext():
    main()
"""


def test_the_commands_find_what_was_kept_wherever_they_are_run(tmp_path: Path) -> None:
    """The user signed in from Claude's package, with an earlier version: a terminal finds it, and the package again."""
    profile = Profile(tmp_path)
    kept = record(userinfo_endpoint=None)
    key = tokens_key(kept.server, "", "", "default")
    PrivateFiles(profile.package / "Local" / PROGRAM / "credentials").write(f"{key}.secret", encode(kept))
    environ = {**os.environ, **profile.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def command(where: str, *words: str) -> str:
        line = [sys.executable, "-c", COMMAND, where, *words]
        return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=stretched(60)).stdout

    for where in ("a terminal", "the package"):
        rows = json.loads(command(where, "status", "--json"))["servers"]
        [row] = [row for row in rows if row["server"] == kept.server]  # Beside other bridges that run here.
        assert not list(profile.local.rglob("*.secret"))
        assert Path(row["kept_in"]).parent == tmp_path / ".mcp-remote-bridge" / "credentials"


def running(work: dict[str, object], environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, json.dumps(work)]
    return subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_bridges_that_start_at_once_take_it_over_once_and_lose_nothing(tmp_path: Path) -> None:
    """Whole processes, half of them in the package, with one keyring: each renews what the one before it saved."""
    (tmp_path / "home").mkdir()
    profile, ring = Profile(tmp_path / "home"), FolderRing(tmp_path / "ring")
    for folder, value in ((profile.local, b"older"), (profile.package / "Local", b"newer")):
        store = DiskStore(
            "auto", StorePaths(folder / PROGRAM), KeyringEntries(lambda: ring, lambda _: None), lambda _: None
        )
        await store.save(SLOT, value)
        if value == b"older":
            made_older(folder / PROGRAM)
    environ = {**os.environ, **profile.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with contextlib.ExitStack() as stack:
        started: list[subprocess.Popen[str]] = []
        for number in range(4):
            work = {"ring": str(tmp_path / "ring"), "packaged": number % 2 == 1, "new": str(number)}
            started.append(stack.enter_context(running(work, environ)))
            stack.callback(started[-1].kill)
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=stretched(60))[0].strip() for process in started]
    paths = StorePaths(data_root("win32", profile.environ), former_roots("win32", profile.environ))
    store = DiskStore("auto", paths, KeyringEntries(lambda: ring, lambda _: None), lambda _: None)
    last = await store.load(SLOT)
    assert last is not None
    # A chain: each found what the one before it had saved.
    assert sorted(said, key=len) == [last.decode()[:length] for length in range(5, 9)]
    assert sorted(last.decode()[5:]) == list("0123")
    assert last.startswith(b"newer")
    assert not list(profile.local.rglob("credentials/*"))
    assert len(list((tmp_path / "ring").iterdir())) == 1
