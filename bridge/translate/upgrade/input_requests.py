"""The questions in a modern server's `inputRequests`, as requests to a legacy host.

| request | the host must have declared |
|---|---|
| `roots/list` | `roots` |
| `sampling/createMessage` | `sampling`; with `tools` or `toolChoice`, `sampling.tools` too |
| `elicitation/create` in form mode | `elicitation`, empty or with `form` |
| `elicitation/create` in URL mode | `elicitation.url` |

(MCP 2026-07-28, Multi Round-Trip Requests, Supported Requests; Elicitation, Capabilities.)
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, ErrorKind
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
    """One request to the host. `elicitation_id` names the elicitation in URL mode, and is empty for anything else."""

    method: str
    params: Raw
    elicitation_id: str = ""


class NotDeclared(msgspec.Struct, frozen=True):
    """The host did not declare the capability for such a question. `path`: its name, part by part."""

    path: tuple[str, ...]


class NoQuestion(msgspec.Struct, frozen=True):
    """The server asked in a way that MCP does not allow. `what`: how, as the end of a sentence."""

    what: str


def read(value: Raw, host: LegacyHost, elicitation_id: str) -> HostQuestion | NotDeclared | NoQuestion:
    """Read one of `inputRequests`. `elicitation_id`: the name to give an elicitation in URL mode."""
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
            return NoQuestion("in a form that MCP does not define")
        path = ("elicitation", mode)
        if mode == "url":
            return _url_elicitation(given, elicitation_id) if host.declares(*path) else NotDeclared(path)
    else:
        return NoQuestion(f"with {quoted(method, 60)}" if method else "with something that is not a request")
    return HostQuestion(method, params) if _declares(host, path) else NotDeclared(path)


def not_declared(request: Request, path: tuple[str, ...]) -> TranslatorRefusal:
    """Why a call cannot continue: its host does not answer such questions."""
    wanted: dict[str, object] = {}
    for name in reversed(path):
        wanted = {name: wanted}
    return TranslatorRefusal(
        INTERNAL_ERROR,
        ErrorKind.NOT_DECLARED,
        f"To continue with {subject(request)}, the server needs a host with the capability {'.'.join(path)}, "
        "which this host did not declare. Use a host that has it.",
        {"requiredCapabilities": wanted},
    )


def subject(request: Request) -> str:
    """What a request is about, for a sentence: `the tool "pay"`."""
    kind = _KINDS.get(request.method)
    name = string(members(request.params).get(mcp.NAMED_METHODS.get(request.method, ""), Raw()))
    return f"the {kind} {_quoted(name)}" if kind and name else _quoted(request.method)


def _without_nulls(params: Raw) -> tuple[Raw, Members]:
    """The params and their members; null counts as absent, because many libraries write it so."""
    said = members(params)
    given = {name: value for name, value in said.items() if len(value) != len(_NULL) or bytes(value) != _NULL}
    return params if len(given) == len(said) else Raw(msgspec.json.encode(given)), given


def _quoted(text: str) -> str:
    return f'"{shown(text)}"'


def _declares(host: LegacyHost, path: tuple[str, ...]) -> bool:
    if path == ("elicitation", "form"):
        # Revisions before 2025-11-25 have only form mode, and an empty `elicitation` declares it.
        return host.declares(*path) or (host.declares("elicitation") and not host.declares("elicitation", "url"))
    return host.declares(*path)


def _url_elicitation(given: Members, elicitation_id: str) -> HostQuestion:
    """MCP 2025-11-25 requires an id, by which the host is told that the elicitation is complete."""
    named = {**given, "elicitationId": elicitation_id}
    return HostQuestion(mcp.ELICITATION, Raw(msgspec.json.encode(named)), elicitation_id)
