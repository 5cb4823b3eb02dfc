"""What the host gets if a request cannot be answered: what happened, at which URL, and what to do."""

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
"""The kind of an error at the end of a run."""


_DETAIL = 2000
_SLICE = 1 << 16
_TITLE = rb"(?i)<title[^>]*>([^<]{1,200})"
_MEDIA_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,40}/[A-Za-z0-9!#$&^_.+-]{1,40}"
# The answers of nginx, Go and Apache to a request without TLS.
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
    """Why a request gets no answer from the server.

    `kind` is for programs, `message` and `hint` are for the user, and `detail`, which quotes what came, is for the log.
    `code` is the code of the JSON-RPC error that the server sent, if it sent one.
    """

    kind: ErrorKind
    message: str
    hint: str = ""
    status: int | None = None
    detail: str = ""
    code: int | None = None

    def error_line(self, raw_id: bytes, url: str) -> bytes:
        """The JSON-RPC error for one request. The query of the server's `url` is left out: it may contain a key."""
        data: dict[str, Any] = {"source": PROGRAM, "kind": self.kind, "url": url.partition("?")[0]}
        if self.status is not None:
            data["status"] = self.status
        message = f"{self.message} {self.hint}" if self.hint else self.message
        return jsonrpc.error_line(raw_id, SERVER_ERROR, message, data)


def unanswered(request: Request, fault: Fault) -> str:
    """The line in the log for a request that gets an error made by the bridge."""
    return f"{request.method} (id {excerpt(request.raw_id, 60)}) failed: {fault.message}"


def bad_input(raw_id: bytes, why: str, code: int = INVALID_REQUEST) -> bytes:
    """The error for a line from the host that is not a request, or is not allowed now."""
    return jsonrpc.error_line(raw_id, code, why, {"source": PROGRAM, "kind": ErrorKind.BAD_INPUT})


def duplicate_id(raw_id: bytes) -> bytes:
    """The error for a request that reuses the id of one without an answer (MCP, Base Protocol, Requests)."""
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
    """The words of an error body: members of a JSON-RPC or OAuth error, an HTML title, or short plain text; else empty.

    The server chose them, so they must pass `protocol.sanitize.said` before a host gets them.
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
    """The code of a JSON-RPC error; None if the body is not one."""
    error = _error_body(body)
    code = error.error.code if error and isinstance(error.error, _ErrorObject) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


class _OwnData(msgspec.Struct, frozen=True):
    kind: str = ""
    source: str = ""


class _OwnError(msgspec.Struct, frozen=True):
    data: _OwnData | None = None


def own_kind(error: Octets | msgspec.Raw) -> str:
    """The `kind` of an error object made by the bridge; empty for any other."""
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
    """A `Content-Type` for a sentence, in quotation marks if it is not a media type (RFC 9110, 8.3.1)."""
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
    """The first connection hangs, and the host would time out soon."""
    return Fault(
        ErrorKind.UNREACHABLE,
        f"Cannot reach {url}: no connection could be opened within {seconds:g} seconds.",
        "Check the URL, and whether the server is running. "
        "A firewall may be dropping the packets, or a proxy may be needed.",
    )


def refused(url: str, status: int, body: Octets) -> Fault:
    """A status of 400 or more, or another one that is not an answer."""
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
    """A `Retry-After` that is longer than hosts wait."""
    kind = ErrorKind.RATE_LIMITED if status == 429 else ErrorKind.HTTP_STATUS
    return Fault(
        kind,
        f"{url} answered {status_name(status)} and asks to wait {seconds:.0f} seconds.",
        "Try again after that.",
        status=status,
    )


def not_json(url: str, status: int, content_type: bytes, body: Octets) -> Fault:
    """A successful status with a body that is not JSON: most often a sign-in or error page."""
    return Fault(
        ErrorKind.NOT_JSON,
        with_words(f"{url} answered {media_type(content_type)} instead of JSON", server_words(body)),
        "Check that the URL is the server's MCP endpoint, and that no proxy or sign-in page is in front of it.",
        status=status,
        detail=excerpt(body, _DETAIL),
    )


def empty(url: str, status: int) -> Fault:
    """A successful status without an answer."""
    return Fault(
        ErrorKind.NO_ANSWER,
        f"{url} answered {status_name(status)} without an answer in its body; MCP requires one to every request.",
        "Try again; if it happens again, the server does not follow MCP.",
        status=status,
    )


def accepted_only(url: str, method: str, seconds: float) -> Fault:
    """A 202, and then no answer on another stream in time."""
    return Fault(
        ErrorKind.NO_ANSWER,
        f"{url} accepted {method} ({status_name(202)}) but sent no answer to it within {seconds:g} seconds.",
        "Try again; if it happens again, the server does not follow MCP.",
        status=202,
    )


def not_parsed(url: str, status: int, body: Octets) -> Fault:
    """The body begins like JSON but is not valid: not UTF-8 (RFC 8259, 8.1), or cut off."""
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
    """JSON that is not the answer to this request."""
    return Fault(ErrorKind.WRONG_ANSWER, f"{url} {what}.", "This is a fault in the server; try again.")


def outcome_unknown(url: str, method: str, reason: str) -> Fault:
    """The connection was lost after the request was sent, and running it twice might do harm."""
    return Fault(
        ErrorKind.OUTCOME_UNKNOWN,
        f"The connection to {url} was lost before {method} was answered ({reason.rstrip('.')}); "
        "the server may or may not have run it.",
        "Check whether it ran before you try it again.",
    )


def no_answer(url: str, method: str, reason: str) -> Fault:
    """The server did not answer any of several tries."""
    return Fault(
        ErrorKind.NO_ANSWER,
        sentence(f"{url} never answered {method}: {reason}"),
        "Try again; if it happens again, the server or a proxy in front of it closes connections too early.",
    )


def session_lost(url: str, reason: str) -> Fault:
    """The server forgot the session, and the bridge could not open a new one."""
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


def tool_timed_out(url: str, tool: str, seconds: float) -> Fault:
    """`--tool-timeout` is over."""
    return Fault(
        ErrorKind.TIMEOUT,
        f"{url} did not finish the tool {quoted(tool, 60)} within {seconds:g} seconds, so the call was cancelled.",
        "Set --tool-timeout higher if this tool takes longer, or to 0 for no limit.",
    )


def too_many(limit: int) -> Fault:
    """More requests than the bridge holds are waiting."""
    return Fault(
        ErrorKind.TOO_MANY, f"{limit} requests are already waiting for a response.", "Wait until some are answered."
    )


def not_signed_in(url: str, why: str, *, needs_change: bool = False) -> Fault:
    """The sign-in failed that the request waited for, or no session could be opened after it.

    `needs_change`: `why` says what has to be changed before another sign-in.
    """
    hint = "" if needs_change else "Call the tool sign_in to try again."
    return Fault(ErrorKind.UNAUTHORIZED, f"Nothing was sent to {url}: {why}", hint)


def sign_in_needed(what_to_do: str) -> Fault:
    """The host would time out while the user signs in; `what_to_do` contains the link."""
    return Fault(ErrorKind.UNAUTHORIZED, what_to_do)


def shut_down(url: str, trouble: str) -> Fault:
    """The bridge shuts down. `trouble` says why there was no answer until now, if that is known."""
    return Fault(SHUTDOWN, f"The bridge to {url} is shutting down.", trouble)


def _not_utf8(body: Octets) -> int | None:
    """The position of the first bytes that are not UTF-8, or None. A character cut off at the end is ignored."""
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
