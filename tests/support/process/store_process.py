"""Uses the store in a process of its own: `python -m tests.support.process.store_process CHOICE STEP...`.

Steps are `save:SLOT:TEXT`, `load:SLOT`, `delete:SLOT` and `place:SLOT`. One JSON object goes to stdout: what each step
gave, the notices, and whether the keyring package was loaded.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bridge.config import TokenStore
from bridge.errors import BridgeError
from bridge.process.host_environment import keyring_variables
from bridge.store.choice import open_store
from bridge.store.secret_store import SecretStore
from tests.support.waits import stretched

_ROOT = Path(__file__).resolve().parents[3]


def use_store(choice: str, *steps: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Run the steps in a new process with just these variables; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.process.store_process", choice, *steps],
        cwd=_ROOT,
        env=dict(variables),
        capture_output=True,
        timeout=stretched(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return cast("dict[str, Any]", json.loads(done.stdout))


async def step(store: SecretStore, what: str) -> str | None:
    verb, store_key, *text = what.split(":")
    try:
        if verb == "save":
            await store.save(store_key, text[0].encode())
            return None
        if verb == "load":
            data = await store.load(store_key)
            return None if data is None else data.decode()
        if verb == "delete":
            await store.delete(store_key)
            return None
        return store.place(store_key)
    except BridgeError as error:
        return f"{type(error).__name__}: {error}"


async def main(choice: TokenStore, steps: list[str]) -> None:
    notices: list[str] = []
    store = open_store(choice, notices.append, keyring_variables)
    results = [await step(store, what) for what in steps]
    sys.stdout.write(json.dumps({"results": results, "notices": notices, "keyring": "keyring" in sys.modules}))
    sys.stdout.flush()
    os._exit(0)  # As a bridge may end: whatever still hangs must not matter.


if __name__ == "__main__":
    asyncio.run(main(cast("TokenStore", sys.argv[1]), sys.argv[2:]))
