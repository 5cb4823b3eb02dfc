"""TLS against real handshakes in memory: who is trusted, who we are, and what a bad file is told."""

import os
import ssl
import sys
from pathlib import Path

import pytest
import trustme
import truststore
from cryptography.hazmat.primitives import serialization

from bridge.config import Settings
from bridge.errors import UsageError
from bridge.remote.tls import ssl_context

HOST = "mcp.example.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("client@example.com")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return file


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    file = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return file


def settings(**values: Path) -> Settings:
    return Settings(url=f"https://{HOST}/mcp", **values)  # type: ignore[arg-type]


def server_context(authority: trustme.CA, *, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if wants_client:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str = HOST) -> ssl.SSLObject:
    """Both sides in memory; returns the server's side."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname=name)
    theirs = server.wrap_bio(up, down, server_side=True)
    pending = [ours, theirs]
    for _ in range(10):
        for side in tuple(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                continue
        if not pending:
            return theirs
    raise AssertionError("the handshake did not end")


def test_the_system_store_does_not_trust_a_private_authority(authority: trustme.CA) -> None:
    context = ssl_context(settings(), {})
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, server_context(authority))


def test_the_system_store_is_what_truststore_takes_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    context = ssl_context(settings(), {})
    if isinstance(context, truststore.SSLContext):
        return  # The system's own verifier, or places that OpenSSL does not know of.
    theirs = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.get_ca_certs() == theirs._ctx.get_ca_certs()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems verify themselves")
def test_the_system_store_is_read_once_not_for_each_connection(
    monkeypatch: pytest.MonkeyPatch, ca_file: Path, authority: trustme.CA
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths_of(cafile=str(ca_file)))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))  # What OpenSSL itself goes by.
    context = ssl_context(settings(), {})
    ca_file.unlink()
    shake_hands(context, server_context(authority))
    shake_hands(context, server_context(authority))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems verify themselves")
@pytest.mark.parametrize("names", [None, [], ["README", "ca.pem"]])
def test_where_openssl_knows_no_place_truststore_looks_for_one(
    names: list[str] | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "certs"
    if names is not None:
        folder.mkdir()
        for name in names:
            (folder / name).write_text("x")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths_of(capath=str(folder)))
    assert isinstance(ssl_context(settings(), {}), truststore.SSLContext)


def paths_of(cafile: str | None = None, capath: str | None = None) -> ssl.DefaultVerifyPaths:
    return ssl.DefaultVerifyPaths(cafile, capath, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")  # type: ignore[arg-type]


def test_ca_file_adds_to_the_system_store(authority: trustme.CA, ca_file: Path) -> None:
    side = shake_hands(ssl_context(settings(ca_file=ca_file), {}), server_context(authority))
    assert side.selected_alpn_protocol() == "http/1.1"


def test_the_host_name_is_checked(authority: trustme.CA, ca_file: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ssl_context(settings(ca_file=ca_file), {}), server_context(authority), "other.example.com")


def test_ssl_cert_file_replaces_the_system_store(authority: trustme.CA, ca_file: Path, other_ca: Path) -> None:
    context = ssl_context(settings(), {"SSL_CERT_FILE": str(ca_file)})
    assert context.cert_store_stats()["x509_ca"] == 1
    shake_hands(context, server_context(authority))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ssl_context(settings(), {"SSL_CERT_FILE": str(other_ca)}), server_context(authority))


def test_ca_file_adds_to_ssl_cert_file(authority: trustme.CA, ca_file: Path, other_ca: Path) -> None:
    context = ssl_context(settings(ca_file=ca_file), {"SSL_CERT_FILE": str(other_ca)})
    shake_hands(context, server_context(authority))
    assert context.cert_store_stats()["x509_ca"] == 2


def test_ssl_cert_dir_may_hold_missing_directories(tmp_path: Path, authority: trustme.CA) -> None:
    folders = os.pathsep.join([str(tmp_path / "none"), str(tmp_path)])
    context = ssl_context(settings(), {"SSL_CERT_DIR": folders, "SSL_CERT_FILE": ""})
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, server_context(authority))


def test_nothing_switches_verification_off(ca_file: Path) -> None:
    for context in (ssl_context(settings(), {}), ssl_context(settings(), {"SSL_CERT_FILE": str(ca_file)})):
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_variable_with_a_missing_path_is_named(variable: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(UsageError) as caught:
        ssl_context(settings(), {variable: missing})
    assert variable in str(caught.value)
    assert missing in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\x30\x82\x01\x00", b"-----BEGIN CERTIFICATE-----\nx"])
def test_a_file_without_a_certificate_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.pem"
    file.write_bytes(content)
    for given, environ, source in (
        (settings(ca_file=file), {}, "--ca-file"),
        (settings(), {"SSL_CERT_FILE": str(file)}, "SSL_CERT_FILE"),
    ):
        with pytest.raises(UsageError, match="no usable PEM certificate") as caught:
            ssl_context(given, environ)
        assert source in str(caught.value)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize("combined", [True, False])
def test_the_client_certificate_is_shown(
    authority: trustme.CA, client: trustme.LeafCert, ca_file: Path, tmp_path: Path, combined: bool
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    if combined:
        client.private_key_and_cert_chain_pem.write_to_path(cert)
        given = settings(ca_file=ca_file, client_cert=cert)
    else:
        client.cert_chain_pems[0].write_to_path(cert)
        client.private_key_pem.write_to_path(key)
        given = settings(ca_file=ca_file, client_cert=cert, client_cert_key=key)
    side = shake_hands(ssl_context(given, {}), server_context(authority, wants_client=True))
    shown = side.getpeercert()
    assert shown is not None
    assert ("email", "client@example.com") in shown["subjectAltName"]


def test_a_password_is_never_asked_for(client: trustme.LeafCert, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    client.cert_chain_pems[0].write_to_path(cert)
    plain = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = serialization.BestAvailableEncryption(b"pw")
    key.write_bytes(plain.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(UsageError, match="is encrypted, and the bridge cannot ask") as caught:
        ssl_context(settings(client_cert=cert, client_cert_key=key), {})
    assert str(key) in str(caught.value)


def test_a_key_of_another_certificate_is_told(authority: trustme.CA, client: trustme.LeafCert, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    client.cert_chain_pems[0].write_to_path(cert)
    authority.issue_cert("x@example.com").private_key_pem.write_to_path(key)
    with pytest.raises(UsageError, match="does not belong"):
        ssl_context(settings(client_cert=cert, client_cert_key=key), {})


def test_what_is_missing_from_a_client_certificate_is_told(client: trustme.LeafCert, tmp_path: Path) -> None:
    cert, bundle = tmp_path / "cert.pem", tmp_path / "client.p12"
    client.cert_chain_pems[0].write_to_path(cert)
    bundle.write_bytes(b"\x30\x82\x0a\x00")
    with pytest.raises(UsageError, match="--client-cert-key"):
        ssl_context(settings(client_cert=cert), {})
    with pytest.raises(UsageError, match="no PEM private key"):
        ssl_context(settings(client_cert=cert, client_cert_key=cert), {})
    with pytest.raises(UsageError, match="openssl pkcs12"):
        ssl_context(settings(client_cert=bundle), {})


@pytest.mark.parametrize("source", ["--ca-file", "--client-cert", "--client-cert-key"])
def test_a_missing_file_is_named_with_its_option(source: str, client: trustme.LeafCert, tmp_path: Path) -> None:
    cert, missing = tmp_path / "cert.pem", tmp_path / "none.pem"
    client.cert_chain_pems[0].write_to_path(cert)
    values = {"--ca-file": {"ca_file": missing}, "--client-cert": {"client_cert": missing}}
    values["--client-cert-key"] = {"client_cert": cert, "client_cert_key": missing}
    with pytest.raises(UsageError) as caught:
        ssl_context(settings(**values[source]), {})
    assert str(caught.value).startswith(f"{source}: {missing} cannot be read")
