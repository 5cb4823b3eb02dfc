"""The servers of a run, as processes that end with their block: the thin server, and one far away that speaks TLS."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark.far_link import ONE_WAY
from scripts.environment import ROOT, SetupError

IDLE_SECONDS = 5.0
"""After these an idle connection is closed, unannounced: what uvicorn does unless told otherwise."""


@dataclass(frozen=True)
class FarServer:
    """The same server by two ways: `far` through the link, `near` without it. `authority` vouches for it, a file."""

    near: str
    far: str
    authority: Path

    def state(self) -> dict[str, Any]:
        """Return what each path has seen, asked without the delay."""
        trust = ssl.create_default_context(cafile=self.authority)
        with urllib.request.urlopen(f"{self.near}/state", timeout=10, context=trust) as answer:  # noqa: S310 - ours
            state: dict[str, Any] = json.load(answer)
            return state


@contextmanager
def thin_server() -> Iterator[str]:
    """Run the thin server; give its URL."""
    with _listening("thin_server") as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def far_server(folder: Path, one_way: float = ONE_WAY, idle_seconds: float = IDLE_SECONDS) -> Iterator[FarServer]:
    """Run a thin server that speaks TLS, and a link to it. Its certificate is made in `folder`."""
    # Only who wants this needs it.
    import trustme

    authority, certificate = folder / "authority.pem", folder / "server.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    server = ("thin_server", "--certificate", str(certificate), "--idle-seconds", str(idle_seconds))
    with _listening(*server) as near, _listening("far_link", "127.0.0.1", str(near), "--one-way", str(one_way)) as far:
        yield FarServer(f"https://127.0.0.1:{near}", f"https://127.0.0.1:{far}", authority)


@contextmanager
def _listening(module: str, *arguments: str) -> Iterator[int]:
    """Run a module of this package that prints its port; give that."""
    command = [sys.executable, "-m", f"scripts.benchmark.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            port = process.stdout.readline() if process.stdout else b""
            if not port:
                raise SetupError(f"The benchmark's {module} did not start.")
            yield int(port)
        finally:
            process.kill()
