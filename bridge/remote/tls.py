"""What TLS trusts, and who the bridge says it is.

Trust comes from `SSL_CERT_FILE` and `SSL_CERT_DIR` where either is set, else from the operating system's
store; `--ca-file` adds to that. Verification cannot be switched off: a private authority is named with
`--ca-file`.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from bridge.config import Settings
from bridge.errors import UsageError


class _EncryptedKeyError(Exception):
    """Raised instead of letting OpenSSL ask for a password on the terminal, which the host owns."""


def ssl_context(settings: Settings, environ: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """Return the context for connections to the remote server. It reads files.

    Raises `UsageError` that names the option or variable and the file that cannot be used.
    """
    context = _trusting(os.environ if environ is None else environ)
    if settings.ca_file:
        _load_authorities(context, settings.ca_file, "--ca-file")
    if settings.client_cert:
        _load_identity(context, settings.client_cert, settings.client_cert_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(environ: Mapping[str, str]) -> ssl.SSLContext:
    file = environ.get("SSL_CERT_FILE", "")
    folders = environ.get("SSL_CERT_DIR", "")
    if not file and not folders:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if file:
        _load_authorities(context, Path(file), "SSL_CERT_FILE")
    if folders:
        # OpenSSL looks into these only while it verifies, so a wrong path would say nothing until then.
        existing = [folder for folder in folders.split(os.pathsep) if Path(folder).is_dir()]
        if not existing:
            raise UsageError(f"SSL_CERT_DIR names no existing directory: {folders}.")
        context.load_verify_locations(capath=os.pathsep.join(existing))
    return context


def _load_authorities(context: ssl.SSLContext, file: Path, source: str) -> None:
    _check_readable(file, source)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise UsageError(
            f"{source}: {file} holds no usable PEM certificate.",
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
            f"The client key in {holder} is encrypted with a password, and the bridge cannot ask for it.",
            hint=f"Make a copy without a password: openssl pkey -in '{holder}' -out plain.key",
        ) from None
    except ssl.SSLError as error:
        raise _identity_error(error, certificate, key, holder) from None


def _identity_error(error: ssl.SSLError, certificate: Path, key: Path | None, holder: Path) -> UsageError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return UsageError(f"The client key in {holder} does not belong to the certificate in {certificate}.")
    if b"-----BEGIN CERTIFICATE" not in certificate.read_bytes():
        return UsageError(
            f"--client-cert: {certificate} holds no PEM certificate.",
            hint="Convert a .p12 or .pfx file with: openssl pkcs12 -in FILE -out client.pem -nodes",
        )
    if b"PRIVATE KEY-----" not in holder.read_bytes():
        hint = "" if key else "Name the key's file with --client-cert-key."
        return UsageError(f"{holder} holds no PEM private key.", hint=hint)
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
