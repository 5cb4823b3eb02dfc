"""A server's name that leads to this machine, beside its own addresses or after them."""

import socket

import pytest

from bridge.remote import early_connection
from bridge.remote.connecting import Origin, Route
from bridge.remote.failures import explain
from bridge.remote.known_addresses import Address
from bridge.remote.lookups import Lookups
from bridge.remote.rebinding import RebindingGuard, Rebound, not_this_machine
from tests.support.in_process.connecting import ask, refusal
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

HERE = ("127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "::1", "::", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe")
THERE = ("8.8.8.8", "10.0.0.5", "100.64.0.1", "2606:4700::1", "fd00::1", "fe80::1%lo", "192.0.2.1")
PUBLIC = ("8.8.8.8", "2606:4700::1")


def at(*addresses: str, port: int = 80) -> list[Address]:
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (one, port, 0, 0))
        if ":" in one
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
        for one in addresses
    ]


@pytest.mark.parametrize("public", PUBLIC)
@pytest.mark.parametrize("here", HERE)
def test_beside_a_public_address_those_of_this_machine_are_left_out(public: str, here: str) -> None:
    assert not_this_machine(at(here, public, "10.0.0.5")) == at(public, "10.0.0.5")


@pytest.mark.parametrize("here", HERE)
def test_a_name_of_this_machine_is_as_good_as_any(here: str) -> None:
    for addresses in ((here,), (here, "10.0.0.5"), ("fe80::1%lo", here)):
        assert not_this_machine(at(*addresses)) == at(*addresses)
        assert RebindingGuard().usable(at(*addresses)) == at(*addresses)


@pytest.mark.parametrize("public", PUBLIC)
@pytest.mark.parametrize("here", HERE)
def test_a_server_that_was_public_is_not_looked_for_here(public: str, here: str) -> None:
    rebinding = RebindingGuard()
    rebinding.reached((public, 443))
    assert rebinding.usable(at(here, "10.0.0.5")) == at("10.0.0.5")
    with pytest.raises(Rebound):
        rebinding.usable(at(here))


@pytest.mark.parametrize("there", [*THERE, *HERE])
def test_a_server_may_move_into_a_network_and_one_that_was_not_public_may_move_anywhere(there: str) -> None:
    rebinding = RebindingGuard()
    rebinding.reached(("8.8.8.8" if there in THERE else "10.0.0.5", 443))
    assert rebinding.usable(at(there)) == at(there)


@pytest.mark.anyio
async def test_the_relay_does_not_follow_its_servers_name_here() -> None:
    async with RawServer(Answers(response(b"hi"), response(b"inside"))) as server:
        name = Origin("http", "mcp.example", server.port)
        route = Route(name, None, None, Lookups(lambda host, port: at("127.0.0.1", port=port)))
        assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"  # It was here from the beginning.
        assert route._rebinding is not None
        route._rebinding.reached(("8.8.8.8", 443))
        failure = await refusal(route)
        assert len(server.peers) == 1
    told = explain(failure, "http://mcp.example/mcp", None)
    assert told.message.startswith(
        "Cannot reach http://mcp.example/mcp: its name now resolves to this computer (127.0.0.1)"
    )
    assert not told.definite


def test_the_connection_that_is_begun_first_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[Address] = []
    monkeypatch.setattr(
        "bridge.remote.early_connection.socket.getaddrinfo", lambda *_, **__: at("127.0.0.1", "8.8.8.8")
    )
    monkeypatch.setattr(early_connection, "_connecting", dialled.append)
    assert early_connection._connected("mcp.example", 80, stretched(DEADLINE)) is None
    assert dialled == at("8.8.8.8")
