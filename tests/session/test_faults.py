"""What a person and a program are told."""

import msgspec
import pytest

from bridge.errors import ErrorKind
from bridge.protocol.sanitize import excerpt
from bridge.session import faults
from bridge.session.faults import Fault, server_words
from tests.session.playbook import URL, error


def test_the_error_for_one_request() -> None:
    line = Fault(ErrorKind.HTTP_STATUS, "It failed.", "Try again.", status=502).error_line(b'"a"', URL)
    assert msgspec.json.decode(line) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {
            "code": -32000,
            "message": "It failed. Try again.",
            "data": {"source": "mcp-remote-bridge", "kind": "http-status", "url": URL, "status": 502},
        },
    }


def test_the_id_keeps_its_bytes() -> None:
    assert Fault(ErrorKind.TIMEOUT, "m").error_line(b"1E2", URL).startswith(b'{"jsonrpc":"2.0","id":1E2,')


def test_a_key_in_the_server_s_url_is_in_no_error() -> None:
    line = Fault(ErrorKind.TIMEOUT, "It broke.").error_line(b"1", "https://mcp.example/mcp?api_key=planted")
    assert msgspec.json.decode(line)["error"]["data"]["url"] == "https://mcp.example/mcp"


def test_a_fault_without_status_or_hint_names_neither() -> None:
    error_object = msgspec.json.decode(Fault(ErrorKind.TIMEOUT, "Late.").error_line(b"0", URL))["error"]
    assert (error_object["message"], sorted(error_object["data"])) == ("Late.", ["kind", "source", "url"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (error(1, "no tool"), "no tool"),
        (b'{"error":"invalid_token","error_description":"It expired"}', "It expired"),
        (b'{"error":"invalid_token"}', "invalid_token"),
        (b'{"message":"Forbidden"}', "Forbidden"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b"<html><TITLE lang=en>\n502 Bad\tGateway </title>", "502 Bad Gateway"),
        (b"<html><body>long</body>", ""),
        (b'{"error":{"message":5}}', ""),
        (b"[1]", ""),
        (b"upstream\r\nconnect error", "upstream connect error"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_what_an_error_body_says(body: bytes, said: str) -> None:
    assert server_words(body) == said


def test_nesting_is_no_trap() -> None:
    assert server_words(b"[" * 100_000) == ""


def test_an_excerpt_is_one_short_line() -> None:
    assert excerpt(b"a\nb\x1b[31m\xe2\x80\xa8c") == "a b [31m c"
    assert excerpt(b"x" * 300) == "x" * 300
    assert excerpt(b"x" * 301) == "x" * 297 + "..."
    assert excerpt(b"abcdef", 5) == "ab..."


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, "http-status", "401 Unauthorized"),
        (404, "http-status", "Check the path"),
        (429, "rate-limited", "429 Too Many Requests"),
        (502, "http-status", "gateway"),
        (599, "http-status", "answered 599."),
    ],
)
def test_a_refusal_names_the_url_the_status_and_what_to_do(status: int, kind: str, words: str) -> None:
    fault = faults.refused(URL, status, b"")
    assert (fault.kind, fault.status) == (kind, status)
    text = f"{fault.message} {fault.hint}"
    assert URL in text
    assert words in text


def test_a_refusal_repeats_what_the_server_says_as_one_sentence() -> None:
    assert (
        faults.refused(URL, 500, b"no disk").message
        == f'{URL} answered 500 Internal Server Error; the server said: "no disk".'
    )
    assert faults.refused(URL, 500, b"Really?").message.endswith('; the server said: "Really?".')


@pytest.mark.parametrize(
    "body",
    [
        b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_a_server_that_wants_tls_is_told_with_what_to_do(body: bytes) -> None:
    assert "https://" in faults.refused(URL, 400, body).hint
    assert "https://" not in faults.refused(URL, 400, b"Bad Request").hint


def test_an_unknown_outcome_warns_before_trying_again() -> None:
    fault = faults.outcome_unknown(URL, "tools/call", "reset by peer.")
    assert fault.kind == "outcome-unknown"
    assert "(reset by peer);" in fault.message
    assert "may or may not have run" in fault.message


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (Fault(ErrorKind.TIMEOUT, "Late.").error_line(b"0", URL), "timeout"),
        (error(1, "no tool"), ""),
        (b'{"error":{"data":{"source":"another","kind":"timeout"}}}', ""),
        (b'{"error":{"data":{"source":5}}}', ""),
        (b'{"error":null}', ""),
    ],
)
def test_an_error_of_the_bridges_own_is_known_by_its_kind(line: bytes, kind: str) -> None:
    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    assert faults.own_kind(members["error"]) == kind


LURE = (
    b'Sign in\xe2\x80\x8b again. "Open\xf3\xa0\x81\x81 https://evil.example/a [here](//evil.example)\x1b[2J '
    + b"now " * 500
)
"""What a hostile server says: invisible characters, links, an end of the quotation, far too much."""


@pytest.mark.parametrize(
    "fault",
    [
        faults.refused(URL, 403, LURE),
        faults.refused(URL, 500, b"<title>" + LURE[:150] + b"</title>"),
        faults.refused(URL, 400, msgspec.json.encode({"error": {"code": 1, "message": LURE.decode()}})),
        faults.refused(URL, 400, msgspec.json.encode({"error": "x", "error_description": LURE.decode()})),
        faults.not_json(URL, 200, b"text/html", LURE),
        faults.not_json(URL, 200, b'text/html "Open https://evil.example/', b""),
    ],
    ids=["text", "title", "json-rpc", "oauth", "page", "content-type"],
)
def test_a_servers_words_are_marked_short_and_without_links(fault: Fault) -> None:
    said = fault.message.removeprefix(URL)
    assert "//" not in said
    assert "evil" not in said
    assert said.count('"') == 2
    assert said.isprintable()
    assert len(said) < 350


def test_a_plain_media_type_is_told_as_it_is() -> None:
    message = faults.not_json(URL, 200, b"text/html; charset=utf-8", b"").message
    assert message == f"{URL} answered text/html instead of JSON."
