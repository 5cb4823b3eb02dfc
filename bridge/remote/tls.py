"""What TLS trusts, and who the bridge says it is.

Trust comes from `SSL_CERT_FILE` and `SSL_CERT_DIR` where either is set, else from the operating system's
store; `--ca-file` adds to that. Verification cannot be switched off: a private authority is named with
`--ca-file`.
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
    """Raised instead of letting OpenSSL ask for a password on the terminal, which the host owns."""


def ssl_context(
    settings: Settings, environ: Mapping[str, str] | None = None, *, may_judge_late: bool = False
) -> ssl.SSLContext:
    """Return the context for connections to the remote server. It reads files.

    `may_judge_late`: who uses it knows that a `SystemTrust` judges nobody by itself; else certificates are judged
    within the handshake, however long that takes. Raises `UsageError` that names the option or variable and the file
    that cannot be used.
    """
    context = _trusting(os.environ if environ is None else environ, may_judge_late=may_judge_late)
    if settings.ca_file:
        _load_authorities(context, settings.ca_file, "--ca-file")
    if settings.client_cert:
        _load_identity(context, settings.client_cert, settings.client_cert_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(environ: Mapping[str, str], *, may_judge_late: bool) -> ssl.SSLContext:
    file = environ.get("SSL_CERT_FILE", "")
    folders = environ.get("SSL_CERT_DIR", "")
    if not file and not folders:
        return _trusting_the_system(may_judge_late=may_judge_late)
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


def _trusting_the_system(*, may_judge_late: bool) -> ssl.SSLContext:
    """What the system trusts, by truststore; Windows and macOS judge by themselves (`system_trust`).

    Where that is a file or folder that OpenSSL finds by itself, which is nearly every Linux, truststore has it read
    anew for each connection: 20 ms each. So there it is read here, once.
    """
    if sys.platform not in ("win32", "darwin"):
        paths = ssl.get_default_verify_paths()
        if paths.cafile or (paths.capath and _holds_authorities(paths.capath)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.set_default_verify_paths()
            return context
    elif may_judge_late:
        from bridge.remote.system_trust import system_trust

        if (late := system_trust()) is not None:
            return late
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _holds_authorities(folder: str) -> bool:
    """Whether certificates are in a folder under the names that OpenSSL looks for."""
    with suppress(OSError):
        return any(_HASHED.fullmatch(name) for name in os.listdir(folder))  # noqa: PTH208 - names are enough
    return False


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
