"""Why TLS failed, by the reason that OpenSSL names (`ssl.SSLError.reason`): a sentence, and what to do.

| reason | what it means | temporary |
|---|---|---|
| no TLS record came | the server there does not use TLS | no |
| `..._CERTIFICATE_REQUIRED` | the server requires a client certificate; TLS 1.3: after the handshake | no |
| alert of a bad, unknown, expired, revoked certificate, of access denied | it rejected the one it got, or none | no |
| `..._HANDSHAKE_FAILURE` | in TLS 1.2: no client certificate, or no common cipher | no |
| `..._NO_APPLICATION_PROTOCOL` | the server does not support HTTP/1.1 | no |
| `..._PROTOCOL_VERSION`, `UNSUPPORTED_PROTOCOL` | the server supports only TLS 1.1 or older | no |
| weak keys, ciphers, renegotiation | either side rejects them as no longer secure | no |
| `..._UNRECOGNIZED_NAME` | the server does not serve this host name (RFC 6066, 3) | no |
| anything else | a problem of the network or the server | possibly |

The alerts are those of RFC 8446, 6; in OpenSSL they begin with `SSLV3_ALERT_`, `TLSV1_ALERT_`, `TLSV1_` or
`TLSV13_ALERT_`.

OpenSSL verifies a certificate on Linux, the system elsewhere, whose text is in the user's language. So the hint depends
on the number (`SSLCertVerificationError.verify_code`):

| what is wrong | OpenSSL | Windows | macOS |
|---|---|---|---|
| not yet valid | 9 | 800B0101 (CERT_E_EXPIRED, both) | -67819 (errSecCertificateNotValidYet) |
| no longer valid | 10 | 800B0101 | -67818 (errSecCertificateExpired) |
| for another name | 62, 64 | 800B010F (CERT_E_CN_NO_MATCH) | -67602 (errSecHostNameMismatch) |

Sources: OpenSSL's `x509_vfy.h`; Microsoft's CERT_CHAIN_POLICY_STATUS; Apple's `SecBase.h`. OpenSSL's text is used too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bridge.protocol.sanitize import PROBLEM, shown
from bridge.protocol.unreachable import CHECK_PORT, Advice

_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"))
_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW")
_WEAK = (
    *("INSUFFICIENT_SECURITY", "KEY_TOO_SMALL", "MD_TOO_WEAK", "UNSAFE_LEGACY_RENEGOTIATION", "NO_SHARED_CIPHER"),
    *("WRONG_CIPHER_RETURNED", "UNKNOWN_CIPHER_RETURNED", "NO_CIPHERS_AVAILABLE", "WRONG_SIGNATURE_TYPE"),
)
_CERTIFICATE_ALERTS = (
    *("ALERT_BAD_CERTIFICATE", "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_CERTIFICATE_REVOKED"),
    *("ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_UNKNOWN_CA", "ALERT_ACCESS_DENIED"),
)
_PREFIXES = ("SSLV3_", "TLSV13_", "TLSV1_", "SSL_", "ALERT_")
_WRONG_DATES = ("has expired", "not yet valid")
_CODES_OF_WRONG_DATES = frozenset((9, 10, 0x800B0101, -67818, -67819))
_CODES_OF_ANOTHER_NAME = frozenset((62, 64, 0x800B010F, -67602))
_IN_TEXT = re.compile(r"\[[^\]]*\] ([a-z0-9 ]{1,80}) \(_ssl\.c")
_GIVE_ONE = "pass --client-cert FILE, and --client-cert-key FILE if the key is in a file of its own"
_TELL_OPERATOR = "Tell the server's operator"


class TlsFailure(NamedTuple):
    """What to tell the user, and whether trying again cannot help (`lasts`)."""

    told: Advice
    lasts: bool


def failed(reason: str, where: str, why: str) -> TlsFailure:
    """The handshake with `where` failed. `why`: the library's text, for an unknown reason."""
    if reason in _NO_TLS:
        return TlsFailure(no_tls(where), lasts=True)
    refused = client_refused(reason, where)
    if refused is not None:
        return TlsFailure(refused, lasts=True)
    named = _named(reason)
    if "NO_APPLICATION_PROTOCOL" in reason:
        return TlsFailure(http2_only(where, named), lasts=True)
    if any(sign in reason for sign in _OLD):
        told = Advice(
            f"Cannot reach {where}: it offers only TLS 1.1 or older, which is no longer secure ({named}).",
            f"{_TELL_OPERATOR} to enable TLS 1.2 or 1.3.",
        )
        return TlsFailure(told, lasts=True)
    if any(sign in reason for sign in _WEAK):
        told = Advice(
            f"Cannot reach {where}: it offers only encryption that is no longer secure ({named}).",
            f"{_TELL_OPERATOR} to renew its TLS configuration.",
        )
        return TlsFailure(told, lasts=True)
    if "UNRECOGNIZED_NAME" in reason:
        told = Advice(
            f"Cannot reach {where}: the server there does not serve this host name ({named}).",
            "Check the host name in the URL.",
        )
        return TlsFailure(told, lasts=True)
    return TlsFailure(Advice(f"Cannot reach {where}: the TLS handshake failed ({why}).", "Try again."), lasts=False)


def client_refused(reason: str, where: str) -> Advice | None:
    """What an alert about the client's certificate means; None for any other reason.

    It may come after the handshake, in place of a response to the first request, which was not read (RFC 8446, 4.4.2).
    """
    named = _named(reason)
    if "CERTIFICATE_REQUIRED" in reason:
        return Advice(
            f"Cannot reach {where}: it requires a client certificate ({named}).",
            f"{_GIVE_ONE[0].upper()}{_GIVE_ONE[1:]}.",
        )
    if any(alert in reason for alert in _CERTIFICATE_ALERTS):
        return Advice(
            f"Cannot reach {where}: it rejected the client certificate, or requires one ({named}).",
            "If --client-cert is set, check that the certificate is valid today and from an authority that the server "
            f"trusts; if not, {_GIVE_ONE}.",
        )
    if "HANDSHAKE_FAILURE" in reason:
        return Advice(
            f"Cannot reach {where}: it ended the TLS handshake ({named}).",
            f"It may require a client certificate: {_GIVE_ONE}. Or it offers no secure cipher.",
        )
    return None


def untrusted(where: str, why: str, code: int = 0) -> Advice:
    """A certificate that was not accepted; `why` and `code` are the reason of who judged it (`verdict_of`)."""
    hint = (
        "If your organization has its own certificate authority, pass its certificate with --ca-file FILE, "
        "or set SSL_CERT_FILE."
    )
    if code in _CODES_OF_WRONG_DATES or any(sign in why for sign in _WRONG_DATES):
        hint = f"Check the clock of this computer; if it is right: {_TELL_OPERATOR[0].lower()}{_TELL_OPERATOR[1:]}."
    elif code in _CODES_OF_ANOTHER_NAME or "mismatch" in why:
        hint = "The certificate is for another name: check the host name in the URL."
    return Advice(f"Cannot trust {where}: its certificate was rejected ({why}).", hint)


def verdict_of(problem: OSError) -> tuple[str, int]:
    """The reason of an `ssl.SSLCertVerificationError` in words, and its number, 0 where there is none.

    One that Python code raised (truststore, where the system's verifier itself fails) may have neither attribute, and
    `str` shows its argument with quotes and brackets. macOS names the certificate in its words, so they are the
    server's in part.
    """
    words = getattr(problem, "verify_message", "") or problem.strerror or " ".join(map(str, problem.args))
    return shown(words, PROBLEM).rstrip("."), getattr(problem, "verify_code", 0)


def no_tls(where: str) -> Advice:
    """The answer to a TLS handshake is not TLS."""
    return Advice(f"Cannot reach {where}: the server there does not use TLS.", CHECK_PORT.format("http"))


def tls_only(where: str) -> Advice:
    """The answer to a request without TLS is TLS."""
    return Advice(f"Cannot reach {where}: the server there uses TLS.", "Begin the URL with https://.")


def http2_only(where: str, how: str) -> Advice:
    """The server supports only HTTP/2; `how`: what showed that."""
    return Advice(
        f"Cannot reach {where}: it supports only HTTP/2 ({how}), and the bridge uses HTTP/1.1.",
        f"{_TELL_OPERATOR} to enable HTTP/1.1, or put a proxy in front of it that supports both, such as caddy or "
        "haproxy.",
    )


def answers_in_tls(beginning: bytes) -> bool:
    """Whether an answer begins as a TLS record that holds an alert or a handshake message (RFC 8446, 5.1)."""
    return beginning[:1] in {b"\x15", b"\x16"} and beginning[1:2] == b"\x03"


def answers_in_http2(beginning: bytes) -> bool:
    """Whether an answer begins as HTTP/2 does, with a SETTINGS frame, or a GOAWAY frame (RFC 9113, 3.4, 4.1)."""
    return len(beginning) >= 9 and beginning[0] == 0 and beginning[3] in {4, 7} and beginning[5:9] == bytes(4)


def reason_of(reason: str | None, text: str) -> str:
    """OpenSSL's name of a reason: from Python, or from the exception's text where Python does not know it.

    In the text it is in words: `[SSL] tlsv1 alert no application protocol (_ssl.c:1006)`.
    """
    found = None if reason else _IN_TEXT.search(text)
    return found[1].replace(" ", "_").upper() if found else reason or ""


def _named(reason: str) -> str:
    for prefix in _PREFIXES:
        reason = reason.removeprefix(prefix)
    return reason.replace("_", " ").lower()
