"""The real servers, started once for a run and killed at its end."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.servers.everything import Transport, everything
from tests.support.servers.reference_process import Mode, ReferenceProcess, reference_process, running


@pytest.fixture(scope="session")
def reference() -> Iterator[Callable[[Mode], ReferenceProcess]]:
    """Gives the reference server in a mode, started when it is first asked for.

    Tests share it, as users share a server: each has a session of its own.
    """
    started: dict[str, ReferenceProcess] = {}
    with contextlib.ExitStack() as stack:

        def get(mode: Mode) -> ReferenceProcess:
            if mode.name not in started:
                started[mode.name] = stack.enter_context(reference_process(mode))
            return started[mode.name]

        yield get


@pytest.fixture(scope="session")
def everything_url() -> Iterator[Callable[[Transport], str]]:
    """Gives the URL of `server-everything` over a transport; skips by name where Node is not."""
    started: dict[Transport, str] = {}
    with contextlib.ExitStack() as stack:

        def get(transport: Transport) -> str:
            if transport not in started:
                started[transport] = stack.enter_context(everything(transport))
            return started[transport]

        yield get


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the pairings' servers of all three modes are."""
    with running([sys.executable, "-m", "tests.support.servers.two_era_server"]) as (_process, line):
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
