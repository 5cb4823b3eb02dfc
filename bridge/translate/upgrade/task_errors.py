"""Errors about tasks: the server's and the bridge's own in answers about a task, and those that the host gets."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.errors import INTERNAL_ERROR, ErrorKind
from bridge.protocol import sanitize
from bridge.protocol.jsonrpc import Request
from bridge.translate.translator import TranslatorRefusal
from bridge.translate.upgrade.host_inquiries import failed
from bridge.translate.upgrade.input_requests import subject

_TRANSIENT = frozenset(
    {
        ErrorKind.UNREACHABLE,
        ErrorKind.NO_ANSWER,
        ErrorKind.OUTCOME_UNKNOWN,
        ErrorKind.TIMEOUT,
        ErrorKind.RATE_LIMITED,
    }
)
"""Kinds of the bridge's own errors after which another attempt may succeed."""


class _TaskErrorData(msgspec.Struct, frozen=True):
    source: str
    kind: str
    status: int | None = None


class _TaskError(msgspec.Struct, frozen=True):
    data: _TaskErrorData


class TaskErrorBody(msgspec.Struct, frozen=True):
    """What is read of an error object."""

    code: int
    message: str = ""


def read(error: Raw) -> TaskErrorBody | None:
    """Read a JSON-RPC error object, or None where it is not one."""
    try:
        return msgspec.json.decode(error, type=TaskErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_transient(error: Raw) -> bool:
    """Whether another attempt may succeed after this error of the server or of the bridge itself."""
    try:
        data = msgspec.json.decode(error, type=_TaskError).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = None
    if data is None or data.source != PROGRAM:
        found = read(error)
        return found is not None and found.code == INTERNAL_ERROR
    return data.kind in _TRANSIENT or (data.kind == ErrorKind.HTTP_STATUS and (data.status or 0) >= 500)


def cancelled(request: Request, message: str | None = None) -> TranslatorRefusal:
    """Why a task has no result: it was cancelled; `message` is its status message."""
    heard = sanitize.said(message or "")
    why = f"; {heard}" if heard else ""
    return failed(ErrorKind.TASK_CANCELLED, f"The task for {subject(request)} was cancelled{why}.")


def without_reason(request: Request, message: str | None) -> TranslatorRefusal:
    """Why a task has no result: it failed without an error; `message` is its status message."""
    heard = sanitize.said(message or "")
    why = f"; {heard}" if heard else ", and the server does not say why"
    return failed(ErrorKind.TASK_FAILED, f"The task for {subject(request)} failed{why}.")
