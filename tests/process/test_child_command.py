"""Which files a command's program may be, and how a command ends that nobody waits for any more."""

import os
import sys
import threading
import time

import pytest

from bridge.process.child_command import CommandFailed, file_names, output_of_child
from tests.support.waits import stretched


def test_a_program_on_windows_may_be_named_without_its_suffix() -> None:
    assert file_names("op", {"PATHEXT": ".EXE;.CMD;"}, "win32") == ["op.EXE", "op.CMD"]
    assert file_names("op.exe", {"PATHEXT": ".EXE;.CMD"}, "win32") == ["op.exe"]
    assert file_names("op.1", {}, "win32") == ["op.1.COM", "op.1.EXE", "op.1.BAT", "op.1.CMD"]
    assert file_names("op", {"PATHEXT": ".EXE"}, "linux") == ["op"]


def test_a_command_that_is_stopped_ends_soon() -> None:
    stop = threading.Event()
    began = time.monotonic()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(CommandFailed, match="was ended, because the bridge ends"):
        output_of_child(
            [sys.executable, "-c", "import time; time.sleep(99)"],
            os.environ,
            seconds=99,
            limit=10,
            secrets_in=str.splitlines,
            is_stopped=stop.is_set,
        )
    assert time.monotonic() - began < stretched(20)
