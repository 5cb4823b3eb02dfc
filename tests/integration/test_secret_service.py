"""The store with a real Secret Service, each run of it a process of its own."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.desktop.secret_service import SecretService, secret_service
from tests.support.process.store_process import use_store
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    b'"clientInfo":{"name":"test-host","version":"1.0"}}}\n'
)
SLOT = "tokens-0123456789abcdef"
LONG = "0123456789" * 400


@pytest.fixture
def service() -> Iterator[SecretService]:
    with secret_service() as running:
        yield running


def stored_files(service: SecretService) -> list[str]:
    folder = Path(service.variables["XDG_DATA_HOME"], "mcp-remote-bridge", "credentials")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_long_value_is_stored_loaded_and_deleted(service: SecretService) -> None:
    saved = use_store("keyring", f"save:{SLOT}:{LONG}", f"place:{SLOT}", variables=service.variables)
    assert saved["results"] == [None, "the system keyring"]
    kept = service.secrets()
    assert len(kept) == 5
    assert max(map(len, kept)) <= 1200
    assert stored_files(service) == [f"{SLOT}.keyring"]
    assert use_store("auto", f"load:{SLOT}", variables=service.variables)["results"] == [LONG]
    assert use_store("auto", f"save:{SLOT}:short", variables=service.variables)["notices"] == []
    [left] = service.secrets()
    assert base64.urlsafe_b64encode(b"short").decode() in left
    deleted = use_store("auto", f"delete:{SLOT}", f"load:{SLOT}", variables=service.variables)
    assert deleted["results"] == [None, None]
    assert service.secrets() == []
    assert stored_files(service) == []


def test_a_host_that_names_no_bus(service: SecretService) -> None:
    saved = use_store("keyring", f"save:{SLOT}:{LONG}", f"load:{SLOT}", variables=service.without_address())
    assert saved["results"] == [None, LONG]


def test_a_locked_collection_is_said_and_never_asked_to_open(service: SecretService) -> None:
    use_store("auto", f"save:{SLOT}:{LONG}", variables=service.variables)
    service.lock()
    locked = use_store("auto", f"load:{SLOT}", f"save:{SLOT}:new", f"load:{SLOT}", variables=service.variables)
    error, nothing, new = locked["results"]
    assert error.startswith("KeyringUnavailable: The system keyring cannot be used: it is locked.")
    assert (nothing, new) == (None, "new")
    [notice] = locked["notices"]
    assert "(it is locked)" in notice
    assert f"{SLOT}.secret" in notice
    alone = use_store("keyring", f"save:{SLOT}:new", variables=service.variables)
    assert "it is locked" in alone["results"][0]


def test_a_service_without_a_collection_makes_none() -> None:
    with secret_service(unlocked=False) as service:
        saved = use_store("auto", f"save:{SLOT}:x", f"load:{SLOT}", variables=service.variables)
        assert saved["results"] == [None, "x"]
        assert "has not been set up" in saved["notices"][0]


def test_no_bus_at_all(tmp_path: Path) -> None:
    pytest.importorskip("secretstorage")
    variables = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "share")}
    variables["DBUS_SESSION_BUS_ADDRESS"] = ""  # So that the bus of whoever runs the tests is not looked for.
    saved = use_store("auto", f"save:{SLOT}:x", f"place:{SLOT}", f"load:{SLOT}", variables=variables)
    assert saved["results"] == [None, str(tmp_path / f"share/mcp-remote-bridge/credentials/{SLOT}.secret"), "x"]
    assert len(saved["notices"]) == 1
    again = use_store("auto", f"load:{SLOT}", variables=variables)
    assert again == {"results": ["x"], "notices": [], "keyring": False}


def set_secret(service: SecretService) -> bytes:
    """Store the secret `mine` as a user does; returns what the command prints."""
    words = [sys.executable, "-m", "bridge", "secret", "set", "mine"]
    return subprocess.run(
        words, env=service.variables, input=b"hunter2-Zq4\n", capture_output=True, check=True, timeout=stretched(60)
    ).stdout


@pytest.mark.anyio
async def test_a_host_that_names_no_bus_starts_a_bridge_with_a_secret_from_the_keyring(service: SecretService) -> None:
    assert b"in the system keyring" in set_secret(service)
    assert any(base64.urlsafe_b64encode(b"hunter2-Zq4").decode().rstrip("=") in kept for kept in service.secrets())
    host = {name: value for name, value in service.without_address().items() if name != "PATH"}
    async with FaultServer() as server, asyncio.timeout(stretched(60)):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", server.url, "--header", "X-Key: keyring:mine"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=host,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(INITIALIZE)
            assert b'"result"' in await process.stdout.readline()
            assert server.seen("initialize")[-1].header("x-key") == "hunter2-Zq4"
        finally:
            process.kill()
            await process.wait()
