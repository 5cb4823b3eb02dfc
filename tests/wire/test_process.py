"""The real process at real equipment: what is set by options and variables, and what a host is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.process.bridge_process import BridgeProcess, launch
from tests.wire.chosen import at, by_the_script
from tests.wire.conftest import Here
from tests.wire.equipment import NAME, PASSWORD, USER
from tests.wire.far import Wanted, as_at, far_calls
from tests.wire.paths import TOOL

pytestmark = pytest.mark.anyio


async def use(bridge: BridgeProcess) -> None:
    """The handshake, and 20 calls at once."""
    await bridge.initialize()
    assert [tool["name"] for tool in (await bridge.request("tools/list")).result["tools"]] == [TOOL]
    lines = await asyncio.gather(*(bridge.call(TOOL, number=number) for number in range(20)))
    texts = [json.loads(line.result["content"][0]["text"]) for line in lines]
    assert texts == [{"number": number} for number in range(20)]


@pytest.mark.scene("the process: 20 calls")
@at("plain")
async def test_the_process_works_without_tls(spot: Here) -> None:
    async with launch(f"{spot.url}/mcp") as bridge:
        await use(bridge)


@pytest.mark.scene("the process: --ca-file, --client-cert")
@at("tls", "mutual-1.3", "mutual-1.2")
async def test_the_process_works_with_a_private_authority(spot: Here) -> None:
    folder = spot.certificates
    options = ["--ca-file", str(folder / "ca.pem")]
    if spot.door != "tls":
        options += ["--client-cert", str(folder / "client.pem"), "--client-cert-key", str(folder / "client.key")]
    async with launch(f"{spot.url}/mcp", *options) as bridge:
        await use(bridge)


@pytest.mark.scene("the process: HTTPS_PROXY, --ca-file")
@at("proxy", "proxy-basic")
async def test_the_process_works_through_a_proxy(spot: Here, tmp_path: Path) -> None:
    """Its name for the server is one that only the proxy knows: what is on this machine is asked directly."""
    signed_in = f"{USER}:{PASSWORD}@" if spot.door == "proxy-basic" else ""
    mitm = spot.certificates / "mitmproxy" / "mitmproxy-ca-cert.pem"
    file = mitm if spot.equipment.row.name == "mitmproxy" else spot.certificates / "ca.pem"
    variables = {"HTTPS_PROXY": f"http://{signed_in}127.0.0.1:{spot.port}"}
    url = f"https://{NAME}:{spot.origin.tls_port}/mcp"
    async with launch(url, "--ca-file", str(file), env=variables) as bridge:
        await use(bridge)
    assert PASSWORD not in "".join(bridge.stderr)


@pytest.mark.scene("the process: ALL_PROXY by SOCKS")
@at("socks", "socks-user")
async def test_the_process_works_through_socks(spot: Here) -> None:
    signed_in = f"{USER}:{PASSWORD}@" if spot.door == "socks-user" else ""
    variables = {"ALL_PROXY": f"socks5h://{signed_in}127.0.0.1:{spot.port}"}
    url = f"https://{NAME}:{spot.origin.tls_port}/mcp"
    async with launch(url, "--ca-file", str(spot.certificates / "ca.pem"), env=variables) as bridge:
        await use(bridge)


@by_the_script
@pytest.mark.scene("the process: calls around the idle limit, 80 ms away")
@at("brief", serves=True)
async def test_no_call_of_the_process_ends_in_doubt(spot: Here) -> None:
    limit = spot.equipment.row.idle[spot.door]
    pauses = [limit - 0.05, limit - 0.02, limit]
    calls = await far_calls(as_at(spot.equipment, spot.door, pauses, process=True))
    assert [call for call in calls if not call.answered] == []


async def test_a_call_of_the_process_that_meets_the_end_of_its_connection_is_answered() -> None:
    """As with the equipment, at a server that needs none."""
    limit = 0.3
    calls = await far_calls(Wanted([limit - 0.05, limit - 0.02], limit=limit, process=True))
    assert [call for call in calls if not call.answered] == []


@pytest.mark.scene("the process: what a host is told")
@at("down", "h2-only", "tls-1.1", "self-signed")
async def test_the_host_is_told_in_one_sentence(spot: Here) -> None:
    wanted = {"down": "50", "h2-only": "HTTP/2", "tls-1.1": "TLS", "self-signed": "certificate"}[spot.door]
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}}
    ca_file = ["--ca-file", str(spot.certificates / "ca.pem")] if spot.url.startswith("https") else []
    async with launch(f"{spot.url}/mcp", *ca_file, patience=3) as bridge:
        error = (await bridge.request("initialize", about, id="init")).error
    assert wanted in error["message"], error
    assert f"127.0.0.1:{spot.port}" in error["message"], error
