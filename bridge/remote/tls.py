"""The TLS context: the certificates that are trusted, and the client certificate.

The trusted certificates are those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if either is set, else those of the operating
system; `--ca-file` adds to them. Verification cannot be switched off: `--ca-file` is for a private authority.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bridge.config import Settings
from bridge.errors import UsageError

_HASHED = re.compile(r"[0-9a-fA-F]{8}\.[0-9]")


class _EncryptedKeyError(Exception):
    """The key has a password. OpenSSL would ask for it on the terminal, which belongs to the host."""


def ssl_context(
    settings: Settings, environ: Mapping[str, str] | None = None, *, may_verify_late: bool = False
) -> ssl.SSLContext:
    """Return the context for connections to the remote server. Reads files.

    `may_verify_late`: the result may be a `SystemTrust`, with which the caller verifies the certificates after the
    handshake. Without it they are verified within the handshake, however long that takes. Raises `UsageError`, which
    names the option or variable, and the file that cannot be used.
    """
    context = _trusting(os.environ if environ is None else environ, may_verify_late=may_verify_late)
    if settings.ca_file:
        _load_authorities(context, settings.ca_file, "--ca-file")
    if settings.client_cert:
        _load_identity(context, settings.client_cert, settings.client_cert_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(environ: Mapping[str, str], *, may_verify_late: bool) -> ssl.SSLContext:
    file = environ.get("SSL_CERT_FILE", "")
    folders = environ.get("SSL_CERT_DIR", "")
    if not file and not folders:
        return _trusting_the_system(may_verify_late=may_verify_late)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if file:
        _load_authorities(context, Path(file), "SSL_CERT_FILE")
    if folders:
        # OpenSSL reads these directories only while it verifies; a wrong path would not be noticed before.
        existing = [folder for folder in folders.split(os.pathsep) if Path(folder).is_dir()]
        if not existing:
            raise UsageError(f"SSL_CERT_DIR names no existing directory: {folders}.")
        context.load_verify_locations(capath=os.pathsep.join(existing))
    return context


def _trusting_the_system(*, may_verify_late: bool) -> ssl.SSLContext:
    """A context that trusts what the system trusts. Windows and macOS verify by themselves (`system_trust`).

    On nearly every Linux, OpenSSL finds the system's file or directory itself. truststore would read it again for each
    connection, which takes 20 ms; so there it is read once, here.
    """
    if sys.platform not in ("win32", "darwin"):
        paths = ssl.get_default_verify_paths()
        if paths.cafile or (paths.capath and _holds_authorities(paths.capath)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.set_default_verify_paths()
            return context
    elif may_verify_late:
        from bridge.remote.system_trust import system_trust

        if (late := system_trust()) is not None:
            return late
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _holds_authorities(folder: str) -> bool:
    """Whether a directory has certificates under the names that OpenSSL looks for."""
    with suppress(OSError):
        return any(_HASHED.fullmatch(name) for name in os.listdir(folder))  # noqa: PTH208 - names are enough
    return False


def _load_authorities(context: ssl.SSLContext, file: Path, source: str) -> None:
    _check_readable(file, source)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise UsageError(
            f"{source}: {file} contains no usable PEM certificate.",
            hint="A PEM file contains a line -----BEGIN CERTIFICATE-----.",
        ) from None


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    _check_readable(certificate, "--client-cert")
    if key:
        _check_readable(key, "--client-cert-key")
    holder = key or certificate
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except _EncryptedKeyError:
        raise UsageError(
            f"The client key in {holder} is encrypted, and the bridge cannot ask for its password.",
            hint=f"Make a copy without a password: openssl pkey -in '{holder}' -out plain.key",
        ) from None
    except ssl.SSLError as error:
        raise _identity_error(error, certificate, key, holder) from None


def _identity_error(error: ssl.SSLError, certificate: Path, key: Path | None, holder: Path) -> UsageError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return UsageError(f"The client key in {holder} does not belong to the certificate in {certificate}.")
    if b"-----BEGIN CERTIFICATE" not in certificate.read_bytes():
        return UsageError(
            f"--client-cert: {certificate} contains no PEM certificate.",
            hint="Convert a .p12 or .pfx file with: openssl pkcs12 -in FILE -out client.pem -nodes",
        )
    if b"PRIVATE KEY-----" not in holder.read_bytes():
        hint = "" if key else "Give the file of the key with --client-cert-key."
        return UsageError(f"{holder} contains no PEM private key.", hint=hint)
    what = error.reason or "no reason given"
    return UsageError(f"The client certificate {certificate} with the key in {holder} cannot be used ({what}).")


def _check_readable(file: Path, source: str) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{source}: {file} cannot be read: {error.strerror}.") from None


def _refuse_password() -> str:
    raise _EncryptedKeyError
