"""What a modern server wants to know before it goes on, as the requests that a legacy host knows.

| in `inputRequests` | what the host must have declared |
|---|---|
| `roots/list` | `roots` |
| `sampling/createMessage` | `sampling`; with `tools` or `toolChoice`, `sampling.tools` too |
| `elicitation/create` | `elicitation`, which by itself means forms, or `elicitation.form` |
| the same with `"mode": "url"` | `elicitation.url` |

(MCP 2026-07-28, Multi Round-Trip Requests, Supported Requests; Elicitation, Capabilities.)
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR
from bridge.protocol import mcp
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request
from bridge.protocol.sanitize import quoted, shown
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta
from bridge.translate.translator import TranslatorRefusal
from bridge.translate.upgrade import content, results
from bridge.translate.upgrade.legacy_host import LegacyHost

_NULL = b"null"
_KINDS = {mcp.TOOLS_CALL: "tool", mcp.PROMPTS_GET: "prompt", mcp.RESOURCES_READ: "resource"}


class HostQuestion(msgspec.Struct, frozen=True):
    """One request for the host. `elicitation_id` names a visit to a URL, and is empty for anything else."""

    method: str
    params: Raw
    elicitation_id: str = ""


class NotDeclared(msgspec.Struct, frozen=True):
    """The host never said that it can answer such a question. `path`: the capability."""

    path: tuple[str, ...]


class NoQuestion(msgspec.Struct, frozen=True):
    """The server broke the rules. `what`: how, as the end of a sentence."""

    what: str


def read(value: Raw, host: LegacyHost, elicitation_id: str) -> HostQuestion | NotDeclared | NoQuestion:
    """Read one of `inputRequests`. `elicitation_id`: the name for a visit to a URL, should it be one."""
    said = members(value)
    method, params = string(said.get("method", Raw())), said.get("params", Raw())
    params, given = _without_nulls(params)
    if method == mcp.ROOTS_LIST:
        path: tuple[str, ...] = ("roots",)
        params = params if request_meta.is_object(params) else Raw()
    elif not request_meta.is_object(params):
        return NoQuestion("with a request that has no params")
    elif method == mcp.SAMPLING:
        path = ("sampling", "tools") if given.keys() & {"tools", "toolChoice"} else ("sampling",)
        params = content.sampling_params(results.sampling_params(params), host.features)
    elif method == mcp.ELICITATION:
        mode = string(given["mode"]) if "mode" in given else "form"
        if mode not in ("form", "url"):
            return NoQuestion("in a way that MCP does not know")
        path = ("elicitation", mode)
        if mode == "url":
            return _visit(given, elicitation_id) if host.declares(*path) else NotDeclared(path)
    else:
        return NoQuestion(f"with {quoted(method, 60)}" if method else "with something that is not a request")
    return HostQuestion(method, params) if _declares(host, path) else NotDeclared(path)


def not_declared(request: Request, path: tuple[str, ...]) -> TranslatorRefusal:
    """The call cannot go on: its host does not answer such questions."""
    wanted: dict[str, object] = {}
    for name in reversed(path):
        wanted = {name: wanted}
    return TranslatorRefusal(
        INTERNAL_ERROR,
        "not-declared",
        f"To go on with {subject(request)}, the server needs a host with the capability {'.'.join(path)}, "
        "which this one did not declare; use a host that has it.",
        {"requiredCapabilities": wanted},
    )


def subject(request: Request) -> str:
    """What a request is about, for a sentence: `the tool "pay"`."""
    kind = _KINDS.get(request.method)
    name = string(members(request.params).get(mcp.NAMED_METHODS.get(request.method, ""), Raw()))
    return f"the {kind} {_quoted(name)}" if kind and name else _quoted(request.method)


def _without_nulls(params: Raw) -> tuple[Raw, Members]:
    """The params and their members; one that is null counts as absent, for many libraries write it so."""
    said = members(params)
    given = {name: value for name, value in said.items() if len(value) != len(_NULL) or bytes(value) != _NULL}
    return params if len(given) == len(said) else Raw(msgspec.json.encode(given)), given


def _quoted(text: str) -> str:
    return f'"{shown(text)}"'


def _declares(host: LegacyHost, path: tuple[str, ...]) -> bool:
    if path == ("elicitation", "form"):
        # Before there were two modes, there was nothing to say of one.
        return host.declares(*path) or (host.declares("elicitation") and not host.declares("elicitation", "url"))
    return host.declares(*path)


def _visit(given: Members, elicitation_id: str) -> HostQuestion:
    """A page to open: legacy hosts want it named, so that they can be told when it is done with (MCP 2025-11-25)."""
    named = {**given, "elicitationId": elicitation_id}
    return HostQuestion(mcp.ELICITATION, Raw(msgspec.json.encode(named)), elicitation_id)
