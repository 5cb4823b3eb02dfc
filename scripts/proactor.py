"""Tests on asyncio's Proactor loop, which Windows has, of each Python in the table (`tests/support/systems/proactor`).

It is the loop of a whole environment: a `.pth` file in it loads `tests/support/systems/proactor_hook`, so each bridge
and each login process that a test starts runs on it as well.

| Python | why |
|---|---|
| 3.11 | the oldest that is supported; its transports hand `bytearray` on |
| 3.13 | they hand `bytes` on, and end otherwise |
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.environment import ROOT, Environment, SetupError, environment

VERSIONS = ("3.11", "3.13")
"""The Pythons whose transports are used."""
FOLDERS = ("tests/scripts/test_proactor.py", "tests/remote", "tests/host", "tests/login", "tests/integration")
"""What runs where no tests are named: that it is the loop it should be, and all that has to do with a loop."""
HOOK = "tests.support.systems.proactor_hook"

_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
_ASK_LIMIT = 30.0


def proactor_environment() -> Environment:
    """The environment of this Python whose processes run on the Proactor loop. Raises `SetupError`."""
    if sys.platform != "linux":
        raise SetupError("This needs Linux, where the Proactor's kernel is played; Windows has a real one.")
    made = environment("proactor-{}.{}".format(*sys.version_info[:2]), extras=["test"])
    asked = [str(made.python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(asked, capture_output=True, text=True, timeout=_ASK_LIMIT, check=True).stdout.strip()
    (Path(packages) / "bridge_proactor.pth").write_text(f"{ROOT}\nimport {HOOK}\n", encoding="utf-8")
    return made


def python_of(version: str) -> str | None:
    """A Python of this version: the one that runs, one on PATH, or one of pyenv's; None where there is none."""
    return next((found for candidate in _candidates(version) if (found := _program(candidate, version))), None)


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(root.glob(f"versions/{version}*")):
        yield str(folder / "bin" / "python")


def _program(candidate: str, version: str) -> str | None:
    """Where it really is, if it is of this version: a shim of pyenv's may lead to another Python, or to none."""
    try:
        asked = subprocess.run([candidate, "-c", _ASK], capture_output=True, text=True, timeout=_ASK_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found, _, program = asked.stdout.strip().partition(" ")
    return program if asked.returncode == 0 and found == version else None
