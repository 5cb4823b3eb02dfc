"""The tests that do not run on the Proactor loop (`scripts/test.py --proactor`), each with its reason.

A row names a test, or all cases of one, as pytest does. `tests/scripts/test_proactor` holds that each of them exists.
"""

from __future__ import annotations

import os

import pytest

VARIABLE = "BRIDGE_TEST_PROACTOR"
"""Set where the tests run on the Proactor loop."""

_NO_WATCHING = "a Proactor watches no pipe and no socket of the host's: a thread reads, as other tests here show"
_NO_HANG_UP = "a Proactor does not tell that a pipe's reader has gone: the next write does"
_NO_STAND_IN = "what stands for a process here is a pipe or a kqueue, which a Proactor does not watch"
_OTHER_IMPORTS = "the loop's own modules are imported besides, and some of the standard library with them"

REASONS = {
    "tests/host/test_parent.py::test_a_kqueue_tells_of_the_death": _NO_STAND_IN,
    "tests/host/test_parent.py::test_nothing_is_told_while_the_parent_lives_and_its_death_once": _NO_STAND_IN,
    "tests/host/test_parent.py::test_the_death_of_each_up_to_the_host_is_told_once": _NO_STAND_IN,
    "tests/host/test_parent.py::test_one_that_cannot_be_watched_is_passed_over": _NO_STAND_IN,
    "tests/host/test_parent.py::test_one_that_died_before_it_was_watched_is_dead": _NO_STAND_IN,
    "tests/host/test_parent.py::test_macos_looks_at_those_above_later_and_in_a_thread": _NO_STAND_IN,
    "tests/host/test_stdio_input.py::test_a_pipe_is_read_by_the_loop_and_stays_blocking": _NO_WATCHING,
    "tests/host/test_stdio_input.py::test_a_socket_is_read_by_the_loop": _NO_WATCHING,
    "tests/host/test_stdio_input.py::test_nothing_is_read_after_a_stop": _NO_WATCHING,
    "tests/host/test_stdio_input.py::test_a_reader_that_closes_is_noticed_once_and_without_a_write": _NO_HANG_UP,
    "tests/host/test_stdio_input.py::test_a_socket_that_closes_is_noticed": _NO_HANG_UP,
    "tests/host/test_stdio_input.py::test_a_closed_reader_is_noticed_where_poll_tells_only_what_is_asked": _NO_HANG_UP,
    "tests/integration/test_shutdown_signals.py::test_a_closed_stdout_ends_it[idle]": _NO_HANG_UP,
    "tests/integration/test_start_path.py::test_what_a_start_over_http_imports": _OTHER_IMPORTS,
    "tests/integration/test_start_path.py::test_what_a_start_by_name_imports": _OTHER_IMPORTS,
    "tests/integration/test_start_path.py::test_what_a_start_over_https_imports": _OTHER_IMPORTS,
}


def is_mode() -> bool:
    """Whether the tests run on the Proactor loop."""
    return bool(os.environ.get(VARIABLE))


def check_the_loop() -> None:
    """Refuse to run on any other loop in this mode: it would show nothing."""
    from tests.support.systems.proactor import is_used

    if not is_used():
        raise pytest.UsageError(f"{VARIABLE} is set, but this Python's loop is not the Proactor's")
