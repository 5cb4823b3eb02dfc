"""What no second try can mend is told at once, with what to do; and what was not run is not told as sent.

The servers are real ones of OpenSSL where it can be made to be one, else the bytes that others send.
"""

import asyncio
import datetime
import ssl
import warnings

import pytest
import trustme

from bridge.session.events import Cause, ExchangeFailed
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.raw_server import Peer, RawServer, Talk
from tests.support.servers.tls_server import TlsServer

pytestmark = pytest.mark.anyio

SETTINGS = bytes.fromhex("000012 04 00 00000000 000300000064 000400100000 000600010000")
GOAWAY = bytes.fromhex("000008 07 00 00000000 00000000 00000001")
NO_APPLICATION_PROTOCOL = bytes.fromhex("15 0303 0002 02 78")
PROTOCOL_VERSION = bytes.fromhex("15 0301 0002 02 46")
UNEXPECTED_MESSAGE = bytes.fromhex("15 0303 0002 02 0a")
# The answer of a server that knows no more than SSL 3: a ServerHello of that version.
SSL3_SERVER_HELLO = bytes.fromhex("16 0300 002a 02 000026 0300") + bytes(32) + bytes.fromhex("00 000a 00")


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """One for each test, for some change it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture
def exacting(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context that wants a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def saying(data: bytes) -> Talk:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(1 << 16)
        await peer.send(data)
        await peer.gone()

    return talk


async def told_at_once(at: Exchanging, body: bytes = b"{}") -> ExchangeFailed:
    failed = only(ExchangeFailed, await at.post(body))
    at.close()
    assert failed.cause is Cause.UNTRUSTED
    assert failed.definite
    assert not failed.sent
    assert failed.hint.endswith(".")
    return failed


# -- client certificates


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (ssl.TLSVersion.TLSv1_3, "it requires a client certificate (certificate required)"),
        (ssl.TLSVersion.TLSv1_2, "it ended the TLS handshake (handshake failure)"),
    ],
)
async def test_a_client_certificate_is_required(
    version: ssl.TLSVersion, words: str, exacting: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    exacting.minimum_version = exacting.maximum_version = version
    async with TlsServer(exacting) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls))
        assert failed.message == f"Cannot reach {server.origin}: {words}."
        assert server.requests == 0
    assert "--client-cert FILE" in failed.hint


async def test_a_client_certificate_is_required_of_a_large_request_too(
    exacting: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with TlsServer(exacting) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls), b"x" * 3_000_000)
    assert "requires a client certificate" in failed.message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_a_client_certificate_of_another_authority(
    version: ssl.TLSVersion, exacting: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    exacting.minimum_version = exacting.maximum_version = version
    trustme.CA().issue_cert("client@example.com").configure_cert(client_tls)
    async with TlsServer(exacting) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls))
    assert "rejected the client certificate, or requires one (unknown ca)" in failed.message
    assert "authority that the server trusts" in failed.hint


async def test_a_client_certificate_that_is_no_longer_valid(
    authority: trustme.CA, exacting: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    authority.issue_cert("client@example.com", not_before=past, not_after=past).configure_cert(client_tls)
    async with TlsServer(exacting) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls))
    assert "(certificate expired)" in failed.message


async def test_a_client_certificate_that_is_accepted_is_no_failure(
    authority: trustme.CA, exacting: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    authority.issue_cert("client@example.com").configure_cert(client_tls)
    async with TlsServer(exacting) as server:
        at = Exchanging(server.origin, tls=client_tls)
        assert not any(isinstance(event, ExchangeFailed) for event in await at.post())
        at.close()


# -- versions and ciphers


async def test_tls_1_1_only(authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(old)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with TlsServer(old) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls))
    assert "it offers only TLS 1.1 or older" in failed.message
    assert "TLS 1.2 or 1.3" in failed.hint


@pytest.mark.parametrize("said", [PROTOCOL_VERSION, SSL3_SERVER_HELLO])
async def test_older_than_that(said: bytes, client_tls: ssl.SSLContext) -> None:
    async with RawServer(saying(said)) as server:
        failed = await told_at_once(Exchanging(server.origin.replace("http:", "https:"), tls=client_tls))
    assert "it offers only TLS 1.1 or older" in failed.message


async def test_no_cipher_in_common(authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(other)
    other.maximum_version = ssl.TLSVersion.TLSv1_2
    other.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")
    client_tls.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
    client_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    async with TlsServer(other) as server:
        failed = await told_at_once(Exchanging(server.origin, tls=client_tls))
    assert "it ended the TLS handshake (handshake failure)" in failed.message
    assert "cipher" in failed.hint


# -- HTTP/2 only


async def test_http2_only_by_alpn(client_tls: ssl.SSLContext) -> None:
    async with RawServer(saying(NO_APPLICATION_PROTOCOL)) as server:
        failed = await told_at_once(Exchanging(server.origin.replace("http:", "https:"), tls=client_tls))
    assert "it supports only HTTP/2 (no application protocol)" in failed.message
    assert "enable HTTP/1.1" in failed.hint


@pytest.mark.parametrize("said", [SETTINGS, SETTINGS + GOAWAY, GOAWAY, SETTINGS[:9]])
async def test_http2_only_by_its_first_frame(
    said: bytes, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    for tls in (None, server_tls):
        async with RawServer(saying(said), tls) as server:
            failed = await told_at_once(Exchanging(server.origin, tls=client_tls if tls else None))
        assert "it supports only HTTP/2 (it answered with an HTTP/2 frame)" in failed.message


async def test_http2_only_by_a_first_frame_in_pieces() -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        for byte in SETTINGS:
            await peer.send(bytes((byte,)))
            await asyncio.sleep(0)
        await peer.gone()

    async with RawServer(talk) as server:
        failed = await told_at_once(Exchanging(server.origin))
    assert "it supports only HTTP/2" in failed.message


# -- TLS where none is expected


@pytest.mark.parametrize("alert", [UNEXPECTED_MESSAGE, PROTOCOL_VERSION])
async def test_an_alert_as_the_answer_to_a_request_without_tls(alert: bytes) -> None:
    async with RawServer(saying(alert)) as server:
        failed = await told_at_once(Exchanging(server.origin))
        assert failed.message == f"Cannot reach {server.origin}: the server there uses TLS."
    assert "https://" in failed.hint


async def test_other_bytes_than_http_are_still_an_unknown_outcome() -> None:
    async with RawServer(saying(b"\0\1\2\3 anything")) as server:
        failed = only(ExchangeFailed, await Exchanging(server.origin).post())
        assert (failed.cause, failed.sent) == (Cause.LOST, True)
        assert failed.message.startswith(f"The response from {server.origin} is not HTTP (")
