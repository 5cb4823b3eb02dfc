"""Stands in for a host that passes on next to nothing: `python -m tests.support.hosts.hiding_host COMMAND...`.

It has the environment that a test gives it, and starts COMMAND on its own stdin and stdout with a few variables of it:
the folders of the user, what the bridge itself reads, and not even PATH.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

KEPT = ("HOME", "PYTHONPATH", "PYTHON_KEYRING_BACKEND", "LANG", "LD_LIBRARY_PATH")
KEPT_KINDS = ("MCP_BRIDGE_", "LOGIN_BROWSER_", "SSL_CERT_")
KEPT_FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")


def hiding_command() -> str:
    """What MCP_BRIDGE_TEST_COMMAND has to be for `bridge_process.launch` to start the bridge from such a host."""
    return shlex.join([sys.executable, "-m", "tests.support.hosts.hiding_host", sys.executable, "-m", "bridge"])


def passed_on(name: str, value: str) -> bool:
    """Whether the child gets this variable."""
    return bool(value) and (name in (*KEPT, *KEPT_FOLDERS) or name.startswith(KEPT_KINDS))


def main() -> int:
    """Be the host; returns the exit code of what it started."""
    environ = {name: value for name, value in os.environ.items() if passed_on(name, value)}
    return subprocess.run(sys.argv[1:], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
