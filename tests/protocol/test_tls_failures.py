"""Why TLS failed, by the reason that OpenSSL names."""

import ssl

import pytest

from bridge.protocol import tls_failures

WHERE = "https://mcp.example.com/mcp"


@pytest.mark.parametrize(
    ("reason", "text", "expected"),
    [
        ("UNSUPPORTED_PROTOCOL", "[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:1006)", None),
        (None, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
        (None, "[SSL] unknown error (_ssl.c:1006)", "UNKNOWN_ERROR"),
        (None, "EOF occurred in violation of protocol (_ssl.c:1006)", ""),
        ("", "", ""),
        (None, "[SSL] " + "x" * 10_000, ""),
    ],
)
def test_a_reason_is_found(reason: str | None, text: str, expected: str | None) -> None:
    assert tls_failures.reason_of(reason, text) == (reason if expected is None else expected)


@pytest.mark.parametrize(
    "reason",
    [
        *("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        *("SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED"),
        *("SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
        *("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"),
        *("TLSV1_ALERT_INSUFFICIENT_SECURITY", "DH_KEY_TOO_SMALL", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"),
        *("TLSV1_UNRECOGNIZED_NAME", "SSL/TLS_ALERT_UNRECOGNIZED_NAME"),
    ],
)
def test_what_lasts(reason: str) -> None:
    failure = tls_failures.failed(reason, WHERE, "words of the library")
    assert failure.lasts
    assert failure.told.message.startswith(f"Cannot reach {WHERE}: ")
    assert failure.told.message.endswith(".")
    assert failure.told.hint.endswith(".")
    assert "words of the library" not in failure.told.message


@pytest.mark.parametrize("reason", ["", "TLSV1_ALERT_INTERNAL_ERROR", "UNEXPECTED_EOF_WHILE_READING", "UNKNOWN_ERROR"])
def test_what_may_pass(reason: str) -> None:
    failure = tls_failures.failed(reason, WHERE, "words of the library")
    assert not failure.lasts
    assert failure.told.message == f"Cannot reach {WHERE}: the TLS handshake failed (words of the library)."


@pytest.mark.parametrize(
    ("why", "hint"),
    [
        ("self-signed certificate", "--ca-file FILE"),
        ("unable to get local issuer certificate", "--ca-file FILE"),
        ("certificate has expired", "the clock of this computer; if it is right: tell the server's operator."),
        ("certificate is not yet valid", "the clock of this computer"),
        ("Hostname mismatch, certificate is not valid for 'mcp.example.com'.", "host name in the URL"),
        ("IP address mismatch, certificate is not valid for '192.0.2.1'.", "host name in the URL"),
    ],
)
def test_what_to_do_about_a_certificate_that_is_not_accepted(why: str, hint: str) -> None:
    told = tls_failures.untrusted(WHERE, why)
    assert told.message == f"Cannot trust {WHERE}: its certificate was rejected ({why})."
    assert hint in told.hint


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (0x800B0101, "the clock of this computer"),
        (-67818, "the clock of this computer"),
        (-67819, "the clock of this computer"),
        (0x800B010F, "host name in the URL"),
        (-67602, "host name in the URL"),
        (0x800B0109, "--ca-file FILE"),
        (-67843, "--ca-file FILE"),
    ],
)
def test_what_to_do_goes_by_the_systems_number_for_it_speaks_the_users_language(code: int, hint: str) -> None:
    told = tls_failures.untrusted(WHERE, "Das Zertifikat ist nicht in Ordnung", code)
    assert hint in told.hint


def with_attributes() -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError("x")
    problem.verify_message, problem.verify_code = "The name\n does not match\u200b.", 0x800B010F
    return problem


@pytest.mark.parametrize(
    ("problem", "verdict"),
    [
        (with_attributes(), ("The name does not match", 0x800B010F)),
        (
            ssl.SSLCertVerificationError("Peer sent no certificates to verify"),
            ("Peer sent no certificates to verify", 0),
        ),
        (ssl.SSLCertVerificationError("[WinError 87] It is wrong."), ("[WinError 87] It is wrong", 0)),
        (ssl.SSLCertVerificationError(1, "x" * 1000), ("x" * 197 + "...", 0)),
        (ssl.SSLCertVerificationError(), ("", 0)),
    ],
)
def test_a_verification_error_is_read_also_where_python_code_raised_it(
    problem: ssl.SSLCertVerificationError, verdict: tuple[str, int]
) -> None:
    words, code = tls_failures.verdict_of(problem)
    assert (words, code) == (verdict[0].rstrip("."), verdict[1])


@pytest.mark.parametrize("reason", ["", "WRONG_VERSION_NUMBER", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"])
def test_what_says_nothing_of_the_clients_certificate(reason: str) -> None:
    assert tls_failures.client_refused(reason, WHERE) is None


@pytest.mark.parametrize(
    ("beginning", "tls", "http2"),
    [
        (b"", False, False),
        (b"HTTP/1.1 200 OK", False, False),
        (bytes.fromhex("15030300020246"), True, False),
        (bytes.fromhex("160301"), True, False),
        (b"\x15\x01", False, False),
        (bytes.fromhex("000000040000000000"), False, True),
        (bytes.fromhex("000008070000000000"), False, True),
        (bytes.fromhex("00000004000000"), False, False),
        (bytes.fromhex("000000000000000000"), False, False),
        (bytes.fromhex("000000040000000001"), False, False),
    ],
)
def test_other_protocols_are_known_by_their_first_bytes(beginning: bytes, tls: bool, http2: bool) -> None:
    assert tls_failures.answers_in_tls(beginning) is tls
    assert tls_failures.answers_in_http2(beginning) is http2
