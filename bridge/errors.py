"""What went wrong: the exceptions of every room, and what the host is told in a JSON-RPC error.

No error holds a secret. An exception's `message` is one sentence that a host can show; its `hint` says what to do next.

| exception | at fault | exit code |
|---|---|---|
| `UsageError` | the command line, the environment, or a file named there | 2 |
| any other `BridgeError` | something else: the server, the system, the bridge | 1 |
"""

from __future__ import annotations

import enum
import sys

from bridge import PROGRAM

SERVER_ERROR = -32000
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


class ErrorKind(enum.StrEnum):
    """What went wrong, as a word for programs: `data.kind` of each JSON-RPC error that the bridge makes.

    The text under each kind is a row of the table in docs/troubleshooting.md (`scripts/error_kinds.py --write`): the
    first sentence says when the host is told so, the rest what the user does.
    """

    UNREACHABLE = "unreachable"
    """No connection to the server could be made: the bridge tried for 30 s (`MCP_BRIDGE_PATIENCE`), for 4 s where it
    had never been connected, and not at all where trying cannot help. Check what the message names: the host name,
    the network, the proxy, the certificate."""
    HTTP_STATUS = "http-status"
    """The server answered with a status of 400 or more. Do what the message says; the fault is the server's where the
    status is 500 or more, so try again later."""
    UNAUTHORIZED = "unauthorized"
    """The server requires a token, and the bridge could not get one that the server accepts: the message names the
    step that failed. Call the tool `sign_in`, or run `mcp-remote-bridge login`."""
    RATE_LIMITED = "rate-limited"
    """The server answered 429 Too Many Requests; where it asked to wait for up to 30 s, the bridge did so first. Try
    again later."""
    NOT_JSON = "not-json"
    """The server answered with something other than JSON, most often the page of a sign-in or a gateway. Check that
    the URL is the server's MCP endpoint."""
    WRONG_ANSWER = "wrong-answer"
    """The server answered with JSON that is no valid answer to the request. Try again; if it happens again, tell the
    server's operator."""
    NO_ANSWER = "no-answer"
    """The answer was empty or broke off, and so it was again where the bridge could repeat the request without harm.
    Try again; if it happens again, the server or a proxy before it is at fault."""
    OUTCOME_UNKNOWN = "outcome-unknown"
    """The connection was lost while a tool ran: the bridge did not call it again, because a second run might do harm.
    Check what happened before you call it again."""
    SESSION_LOST = "session-lost"
    """The server no longer knows the session, and the bridge could not open a new one within 30 s. Try again; if it
    happens again, restart the server in the host."""
    REDIRECT = "redirect"
    """The server redirected to another origin, and the bridge did not follow, because your headers and tokens are for
    the server that you named. Check the URL; if the server has moved, use its new one."""
    TIMEOUT = "timeout"
    """No answer came within `--request-timeout`, or within `--tool-timeout` to the call of a tool, and the bridge told
    the server to cancel the request. Set it higher if such calls take longer."""
    TOO_LARGE = "too-large"
    """The server sent a message of more than 256 MB. Ask for less at a time."""
    TOO_MANY = "too-many"
    """As many requests, subscriptions or clients are waiting as the bridge keeps. Wait until some are answered."""
    SHUTDOWN = "shutdown"
    """The host closed the bridge's input, and no answer came in the second after that. Start the server in the host
    again."""
    DECLINED = "declined"
    """The server required a page to be opened first, and the user declined. Call the tool again, and open the page."""
    UNANSWERED = "unanswered"
    """The server asked the host something to go on with a call, and the host answered with an error. Call the tool
    again, and answer its question."""
    NOT_DECLARED = "not-declared"
    """The server needs an ability of the host that the host did not declare. Use a host that has what the message
    names."""
    ROUNDS = "rounds"
    """The server asked for more input too many times and did not finish the call. Call the tool again; if it happens
    again, tell the server's operator."""
    TASK_FAILED = "task-failed"
    """A tool ran as a task, and the task failed. Read the server's reason in the message."""
    TASK_CANCELLED = "task-cancelled"
    """A tool ran as a task, and the task was cancelled. Call the tool again if you still want its result."""
    TASK_EXPIRED = "task-expired"
    """A tool ran as a task, and did not end in the time that the server allows for it. Call the tool again."""
    TASK_UNKNOWN = "task-unknown"
    """A tool ran as a task, and the server does not know the task any more. Call the tool again."""
    TASK_OVER = "task-over"
    """The host cancelled a task that was already over. Ask for its result instead."""
    NOT_SUBSCRIBED = "not-subscribed"
    """The server refused or ended a subscription. Try again later, if you miss the updates."""
    REOPENED = "reopened"
    """The host opened a new session before the request was answered. Send the request again."""
    UNKNOWN_STATE = "unknown-state"
    """The host went on with a call whose `requestState` is unknown, used up or too old. Call the tool again."""
    FOREIGN_STATE = "foreign-state"
    """The host went on with a call by the `requestState` of another. Tell the host's developers."""
    VERSION = "version"
    """The server answered `initialize` with a protocol version that the bridge does not understand. Update the
    bridge."""
    UNSUPPORTED_VERSION = "unsupported-version"
    """The host named a protocol version that the bridge does not support. Update the host or the bridge."""
    UNKNOWN_METHOD = "unknown-method"
    """The method does not exist in the host's protocol version, or the server does not offer it. If something does
    not work, tell the host's developers."""
    DUPLICATE_ID = "duplicate-id"
    """The host used an id of a request that has no answer yet. Tell the host's developers."""
    NOT_INITIALIZED = "not-initialized"
    """The host sent a request before `initialize`. Tell the host's developers."""
    HIDDEN = "hidden"
    """The options of the server hide this tool, prompt or resource from the host: `--tools`, `--hide-tools`,
    `--read-only` and others. Change them if it is to be used."""
    INVALID_REQUEST = "invalid-request"
    """A request lacks what MCP 2026-07-28 requires in each. Tell the host's developers."""
    INVALID_PARAMS = "invalid-params"
    """The params of a request are not what its method takes. Tell the host's developers."""
    BAD_INPUT = "bad-input"
    """The host sent something that is not a JSON-RPC request, or not one that is allowed at that time. Tell the host's
    developers."""


class BridgeError(Exception):
    """Anything the bridge itself reports. `str()` of it is the message with the hint."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message, then the hint, as one line."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(BridgeError):
    """An option, a variable or a file of the user's cannot be used."""

    exit_code = 2


_DISTRIBUTIONS = {"jsonc": "json-with-comments", "ruamel": "ruamel.yaml"}
"""Packages whose name on an index differs from their name in imports."""


def missing_package(module: str | None) -> str:
    """The error where `module` cannot be found; empty where it is a module of the bridge itself."""
    name = (module or "").partition(".")[0]
    if name in ("", "bridge") or name in sys.stdlib_module_names:
        return ""
    package = _DISTRIBUTIONS.get(name, name)
    return (
        f"The Python package {package} is not installed for {sys.executable}. "
        "Install the bridge together with the packages it needs: run `pipx install .` in its folder, "
        f"then start it as {PROGRAM}."
    )
