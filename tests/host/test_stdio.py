"""The host's pipes are reserved for the host."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process.bridge_process import ROOT
from tests.support.waits import stretched

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell closes descriptors, a loop watches pipes")


def run(script: str, redirection: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a script with `from the host` on its input."""
    command = [sys.executable, "-c", script]
    if redirection:
        command = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, input=b"from the host", capture_output=True, timeout=stretched(30), env=env, check=False
    )


NOISE = """
import os, subprocess, sys
from bridge.host.takeover import take_over
was_out = sys.stdout
host_in, host_out = take_over()
print("noise of print")
was_out.write("noise of the old stdout\\n"); was_out.flush()
os.write(1, b"noise of the descriptor\\n")
child = "import sys; print('noise of a child, which read', repr(sys.stdin.read()))"
subprocess.run([sys.executable, "-S", "-c", child], check=True)
os.write(2, b"read %r\\n" % os.read(0, 100))
os.write(host_out, b"to the host: " + os.read(host_in, 100))
"""


def test_only_the_private_output_reaches_the_host() -> None:
    ended = run(NOISE)
    assert ended.stdout == b"to the host: from the host"
    said = ended.stderr.replace(b"\r\n", b"\n")
    assert b"noise of print\n" in said
    assert b"noise of the old stdout\n" in said
    assert b"noise of the descriptor\n" in said
    assert b"noise of a child, which read ''\n" in said
    assert b"read b''\n" in said
    assert ended.returncode == 0


def test_the_private_descriptors_are_not_inherited() -> None:
    script = (
        "import os\nfrom bridge.host.takeover import take_over\nassert not any(map(os.get_inheritable, take_over()))"
    )
    ended = run(script)
    assert (ended.returncode, ended.stderr) == (0, b"")


@posix
def test_without_stderr_noise_goes_nowhere() -> None:
    script = """
import os, subprocess, sys
from bridge.host.takeover import take_over
host_in, host_out = take_over()
print("noise of print")
os.write(1, b"noise of the descriptor\\n")
subprocess.run([sys.executable, "-S", "-c", "print('noise of a child')"], check=True)
os.write(host_out, b"to the host: " + os.read(host_in, 100))
"""
    ended = run(script, "2>&-")
    assert ended.stdout == b"to the host: from the host"
    assert ended.returncode == 0


@posix
def test_without_stderr_the_hosts_pipes_are_private_all_the_same() -> None:
    script = """
import os, sys
from bridge.host.takeover import take_over
def of(descriptor):
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
hosts = {of(0), of(1)}
private = take_over()
assert min(private) > 2, private
assert not hosts & {of(0), of(1), of(2)}
os.write(private[1], b"private")
"""
    assert run(script, "2>&-").stdout == b"private"


@posix
@pytest.mark.parametrize("redirection", ["<&-", ">&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-"])
def test_a_closed_input_or_output_is_an_error(redirection: str, tmp_path: Path) -> None:
    script = """
import pathlib, sys
from bridge.host.takeover import take_over
try:
    taken = take_over()
except OSError:
    taken = "refused"
pathlib.Path(FILE).write_text(str(taken))
"""
    file = tmp_path / "taken"
    run(f"FILE = {str(file)!r}\n" + script, redirection)
    assert file.read_text() == "refused"


@posix
def test_windows_pipes_are_made_binary() -> None:
    script = """
import os, sys
from types import SimpleNamespace
modes = []
import asyncio
sys.modules["msvcrt"] = SimpleNamespace(setmode=lambda *call: modes.append(call))
os.O_BINARY = 0x8000
import bridge.host.takeover as takeover
takeover.sys = SimpleNamespace(platform="win32", stderr=sys.stderr)
taken = takeover.take_over()
assert sorted(modes) == sorted((descriptor, 0x8000) for descriptor in taken), modes
assert takeover.sys.stdout is sys.stderr
os.write(taken[1], os.read(taken[0], 100))
"""
    ended = run(script)
    assert (ended.stdout, ended.stderr) == (b"from the host", b"")
