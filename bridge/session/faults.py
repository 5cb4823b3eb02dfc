"""What the host is told when a request cannot be answered: one sentence, where from, what to do."""

from __future__ import annotations

import codecs
import re
from typing import Any

import msgspec

from bridge import PROGRAM
from bridge.errors import INVALID_REQUEST, SERVER_ERROR, ErrorKind
from bridge.protocol import jsonrpc
from bridge.protocol.jsonrpc import Octets, Request
from bridge.protocol.sanitize import EXCERPT, excerpt, quoted, sentence, with_words

SHUTDOWN = ErrorKind.SHUTDOWN
"""The kind of what is told at the end of a run; the host wants no more then."""


_DETAIL = 2000
_SLICE = 1 << 16
_TITLE = rb"(?i)<title[^>]*>([^<]{1,200})"
_MEDIA_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,40}/[A-Za-z0-9!#$&^_.+-]{1,40}"
# What nginx, Go and Apache say to a request without TLS.
_TLS_ONLY = rb"sent to HTTPS port|to an HTTPS server|to an SSL-enabled server port"

_STATUS_HINTS = {
    400: "The server did not accept the request; check the URL, and the headers if you set any.",
    401: "The server does not accept the Authorization header that you set; without it, the bridge signs you in.",
    403: "The server refuses this account or token; check what it is permitted to do.",
    404: "Check the path of the URL: the server has no MCP endpoint there.",
    405: "Check the path of the URL: what is there does not accept MCP requests.",
    406: "Check the URL: the server does not offer MCP there.",
    407: "The proxy requires a user name and password: put them into the proxy's URL.",
    413: "The request is larger than the server accepts.",
    415: "Check the URL: the server does not offer MCP there.",
    429: "Too many requests; try again later.",
}


class Fault(msgspec.Struct, frozen=True):
    """Why a request gets no answer of the server's.

    `kind` is for programs, `message` and `hint` are for people, `detail` is for the log: what came, as far as it helps.
    `code` is the JSON-RPC error's, where the server's refusal held one.
    """

    kind: ErrorKind
    message: str
    hint: str = ""
    status: int | None = None
    detail: str = ""
    code: int | None = None

    def error_line(self, raw_id: bytes, url: str) -> bytes:
        """The JSON-RPC error for one request. `url` is the server's; its query stays out, for it may hold a key."""
        data: dict[str, Any] = {"source": PROGRAM, "kind": self.kind, "url": url.partition("?")[0]}
        if self.status is not None:
            data["status"] = self.status
        message = f"{self.message} {self.hint}" if self.hint else self.message
        return jsonrpc.error_line(raw_id, SERVER_ERROR, message, data)


def unanswered(request: Request, fault: Fault) -> str:
    """What the log is told of a request that gets an error of the bridge's own."""
    return f"{request.method} (id {excerpt(request.raw_id, 60)}) failed: {fault.message}"


def bad_input(raw_id: bytes, why: str, code: int = INVALID_REQUEST) -> bytes:
    """The error for something of the host's that is no request, or cannot be one now."""
    return jsonrpc.error_line(raw_id, code, why, {"source": PROGRAM, "kind": ErrorKind.BAD_INPUT})


def duplicate_id(raw_id: bytes) -> bytes:
    """The error for a request with the id of another that has no answer yet (MCP, Base Protocol, Requests)."""
    why = "This id belongs to a request that has not been answered yet."
    return jsonrpc.error_line(raw_id, INVALID_REQUEST, why, {"source": PROGRAM, "kind": ErrorKind.DUPLICATE_ID})


class _ErrorObject(msgspec.Struct, frozen=True):
    code: Any = None
    message: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _ErrorObject | str = ""
    message: str = ""
    error_description: str = ""
    detail: str = ""


def server_words(body: Octets) -> str:
    """What an error body says in words: JSON-RPC's or OAuth's members, an HTML title, short plain text; else empty.

    They are the server's own, so what a host is told of them passes `protocol.sanitize.said` first.
    """
    error = _error_body(body)
    if error is None:
        title = re.search(_TITLE, body[:20_000])
        if title:
            return excerpt(title[1])
        return "" if body.lstrip()[:1] in {b"<", b"{", b"["} else excerpt(body)
    named = error.error if isinstance(error.error, str) else error.error.message
    return excerpt((error.error_description or named or error.message or error.detail).encode())


def error_code(body: Octets) -> int | None:
    """The code of the JSON-RPC error that a body is, if it is one."""
    error = _error_body(body)
    code = error.error.code if error and isinstance(error.error, _ErrorObject) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


class _OwnData(msgspec.Struct, frozen=True):
    kind: str = ""
    source: str = ""


class _OwnError(msgspec.Struct, frozen=True):
    data: _OwnData | None = None


def own_kind(error: Octets | msgspec.Raw) -> str:
    """The `kind` of an error object of the bridge's own; empty for any other."""
    try:
        data = msgspec.json.decode(error, type=_OwnError).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return data.kind if data and data.source == PROGRAM else ""


def _error_body(body: Octets) -> _ErrorBody | None:
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def media_type(content_type: bytes) -> str:
    """What a `Content-Type` says, for a sentence; in quotation marks where it is no media type (RFC 9110, 8.3.1)."""
    named = content_type.decode("latin-1").partition(";")[0].strip()
    if re.fullmatch(_MEDIA_TYPE, named):
        return named
    return quoted(named, 60) or "no content type"


def status_name(status: int) -> str:
    """For example `502 Bad Gateway`."""
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def not_connected(url: str, seconds: float) -> Fault:
    """The first connection hangs, and the host is told before it loses patience."""
    return Fault(
        ErrorKind.UNREACHABLE,
        f"Cannot reach {url}: no connection could be opened within {seconds:g} seconds.",
        "Check the URL, and whether the server is running. "
        "A firewall may be dropping the packets, or a proxy may be needed.",
    )


def refused(url: str, status: int, body: Octets) -> Fault:
    """A status of 400 or more, or another that answers nothing."""
    hint = _STATUS_HINTS.get(status, "")
    if status == 400 and re.search(_TLS_ONLY, body[:20_000]):
        hint = "The server there uses TLS: begin the URL with https://."
    if not hint and status >= 500:
        hint = "This is a fault in the server, or in a gateway in front of it; try again later."
    return Fault(
        ErrorKind.RATE_LIMITED if status == 429 else ErrorKind.HTTP_STATUS,
        with_words(f"{url} answered {status_name(status)}", server_words(body)),
        hint,
        status=status,
        detail=excerpt(body, _DETAIL),
        code=error_code(body),
    )


def throttled(url: str, status: int, seconds: float) -> Fault:
    """A `Retry-After` that is longer than a host would wait."""
    kind = ErrorKind.RATE_LIMITED if status == 429 else ErrorKind.HTTP_STATUS
    return Fault(
        kind,
        f"{url} answered {status_name(status)} and asks to wait {seconds:.0f} seconds.",
        "Try again after that.",
        status=status,
    )


def not_json(url: str, status: int, content_type: bytes, body: Octets) -> Fault:
    """A successful status, but the body is not JSON: most often a sign-in or error page."""
    return Fault(
        ErrorKind.NOT_JSON,
        with_words(f"{url} answered {media_type(content_type)} instead of JSON", server_words(body)),
        "Check that the URL is the server's MCP endpoint, and that no proxy or sign-in page is in front of it.",
        status=status,
        detail=excerpt(body, _DETAIL),
    )


def empty(url: str, status: int) -> Fault:
    """A successful status, and no answer with it."""
    return Fault(
        ErrorKind.NO_ANSWER,
        f"{url} answered {status_name(status)} without an answer in its body; MCP requires one to every request.",
        "Try again; if it happens again, the server does not follow MCP.",
        status=status,
    )


def accepted_only(url: str, method: str, seconds: float) -> Fault:
    """A 202, and no answer on another stream in the time given for it."""
    return Fault(
        ErrorKind.NO_ANSWER,
        f"{url} accepted {method} ({status_name(202)}) but sent no answer to it within {seconds:g} seconds.",
        "Try again; if it happens again, the server does not follow MCP.",
        status=202,
    )


def not_parsed(url: str, status: int, body: Octets) -> Fault:
    """The body begins as JSON and is none: not UTF-8 (RFC 8259, 8.1), or ended within it."""
    detail = f"it begins {excerpt(body)} and ends {excerpt(body[-EXCERPT:])}"
    place = _not_utf8(body)
    if place is not None:
        return Fault(
            ErrorKind.NOT_JSON,
            f"{url} answered with JSON that is not UTF-8 (byte {place + 1} of {len(body)} is invalid).",
            "This is a fault in the server; tell its operator.",
            status=status,
            detail=detail,
        )
    return Fault(
        ErrorKind.NOT_JSON,
        f"{url} answered with JSON that is cut off or broken ({len(body)} bytes were received).",
        "Try again; if it happens again, the fault is in the server or in a proxy in front of it.",
        status=status,
        detail=detail,
    )


def wrong_answer(url: str, what: str) -> Fault:
    """JSON, but not the answer to this request."""
    return Fault(ErrorKind.WRONG_ANSWER, f"{url} {what}.", "This is a fault in the server; try again.")


def outcome_unknown(url: str, method: str, reason: str) -> Fault:
    """The connection went after the request was sent, and running it twice might do harm."""
    return Fault(
        ErrorKind.OUTCOME_UNKNOWN,
        f"The connection to {url} was lost before {method} was answered ({reason.rstrip('.')}); "
        "the server may or may not have run it.",
        "Check whether it ran before you try it again.",
    )


def no_answer(url: str, method: str, reason: str) -> Fault:
    """The server was asked again and again, and never answered."""
    return Fault(
        ErrorKind.NO_ANSWER,
        sentence(f"{url} never answered {method}: {reason}"),
        "Try again; if it happens again, the server or a proxy in front of it closes connections too early.",
    )


def session_lost(url: str, reason: str) -> Fault:
    """The server forgot the session and no new one could be opened."""
    return Fault(
        ErrorKind.SESSION_LOST,
        sentence(f"{url} no longer knows the session, and a new one could not be opened: {reason}"),
        "Try again; if it happens again, restart the server in the host.",
    )


def timed_out(url: str, method: str, seconds: float) -> Fault:
    """`--request-timeout` is over."""
    return Fault(
        ErrorKind.TIMEOUT,
        f"{url} did not answer {method} within {seconds:g} seconds.",
        "Set --request-timeout higher if such calls take longer.",
    )


def too_many(limit: int) -> Fault:
    """More requests under way than are kept."""
    return Fault(
        ErrorKind.TOO_MANY, f"{limit} requests are already waiting for a response.", "Wait until some are answered."
    )


def not_signed_in(url: str, why: str) -> Fault:
    """What waited for a sign-in that did not come about, or for a session that could not be opened after it."""
    return Fault(ErrorKind.UNAUTHORIZED, f"Nothing was sent to {url}: {why}", "Call the tool sign_in to try again.")


def sign_in_needed(what_to_do: str) -> Fault:
    """The host would wait no longer for the user, who has the link in `what_to_do`."""
    return Fault(ErrorKind.UNAUTHORIZED, what_to_do)


def shut_down(url: str, trouble: str) -> Fault:
    """The bridge ends; `trouble` is what kept the answer away, if anything is known."""
    return Fault(SHUTDOWN, f"The bridge to {url} is shutting down.", trouble)


def _not_utf8(body: Octets) -> int | None:
    """Where bytes begin that no UTF-8 has. A character that is cut off at the end is none; a slice at a time."""
    view = memoryview(body)
    start = 0
    while start < len(view):
        try:
            _, used = codecs.utf_8_decode(view[start : start + _SLICE], "strict", False)
        except UnicodeDecodeError as problem:
            return start + problem.start
        if not used:
            return None
        start += used
    return None
