"""The callback's port: ours alone, on both loopback addresses."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from bridge.login import ports
from bridge.login.ports import (
    FIRST_DYNAMIC,
    LAST_DYNAMIC,
    CallbackPortTaken,
    bind_pair,
    derived_ports,
    listen_on_loopback,
    may_bind_beside,
    ownership_option,
)
from bridge.oauth.errors import SignInError
from tests.support.ports import free_port, free_ports, is_free
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as six:
            six.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@pytest.fixture
def pair() -> Iterator[list[socket.socket]]:
    bound = bind_pair(0)
    yield bound
    for one in bound:
        one.close()


def test_derived_ports_stay_the_same() -> None:
    # Written down, because a new release must not change the ports of existing users.
    assert derived_ports("https://mcp.example.com/mcp", "default") == [
        64397,
        52334,
        50625,
        49779,
        55999,
        57068,
        50734,
        51302,
    ]


def test_derived_ports_are_dynamic_and_differ() -> None:
    for server in ("https://a.example", "https://b.example/mcp", "", "\udcff"):
        found = derived_ports(server, "work")
        assert len(set(found)) == 8
        assert all(FIRST_DYNAMIC <= port <= LAST_DYNAMIC for port in found)


def test_another_profile_has_other_ports() -> None:
    assert not set(derived_ports("https://a.example", "work")) & set(derived_ports("https://a.example", "home"))


@needs_ipv6
def test_both_addresses_are_listened_on(pair: list[socket.socket]) -> None:
    assert [one.getsockname()[0] for one in pair] == ["127.0.0.1", "::1"]
    assert len({one.getsockname()[1] for one in pair}) == 1


def test_nobody_else_gets_the_port(pair: list[socket.socket]) -> None:
    port = pair[0].getsockname()[1]
    for address in ("127.0.0.1", "0.0.0.0"):
        assert refusal(address, port) in {errno.EADDRINUSE, errno.EACCES}
    assert refusal("127.0.0.1", free_port()) is None


def refusal(address: str, port: int) -> int | None:
    """Why another program may not listen there, if it may not."""
    with socket.socket() as other:
        if sys.platform != "win32":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind((address, port))
            other.listen()
        except OSError as error:
            return error.errno
    return None


@needs_ipv6
@pytest.mark.parametrize(
    ("family", "address", "other"), [(socket.AF_INET, "127.0.0.1", "::1"), (socket.AF_INET6, "::1", "127.0.0.1")]
)
async def test_a_port_held_on_one_address_does_not_count(
    family: socket.AddressFamily, address: str, other: str
) -> None:
    port, spare = free_ports(2)
    with socket.socket(family) as held:
        held.bind((address, port))
        held.listen()
        bound = await listen_on_loopback([port, spare], exact=False)
        with closing(bound[0]), closing(bound[1]):
            assert {one.getsockname()[1] for one in bound} == {spare}
        assert is_free(other, port), "the other address was not let go of"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets an address be bound beside all of them")
async def test_a_port_held_on_all_addresses_does_not_count() -> None:
    with socket.socket() as held:
        held.bind(("0.0.0.0", 0))
        held.listen()
        with pytest.raises(CallbackPortTaken):
            await listen_on_loopback([held.getsockname()[1]], exact=True)


async def test_where_all_are_taken_any_free_port_is_had(pair: list[socket.socket]) -> None:
    taken = pair[0].getsockname()[1]
    bound = await listen_on_loopback([taken, taken], exact=False)
    try:
        assert bound[0].getsockname()[1] != taken
    finally:
        for one in bound:
            one.close()


async def test_an_exact_port_that_is_taken_says_who_holds_it() -> None:
    program = (
        "import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - the test waits for one line of it
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            port = int(holder.stdout.readline())
            with pytest.raises(CallbackPortTaken) as caught:
                await listen_on_loopback([port], exact=True)
        finally:
            holder.kill()
    assert f"callback port {port} is taken" in caught.value.message
    assert f"process {holder.pid})" in caught.value.message
    assert "--callback-port" in caught.value.hint
    assert isinstance(caught.value, SignInError)


async def test_a_port_that_is_forbidden_is_told_from_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(port: int) -> list[socket.socket]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(ports, "bind_pair", forbid)
    with pytest.raises(CallbackPortTaken) as caught:
        await listen_on_loopback([80], exact=True)
    assert "does not allow the bridge to listen on the callback port 80" in caught.value.message
    with pytest.raises(SignInError, match="cannot listen on any port of this machine"):
        await listen_on_loopback([50000], exact=False)


async def test_a_machine_without_ipv6_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.bind

    class NoIpv6(socket.socket):
        def bind(self, address: object, /) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
            real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", NoIpv6)
    (only,) = bind_pair(0)
    with closing(only):
        assert only.getsockname()[0] == "127.0.0.1"


@pytest.mark.skipif(sys.platform == "win32", reason="a port of Windows' is free at once")
def test_the_port_is_free_again_right_after_a_login(pair: list[socket.socket]) -> None:
    port = pair[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=stretched(5)) as client:
        pair[0].setblocking(True)
        served, _ = pair[0].accept()
        served.close()  # Ours is the side that closes first, which the system remembers for a minute.
        assert client.recv(1) == b""
    for one in pair:
        one.close()
    for one in bind_pair(port):
        one.close()


def test_each_system_has_its_own_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    assert ownership_option("win32") == -5
    assert ownership_option("linux") == ownership_option("darwin") == socket.SO_REUSEADDR
    assert [name for name in ("win32", "linux", "darwin", "freebsd14") if may_bind_beside(name)] == [
        "darwin",
        "freebsd14",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="macOS is played on a system with its options")
async def test_on_macos_a_port_that_answers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    # With it Linux lets us in beside another program, as SO_REUSEADDR does there.
    sharing = getattr(socket, "SO_REUSEPORT")  # noqa: B009 - Windows' types have none
    monkeypatch.setattr(ports, "ownership_option", lambda platform: sharing)
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, sharing, 1)
        held.bind(("0.0.0.0", 0))
        held.listen()
        with pytest.raises(CallbackPortTaken):
            await listen_on_loopback([held.getsockname()[1]], exact=True)
