"""In which order the tests run, and which of them run in one process.

Tests that start whole programs take a second and more each; one that runs in process takes a few milliseconds. So the
former come first, each handed to whichever worker is free, and the latter follow a file at a time: at the end of a run
no worker waits long for another.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from xdist.scheduler import LoadGroupScheduling

ROOT = Path(__file__).parents[1]

MANY_EXAMPLES = (
    "tests/remote/test_against_httpx.py",
    "tests/remote/test_hostile.py",
    "tests/remote/test_large_bodies.py",
)
"""Files of tests that run in process, on many examples; those with `_any` in their names are others."""

STARTS_PROGRAMS = (
    *("tests/integration/", "tests/conformance/", "tests/hosts/", "tests/wire/", "tests/scripts/"),
    *(f"tests/cli/test_{name}.py" for name in ("callback", "commands", "login", "logout", "main", "status")),
    *(
        "tests/host/test_parent.py",
        "tests/host/test_stdio.py",
        "tests/login/test_spawn.py",
        "tests/migrate/test_real_mcp_remote.py",
        "tests/remote/test_memory.py",
    ),
    *("tests/store/test_locks.py", "tests/store/test_migration_at_once.py"),
)
"""The folders and files of tests that start programs: the bridge, servers, others' hosts and proxies, scripts."""

WHOLE_SIGN_INS = ("tests/app/test_oauth_", "tests/migrate/test_taking_over.py")
"""Files of tests that run whole sign-ins in process, 0.2 s of processor time each; `--fast` leaves them out too."""

TOGETHER = (
    *("tests/integration/test_oauth_addresses.py", "tests/integration/test_oidc_"),
    *("tests/integration/test_protected_reference.py", "tests/integration/test_provisional_features.py"),
    *("tests/integration/test_router_everything.py", "tests/integration/test_router_reference.py"),
)
"""Files whose tests share what takes seconds to start, so that one worker runs each file."""

SHARED_SERVERS = {
    "tests/integration/test_reference_calls.py": "reference servers",
    "tests/integration/test_reference_sessions.py": "reference servers",
    "tests/integration/test_reference_two_way.py": "reference servers",
    "tests/integration/test_everything_paths.py": "server-everything",
}
"""Files whose tests share servers that take a second to start: one worker runs them all, and starts each one once."""

SHARED_TREES = dict.fromkeys(
    (
        *("tests/protocol/test_mcp.py", "tests/scripts/test_messages.py", "tests/test_errors.py"),
        *("tests/test_imports.py", "tests/test_names.py", "tests/test_program_name.py"),
    ),
    "syntax trees",
)
"""Files whose tests look at all of `bridge/`: one worker runs them all, and parses it once (`scripts/syntax.py`)."""

SHARED = SHARED_SERVERS | SHARED_TREES


def starts_programs(nodeid: str) -> bool:
    """Whether a test starts whole programs."""
    return nodeid.startswith(STARTS_PROGRAMS)


def is_slow(nodeid: str) -> bool:
    """Whether `scripts/test.py --fast` leaves a test out, or all tests of a file."""
    return nodeid.startswith((*STARTS_PROGRAMS, *WHOLE_SIGN_INS))


def is_left_out(path: Path) -> bool:
    """Whether `--fast` leaves out all that is in this file or folder, so that it need not be read."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    return is_slow(name) or is_slow(f"{name}/")


def import_ahead(worker: int, workers: int, *, is_fast: bool) -> None:
    """Import the test files, as a collection does next, but each worker those first that no other begins with.

    pytest writes a file's bytecode when it is imported first, which takes thirty times as long as reading it. In one
    order, each worker would write that of each file. What goes wrong here goes wrong again, and is told, later.
    """
    names = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py"))
    wanted = [name for name in names if not (is_fast and is_slow(name))]
    begin = len(wanted) * worker // workers
    for name in (*wanted[begin:], *wanted[:begin]):
        with warnings.catch_warnings(), contextlib.suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
            warnings.simplefilter("error")
            importlib.import_module(name.removesuffix(".py").replace("/", "."))


def place(nodeid: str) -> tuple[int, int]:
    """Where a test belongs in the run: the lower, the earlier.

    What one worker has to run alone is first. Of the other tests that start programs, some keep a processor busy and
    some only wait, a file at a time; so they are mixed, the same way each time. In process, those on many examples take
    longest.
    """
    if nodeid.startswith(tuple(SHARED_TREES)):
        return 0, 0
    if not starts_programs(nodeid):
        return (2 if "_any" in nodeid or nodeid.startswith(MANY_EXAMPLES) else 3), 0
    if nodeid.startswith((*TOGETHER, *SHARED_SERVERS)):
        return 0, 0
    return 1, zlib.crc32(nodeid.encode())


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests in the order of their places."""
    return sorted(items, key=lambda item: place(item.nodeid))


class LongestFirst(LoadGroupScheduling):  # type: ignore[misc]  # xdist does not say that it is annotated.
    """Hands a worker one test that starts programs, or all tests of a file where those are quick or belong together."""

    def _split_scope(self, nodeid: str) -> str:
        scope = str(super()._split_scope(nodeid))
        file = nodeid.partition("::")[0]
        if scope != nodeid:
            return scope
        is_alone = starts_programs(nodeid) and not nodeid.startswith(TOGETHER)
        return SHARED.get(file) or (nodeid if is_alone else file)
