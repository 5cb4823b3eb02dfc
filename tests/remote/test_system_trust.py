"""Certificates verified by the system: beside the event loop, within the time given, and before anything is sent."""

import asyncio
import contextlib
import ssl
import sys
import threading
from types import SimpleNamespace

import pytest
import trustme
import truststore
from truststore import _api

from bridge.config import Settings
from bridge.remote import system_trust as module
from bridge.remote import tls
from bridge.remote.connecting import NotConnected, Route, origin_of
from bridge.remote.system_trust import SystemTrust, system_trust
from bridge.remote.wire import Wire
from bridge.session.events import BodyReceived
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"


class FakeVerifier:
    """Judges when it is let, and keeps what it was asked."""

    def __init__(self, *, refuses: Exception | None = None, at_once: bool = True) -> None:
        self.asked: list[tuple[ssl.SSLContext, list[bytes], str]] = []
        self.begun, self.both = threading.Event(), threading.Event()
        self.may_end = threading.Event()
        self.was_let = True
        self._refuses = refuses
        if at_once:
            self.may_end.set()

    def __call__(self, context: ssl.SSLContext, chain: list[bytes], host: str) -> None:
        self.asked.append((context, chain, host))
        self.begun.set()
        if len(self.asked) == 2:
            self.both.set()
        self.was_let = self.may_end.wait(stretched(DEADLINE))
        if self._refuses is not None:
            raise self._refuses


class Hears:
    """A server that says nothing: `data` is what it heard before its connection was over."""

    def __init__(self) -> None:
        self.data = b""
        self._over = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        try:
            with contextlib.suppress(OSError):
                self.data = await peer.reader.read(1 << 16)
        finally:
            self._over.set()

    async def heard(self) -> bytes:
        async with asyncio.timeout(stretched(DEADLINE)):
            await self._over.wait()
        return self.data


def refusal() -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError("the system does not trust it")
    problem.verify_message = "the system does not trust it"
    return problem


async def test_the_system_is_asked_of_the_servers_certificates_and_its_name(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    verifier = FakeVerifier()
    context = SystemTrust(verifier)
    authority.configure_trust(context)
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        at = Exchanging(server.origin, tls=context)
        answer = (await at.post())[-1]
        _, writer = await asyncio.open_connection(HOST, server.port, ssl=client_tls)
        presented = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        at.close()
    assert isinstance(answer, BodyReceived)
    ((wanted, chain, host),) = verifier.asked
    assert (chain[0], host) == (presented, HOST)
    assert (wanted.check_hostname, wanted.verify_mode) == (True, ssl.CERT_REQUIRED)
    # What `--ca-file` adds is for the verifier to count as well.
    assert wanted.get_ca_certs(binary_form=True) == [ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())]


async def test_the_loop_goes_on_while_the_system_verifies(server_tls: ssl.SSLContext) -> None:
    verifier = FakeVerifier(at_once=False)
    async with (
        RawServer(Answers(response(b"secure")), server_tls) as slow,
        RawServer(Answers(response(b"beside"))) as other,
    ):
        waiting, beside = Exchanging(slow.origin, tls=SystemTrust(verifier)), Exchanging(other.origin)
        posting = asyncio.create_task(waiting.post())
        await asyncio.to_thread(verifier.begun.wait, stretched(DEADLINE))
        answer = (await beside.post())[-1]
        assert isinstance(answer, BodyReceived)
        assert not posting.done()
        verifier.may_end.set()
        answer = (await posting)[-1]
        waiting.close()
        beside.close()
    assert isinstance(answer, BodyReceived)
    assert answer.body == b"secure"
    assert verifier.was_let, "the loop stood still until the verifier gave up"


async def test_two_connections_are_verified_at_the_same_time(server_tls: ssl.SSLContext) -> None:
    verifier = FakeVerifier(at_once=False)
    context = SystemTrust(verifier)
    async with RawServer(Answers(response(), response()), server_tls) as server:
        at = Exchanging(server.origin, tls=context)
        posting = [asyncio.create_task(at.post()) for _ in range(2)]
        await asyncio.to_thread(verifier.both.wait, stretched(DEADLINE))
        verifier.may_end.set()
        await asyncio.gather(*posting)
        at.close()
    assert verifier.was_let
    assert len(verifier.asked) == 2


async def test_the_time_to_connect_holds_though_the_system_says_nothing(server_tls: ssl.SSLContext) -> None:
    verifier, talk = FakeVerifier(at_once=False), Hears()
    async with RawServer(talk, server_tls) as server:
        route = Route(origin_of(server.origin), None, SystemTrust(verifier))
        with pytest.raises(NotConnected) as failed:
            await route.connect(stretched(0.5))
        assert isinstance(failed.value.reason, TimeoutError)
        assert failed.value.step == "handshake"
        verifier.may_end.set()  # What it finds out now changes nothing.
        assert await talk.heard() == b""


@pytest.mark.parametrize("problem", [refusal(), OSError("the verifier itself failed"), ssl.SSLError("no certificates")])
async def test_where_the_system_refuses_nothing_of_a_request_is_sent(
    problem: Exception, server_tls: ssl.SSLContext
) -> None:
    talk = Hears()
    async with RawServer(talk, server_tls) as server:
        route = Route(origin_of(server.origin), None, SystemTrust(FakeVerifier(refuses=problem)))
        with pytest.raises(NotConnected) as failed:
            await route.connect(stretched(DEADLINE))
        assert isinstance(failed.value.reason, ssl.SSLError)
        assert await talk.heard() == b""


async def test_what_is_refused_is_told_in_the_systems_words(server_tls: ssl.SSLContext) -> None:
    async with RawServer(Answers(response()), server_tls) as server:
        at = Exchanging(server.origin, tls=SystemTrust(FakeVerifier(refuses=refusal())))
        failed = (await at.post())[-1]
        at.close()
    assert "certificate was rejected (the system does not trust it)" in str(getattr(failed, "message", failed))


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (
            OSError("[WinError 87] The parameter is incorrect"),
            "rejected ([WinError 87] The parameter is incorrect).",
        ),
        (ssl.SSLCertVerificationError("Peer sent no certificates to verify"), "(Peer sent no certificates to verify)."),
        (ssl.SSLError(1, "it is out of order"), "the TLS handshake failed (it is out of order)."),
    ],
)
async def test_where_the_systems_verifier_itself_fails_it_is_told_as_what_it_is(
    problem: Exception, told: str, server_tls: ssl.SSLContext
) -> None:
    async with RawServer(Answers(response()), server_tls) as server:
        at = Exchanging(server.origin, tls=SystemTrust(FakeVerifier(refuses=problem)))
        failed = (await at.post())[-1]
        at.close()
    assert told in str(getattr(failed, "message", failed))


async def test_code_that_forgets_to_verify_cannot_send(server_tls: ssl.SSLContext) -> None:
    verifier, talk = FakeVerifier(), Hears()
    async with RawServer(talk, server_tls) as server:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, HOST, server.port)
        assert wire.transport is not None
        secured = await loop.start_tls(wire.transport, wire, SystemTrust(verifier), server_hostname=HOST)
        assert secured is not None
        secured.write(b"POST / HTTP/1.1\r\n\r\n")
        with pytest.raises(ssl.SSLError, match="not been verified yet"):
            await wire.read()
        assert await talk.heard() == b""
    assert verifier.asked == []


async def test_only_a_connection_of_its_own_is_accepted() -> None:
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    with pytest.raises(ssl.SSLError):
        await SystemTrust(FakeVerifier()).verify(plain, HOST)


# -- where it is used


def settings() -> Settings:
    return Settings(url=f"https://{HOST}/mcp")


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A system with a verifier of its own, as truststore finds it."""
    asked: list[tuple[object, ...]] = []

    def verify(context: ssl.SSLContext, chain: list[bytes], server_hostname: str | None = None) -> None:
        asked.append((len(chain), server_hostname, threading.current_thread() is threading.main_thread()))

    verify.__module__ = "truststore._windows"
    monkeypatch.setattr(_api, "_verify_peercerts_impl", verify)
    monkeypatch.setattr(tls, "sys", SimpleNamespace(platform="win32"))
    return asked


async def test_the_relay_asks_the_system_late(verifier: list[tuple[object, ...]], server_tls: ssl.SSLContext) -> None:
    context = tls.ssl_context(settings(), {}, may_verify_late=True)
    async with RawServer(Answers(response(b"hi")), server_tls) as server:
        at = Exchanging(server.origin, tls=context)
        answer = (await at.post())[-1]
        at.close()
    assert isinstance(answer, BodyReceived)
    assert verifier == [(1, HOST, False)]


def test_by_default_the_context_verifies_in_the_handshake(
    verifier: list[tuple[object, ...]],
) -> None:
    assert isinstance(tls.ssl_context(settings(), {}), truststore.SSLContext)


def test_where_truststore_has_no_verifier_of_the_system_nothing_is_verified_late(
    verifier: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(_api, "_verify_peercerts_impl")
    assert isinstance(tls.ssl_context(settings(), {}, may_verify_late=True), truststore.SSLContext)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems have one")
def test_where_openssl_verifies_nothing_is_verified_late() -> None:
    assert system_trust() is None
    assert type(tls.ssl_context(settings(), {}, may_verify_late=True)) is not SystemTrust


@pytest.mark.skipif(sys.platform not in ("win32", "darwin"), reason="the system has no verifier of its own")
def test_the_systems_own_verifier_is_where_it_is_looked_for() -> None:
    assert system_trust() is not None


def test_the_chain_is_what_the_server_sent(authority: trustme.CA, server_tls: ssl.SSLContext) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = SystemTrust(FakeVerifier()).wrap_bio(down, up, server_hostname=HOST)
    theirs = server_tls.wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    chain = module._chain_of(ours)
    assert len(chain) >= 1
    assert all(ssl.DER_cert_to_PEM_cert(one).startswith("-----BEGIN CERTIFICATE") and one[0] == 0x30 for one in chain)
