"""What a whole response means, case by case of the table in `verdicts`."""

import pytest

from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Request
from bridge.session.events import BodyReceived
from bridge.session.response_kind import JudgedResponse, ResponseKind, judge, may_be_legacy
from tests.session.playbook import INITIALIZE, URL, error, request, result, tool_call

Kind = ResponseKind
HTML = b"<!doctype html><html><head><title>Sign in</title></head></html>"


def parsed(line: bytes) -> Request:
    message = jsonrpc.parse(line)
    assert isinstance(message, Request)
    return message


CALL = parsed(request(7))


def verdict(
    status: int,
    body: bytes = b"",
    *,
    call: Request | None = CALL,
    in_session: bool = True,
    retry_after: float | None = None,
    type_: bytes = b"text/html",
) -> JudgedResponse:
    ids = (call.id,) if call else ()
    return judge(BodyReceived(1, status, type_, body, retry_after), URL, ids, in_session=in_session)


@pytest.mark.parametrize("body", [b"{}", b"[]", b" \n{}", b"\xef\xbb\xbf{}", b" " * 100 + b"{}", b"{" + b"x" * 100])
def test_json_with_a_good_status_is_read(body: bytes) -> None:
    assert verdict(200, body).kind is Kind.READ


@pytest.mark.parametrize("body", [b"", b" \n", b"Accepted"])
def test_only_202_says_that_an_answer_may_come_elsewhere(body: bytes) -> None:
    answer = verdict(202, body)
    assert answer.kind is Kind.ACCEPTED
    assert (answer.fault.kind, answer.fault.status) == ("no-answer", 202)


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b" \r\n"), (201, b""), (204, b""), (299, b" " * 100)])
def test_an_empty_body_with_another_good_status_is_a_fault(status: int, body: bytes) -> None:
    answer = verdict(status, body)
    assert answer.kind is Kind.FAULT
    assert answer.fault.message.startswith(f"{URL} answered {status}")
    assert "without an answer in its body" in answer.fault.message
    assert (answer.fault.kind, answer.fault.status) == ("no-answer", status)


@pytest.mark.parametrize("body", [HTML, b"ok", b"null", b'"{}"', b" " * 100 + HTML])
def test_anything_else_with_a_good_status_is_a_fault(body: bytes) -> None:
    answer = verdict(200, body)
    assert (answer.kind, answer.fault.kind) == (Kind.FAULT, "not-json")


def test_a_page_says_its_title() -> None:
    message = verdict(200, HTML).fault.message
    assert message == f'{URL} answered text/html instead of JSON; the server said: "Sign in".'


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"", Kind.SESSION_GONE),
        (404, HTML, Kind.SESSION_GONE),
        (404, result(7), Kind.SESSION_GONE),
        (400, error(None, "Bad Request: No valid Session ID provided"), Kind.SESSION_GONE),
        (400, b'{"error":"unknown session"}', Kind.SESSION_GONE),
        (400, b"Invalid session", Kind.SESSION_GONE),
        (400, error(None, "Bad Request"), Kind.FAULT),
        (400, b"", Kind.FAULT),
        (410, b"session", Kind.FAULT),
        (403, b"session", Kind.FAULT),
    ],
)
def test_whether_the_session_is_gone(status: int, body: bytes, kind: ResponseKind) -> None:
    assert verdict(status, body).kind is kind


@pytest.mark.parametrize("status", [400, 404])
def test_no_session_can_be_gone_where_none_was(status: int) -> None:
    assert verdict(status, error(None, "no such session"), in_session=False).kind is Kind.FAULT


@pytest.mark.parametrize("status", [400, 401, 403, 405, 422, 429, 500, 503])
def test_an_answer_is_read_whatever_the_status(status: int) -> None:
    assert verdict(status, error(7, "no such tool"), retry_after=1.0).kind is Kind.READ


@pytest.mark.parametrize("body", [error(8, "x"), error(None, "x"), error("7", "x"), request(7), b"{", b"[]"])
def test_what_answers_another_request_is_not_read(body: bytes) -> None:
    assert verdict(500, body).kind is Kind.FAULT


def test_a_note_has_no_answer_to_read() -> None:
    assert verdict(500, error(7, "x"), call=None).kind is Kind.FAULT


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_wait_is_waited_and_a_long_one_told(status: int) -> None:
    later = verdict(status, retry_after=30.0)
    assert (later.kind, later.seconds) == (Kind.LATER, 30.0)
    assert verdict(status, retry_after=0.0).kind is Kind.LATER
    long = verdict(status, retry_after=30.5)
    assert (long.kind, long.fault.kind) == (Kind.FAULT, "rate-limited" if status == 429 else "http-status")
    assert "asks to wait 30 seconds" in long.fault.message
    assert verdict(status).kind is Kind.FAULT


@pytest.mark.parametrize("status", [413, 500, 502, 504])
def test_other_statuses_ask_for_no_wait(status: int) -> None:
    assert verdict(status, retry_after=1.0).kind is Kind.FAULT


def test_only_initialize_with_a_client_error_finds_the_older_transport() -> None:
    initialize = parsed(INITIALIZE)
    assert [status for status in range(200, 600) if may_be_legacy(initialize, status)] == [400, 404, 405]
    assert not may_be_legacy(initialize, None)
    assert not may_be_legacy(parsed(tool_call(1)), 404)
