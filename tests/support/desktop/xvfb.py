"""A display that nobody looks at: Xvfb, open only to who has its key, as the display of a desktop is."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import desktop

DEADLINE = 30.0

_ANY_MACHINE = 0xFFFF
_COOKIE = b"MIT-MAGIC-COOKIE-1"


def require_xvfb() -> None:
    """Skip the calling test, saying why, where there is none."""
    if desktop.DISPLAY.found() is None:
        pytest.skip(desktop.DISPLAY.reason)


@contextlib.contextmanager
def xvfb(folder: Path) -> Iterator[dict[str, str]]:
    """Start one; yields the variables that lead to it: DISPLAY and XAUTHORITY."""
    require_xvfb()
    key = folder / "Xauthority"
    # Xau: family, address, number, name and data, each with its length.
    parts = (b"", b"", _COOKIE, secrets.token_bytes(16))
    written = struct.pack(">H", _ANY_MACHINE) + b"".join(struct.pack(">H", len(part)) + part for part in parts)
    key.touch(0o600)
    key.write_bytes(written)
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-auth", str(key)]
    with subprocess.Popen(
        command, pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        os.close(writing)
        try:
            assert select.select([reading], [], [], DEADLINE)[0], "Xvfb did not start"
            number = os.read(reading, 16).decode().strip()
            assert number, "Xvfb ended"
            yield {"DISPLAY": f":{number}", "XAUTHORITY": str(key)}
        finally:
            os.close(reading)
            server.kill()
