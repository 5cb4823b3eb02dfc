"""Try the installed program on this system as hosts treat it: `python3 scripts/smoke.py [--program FILE] [ROW ...]`.

It is for systems that the tests have not been run on yet: each row is one thing that a desktop host does to a bridge,
or that differs by system, with the real program, real pipes and real processes. It takes no part of the tests and
nothing but the standard library, and talks to a server on this machine only.

| row | what is done | what has to come of it |
|---|---|---|
| call | a tool is called | the answer |
| eof | stdin is closed | the program ends, with 0 |
| stdout | the host closes its end of stdout, and then asks something | the program ends |
| stderr | nobody reads stderr, and there is much to log | every call is answered |
| killed | the program (on Windows the .exe) is killed | no process of it is left |
| host | the host is killed, while another process keeps the pipes open | the program ends |
| shell | the same, with a shell between host and program, as `cmd /c` | the program ends |
| sign-in | the copy that began it is killed before the user consents | the next has the same link, and signs in |
| job | the same, in a job that is killed whole and lets no process go (Windows) | the next copy begins another |
| keychain | another program's item is read, as after an update of Python (macOS) | "sign in once more" is said |
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, SetupError, environment, run_script
from scripts.smoke_process import FAMILY, PATIENCE, Place, Wrong, must, running
from scripts.smoke_server import serving

MANY = 1000
"""Calls whose log lines are many times what a pipe takes (64 KB on Linux, 4 KB on Windows)."""

# Started by the host's end: it starts the program with its own pipes and waits for it.
_HOST = "import subprocess, sys; subprocess.run(sys.argv[1:])"
# The same from within a job of its own, which ends all its processes with its last handle, and lets none go.
_HOST_IN_JOB = """
import ctypes, subprocess, sys
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = ctypes.c_void_p
kernel.SetInformationJobObject.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32)
kernel.AssignProcessToJobObject.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
job = kernel.CreateJobObjectW(None, None)
limits = bytearray(144)  # JOBOBJECT_EXTENDED_LIMIT_INFORMATION, 64 bits
limits[16:20] = (0x2000).to_bytes(4, "little")  # LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, and no BREAKAWAY_OK
block = (ctypes.c_char * 144).from_buffer(limits)
if not kernel.SetInformationJobObject(job, 9, block, 144):
    raise ctypes.WinError(ctypes.get_last_error())
if not kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess()):
    raise ctypes.WinError(ctypes.get_last_error())
subprocess.run(sys.argv[1:])
"""


def call(place: Place) -> None:
    """Call a tool."""
    with running(place) as bridge:
        bridge.begin()
        must([tool["name"] for tool in bridge.request("tools/list")["tools"]] == ["echo"])
        bridge.call(text="grüße \N{GRINNING FACE}")


def eof(place: Place) -> None:
    """Close stdin."""
    with running(place) as bridge:
        bridge.begin()
        bridge.stdin.close()
        code = bridge.ends()
        must(code == 0, f"exit code {code}")


def stdout(place: Place) -> None:
    """Close the host's end of stdout, which a reader in another process holds, and ask something."""
    copy = "import os, sys\nos.write(1, sys.stdin.buffer.readline())"
    command = [str(place.program), f"{place.origin}/mcp"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=place.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin and process.stdout  # noqa: S101, PT018 - as asked
        try:
            ping = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n'
            info = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "smoke", "version": "1"},
            }
            first = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info}).encode() + b"\n"
            process.stdin.write(first)
            process.stdin.flush()
            read = subprocess.run(
                [str(place.python), "-c", copy], stdin=process.stdout, capture_output=True, timeout=PATIENCE, check=True
            )
            must(b'"result"' in read.stdout, read.stdout)
            process.stdout.close()
            with contextlib.suppress(OSError):  # It may have noticed by itself.
                process.stdin.write(ping % 1)
                process.stdin.flush()
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"still there after {PATIENCE:g} s") from None
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                process.stdin.close()


def stderr(place: Place) -> None:
    """Leave stderr unread."""
    with running(place, "--log-level", "debug", reads_stderr=False) as bridge:
        bridge.begin()
        for number in range(MANY):
            bridge.call(number=number)
        bridge.stdin.close()
        bridge.ends()


def killed(place: Place) -> None:
    """Kill the program."""
    with running(place) as bridge:
        bridge.begin()
        family = place.ask(FAMILY, str(bridge.process.pid))
        bridge.process.kill()
        place.gone(family)


def host(place: Place) -> None:
    """Kill the host while this process keeps the pipes open."""
    _end_host(place, [])


def shell(place: Place) -> None:
    """Kill the host of a program that a shell started."""
    between = ["cmd", "/d", "/c"] if sys.platform == "win32" else ["sh", "-c", '"$@"; exit $?', "sh"]
    _end_host(place, between)


def _end_host(place: Place, between: Sequence[str]) -> None:
    with running(place, before=[str(place.python), "-c", _HOST, *between]) as bridge:
        bridge.begin()
        family = place.ask(FAMILY, str(bridge.process.pid))
        must(len(family) > 1, "the host started nothing")
        bridge.process.kill()
        place.gone(family)


def sign_in(place: Place) -> None:
    """Kill the copy that began a sign-in."""
    _sign_in(place, _HOST, same_link=True)


def job(place: Place) -> None:
    """Kill the job in which a sign-in began."""
    _sign_in(place, _HOST_IN_JOB, same_link=False)


def _sign_in(place: Place, started_by: str, *, same_link: bool) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        fresh = Place(place.program, place.python, place.origin, Path(home))
        # Windows has its folders whatever the variables say, so what is stored is told apart by name, and removed.
        profile = f"smoke-{secrets.token_hex(4)}"
        options = ("--no-browser", "--token-store", "file", "--profile", profile)
        with running(fresh, *options, path="/private/mcp", before=[str(place.python), "-c", started_by]) as first:
            first.begin()
            link = first.link()
            tools = [tool["name"] for tool in first.request("tools/list")["tools"]]
            must(tools == ["sign_in"], tools)
            family = place.ask(FAMILY, str(first.process.pid))
            first.process.kill()
            if not same_link:
                place.gone(family)
        with running(fresh, *options, path="/private/mcp") as second:
            second.begin()
            offered = second.link()
            must((offered == link) is same_link, f"{link} and then {offered}")
            with urllib.request.urlopen(offered, timeout=PATIENCE) as page:  # noqa: S310 - of our own server
                must(page.status == 200, page.status)
            ends = time.monotonic() + PATIENCE
            while "echo" not in (tools := [tool["name"] for tool in second.request("tools/list")["tools"]]):
                must(time.monotonic() < ends, f"the tools are {tools}")
                time.sleep(0.1)
            second.call(signed="in")
            second.stdin.close()
            second.ends()
        leave = [str(place.program), "logout", f"{place.origin}/private/mcp", *options[1:]]
        subprocess.run(leave, env=fresh.variables(), capture_output=True, timeout=PATIENCE, check=True)


def keychain(place: Place) -> None:
    """Read a keychain item that another program made: the same Python, signed anew."""
    use = "import asyncio, sys; from bridge.store.choice import open_store; from bridge.errors import BridgeError\n"
    use += "store = open_store('keyring', print, lambda: {})\n"
    save = use + "asyncio.run(store.save('smoke-keychain', b'secret'))"
    load = (
        use
        + "try: print(asyncio.run(store.load('smoke-keychain')))\nexcept BridgeError as error: print(error, error.hint)"
    )
    where = "import os, sys; print(os.path.realpath(sys.executable), sys.base_prefix, [p for p in sys.path if p][-1])"
    real, base, packages = place.ask(where)
    place.ask(save)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "python-signed-anew"
        other.write_bytes(Path(real).read_bytes())
        other.chmod(0o755)
        sign = ["codesign", "--force", "--sign", "-", "--identifier", "smoke.other", str(other)]
        subprocess.run(sign, check=True, capture_output=True, timeout=PATIENCE)
        told = {"PYTHONHOME": base, "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}", "DYLD_LIBRARY_PATH": f"{base}/lib"}
        done = subprocess.run(
            [str(other), "-c", load],
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    must("sign in once more" in done.stdout, f"{done.stdout}{done.stderr}")


ROWS: dict[str, Callable[[Place], None]] = {
    "call": call,
    "eof": eof,
    "stdout": stdout,
    "stderr": stderr,
    "killed": killed,
    "host": host,
    "shell": shell,
    "sign-in": sign_in,
    "job": job,
    "keychain": keychain,
}
ONLY = {"job": "win32", "keychain": "darwin"}
"""The rows that are for one system."""


def main(arguments: Sequence[str]) -> int:
    """Try the rows, those named or all; returns 1 when any failed."""
    program, names = options(arguments)
    if program is None:
        program = environment("test", extras=["test"]).program("mcp-remote-bridge")
    python = program.with_name("python.exe" if sys.platform == "win32" else "python")
    with serving() as origin, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        place = Place(program, python, origin, Path(home))
        good = [tried(name, place) for name in names]
    return 0 if all(good) else 1


def options(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the program, if one is named, and the rows. Raises `SetupError`."""
    program, names = None, list(arguments)
    if names[:1] == ["--program"] and len(names) > 1:
        program, names = Path(names[1]).absolute(), names[2:]
    if unknown := [name for name in names if name not in ROWS]:
        raise SetupError(
            f"usage: python3 scripts/smoke.py [--program FILE] [ROW ...]\nNo row is called {', '.join(unknown)}."
            f" There is: {', '.join(ROWS)}"
        )
    return program, names or list(ROWS)


def tried(name: str, place: Place) -> bool:
    """Try one row and say what came of it."""
    if ONLY.get(name, sys.platform) != sys.platform:
        print(f"{name:<10}skipped, since it is for {ONLY[name]}", flush=True)
        return True
    began = time.monotonic()
    try:
        ROWS[name](place)
        word, why = "ok", ""
    except Exception as error:  # Whatever it is, the other rows are tried too.
        word, why = "FAILED", str(error) or type(error).__name__
        if not isinstance(error, Wrong):
            traceback.print_exc()
    print(f"{name:<10}{word:<9}{time.monotonic() - began:5.1f} s  {why}".rstrip(), flush=True)
    return word != "FAILED"


if __name__ == "__main__":
    sys.exit(run_script(main))
