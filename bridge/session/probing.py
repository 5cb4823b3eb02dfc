"""Which eras a server speaks (MCP 2026-07-28, Streamable HTTP, Backward Compatibility).

The bridge sends `server/discover`, a modern request, and judges the answer by this table.

| the answer | eras | stored |
|---|---|---|
| a result that names versions | the eras of these versions | yes |
| `UnsupportedProtocolVersion` | the eras of the versions that it names; modern if none of them is known | yes |
| another modern error | modern | yes |
| another JSON-RPC error, or a 4xx status | legacy | yes |
| 401, 403, 407, 408, 425, 429; unreachable; no token | unknown: the host gets this error | |
| an internal error, 5xx, HTML, an empty response, no response | legacy for now: `initialize` will show | no |
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, ErrorKind
from bridge.protocol import client_meta, mcp, messages, writing
from bridge.protocol.jsonrpc import Request, Response
from bridge.session import faults
from bridge.session.commands import Deliver
from bridge.session.faults import Fault

LEGACY = "legacy"
MODERN = "modern"
UNASKED = "unasked"
"""Together with `LEGACY`: the server was never asked whether it is modern too, because no modern host was there."""

Eras = frozenset[str]

PROBE_SECONDS = 4.0
"""Seconds that a server has to answer. Hosts wait 10 s or more for `initialize`, which is sent only after that."""

_NEVER_A_VERDICT = frozenset({401, 403, 407, 408, 425, 429})
_NOT_THERE = frozenset({404, 405, 410})
_FOR_THE_HOST = frozenset(
    {
        ErrorKind.UNREACHABLE,
        ErrorKind.UNAUTHORIZED,
        ErrorKind.REDIRECT,
        ErrorKind.TOO_LARGE,
        ErrorKind.RATE_LIMITED,
        ErrorKind.SHUTDOWN,
        ErrorKind.TIMEOUT,
    }
)


class ProbeResult(msgspec.Struct, frozen=True):
    """`eras` are the ones that the server speaks; empty if that cannot be told, for the reason in `fault`.

    `is_kept`: the server said so itself, so the result is stored for later runs.
    """

    eras: Eras
    is_kept: bool = False
    fault: Fault | None = None


FOR_NOW = ProbeResult(frozenset({LEGACY}))


def probe(raw_id: bytes, asked_by: Request | None) -> Request:
    """The probe, with the client information of the host that sent `asked_by`."""
    if asked_by is not None and asked_by.method == mcp.INITIALIZE:
        from bridge.translate.upgrade.legacy_host import LegacyHost

        # The same request is sent for this host later, so that the cached answer serves then.
        return writing.request(raw_id, mcp.DISCOVER, LegacyHost(asked_by).with_request_meta(Raw()))
    meta: writing.Members = {}
    if asked_by is not None:
        meta = writing.members(writing.members(asked_by.params).get("_meta", Raw()))
        meta.pop("progressToken", None)
    meta[mcp.META_VERSION] = Raw(msgspec.json.encode(mcp.LATEST_MODERN))
    meta.setdefault(mcp.META_CAPABILITIES, Raw(b"{}"))
    return writing.request(raw_id, mcp.DISCOVER, msgspec.json.encode({"_meta": meta}))


def asks_the_same(request: Request) -> bool:
    """Whether a request of the host asks for the same as `probe`, so that one answer serves both."""
    return request.method == mcp.DISCOVER and client_meta.meta_version(request.params) == mcp.LATEST_MODERN


def judge(answer: Deliver) -> ProbeResult:
    """What the answer to a probe means; see the table above."""
    if answer.fault is not None:
        return _judge_fault(answer.fault)
    if not isinstance(answer.message, Response):
        return FOR_NOW
    if answer.message.is_error:
        return _judge_error(faults.error_code(answer.line), answer.message.error)
    versions = messages.discovered_versions(answer.message.result)
    return FOR_NOW if versions is None else ProbeResult(_eras(versions), is_kept=True)


def is_doubtful(deliver: Deliver, era: str) -> bool:
    """Whether an answer casts doubt on the server speaking this era at all."""
    fault, request = deliver.fault, deliver.request
    if request is None:
        return False
    opens = request.method == mcp.INITIALIZE
    if fault is None:
        answer = deliver.message
        if not isinstance(answer, Response):
            return False
        if era == LEGACY and opens:
            return not _opened(answer)
        return answer.is_error and _is_foreign(answer, era, request.method)
    if era == LEGACY:
        is_modern = fault.code in mcp.MODERN_ERRORS
        return fault.kind == ErrorKind.SESSION_LOST or is_modern or (opens and _is_refusal(fault.status))
    return _is_refusal(fault.status) and fault.code not in mcp.MODERN_ERRORS


def _is_foreign(answer: Response, era: str, method: str) -> bool:
    """Whether a server of this era would not answer a request with this method by such an error."""
    code = faults.error_code(answer.line)
    if era == LEGACY:
        return code in mcp.MODERN_ERRORS
    speaks_of_eras = method == mcp.DISCOVER or code == mcp.UNSUPPORTED_VERSION
    return speaks_of_eras and MODERN not in _judge_error(code, answer.error).eras


def is_proof(deliver: Deliver, era: str) -> bool:
    """Whether an answer shows that the server speaks this era: it opened a session, or the result has a `resultType`.

    A legacy server without sessions answers a modern request too, but its result has no `resultType`.
    """
    request, answer = deliver.request, deliver.message
    if request is None or not isinstance(answer, Response) or answer.is_error:
        return False
    if era == MODERN:
        return messages.has_result_type(answer.result)
    return request.method == mcp.INITIALIZE and _opened(answer)


def with_request_meta(initialize: Request) -> Request:
    """`initialize` with the metadata of a modern request, so that a server of either era understands it.

    A server that knows only modern versions then refuses the version, and not a malformed request.
    """
    params = writing.members(initialize.params)
    meta = writing.members(params.get("_meta", Raw()))
    for key, name in ((mcp.META_VERSION, "protocolVersion"), (mcp.META_CLIENT, "clientInfo")):
        if name in params:
            meta[key] = params[name]
    meta[mcp.META_CAPABILITIES] = params.get("capabilities", Raw(b"{}"))
    params["_meta"] = Raw(msgspec.json.encode(meta))
    return writing.request(initialize.raw_id, initialize.method, msgspec.json.encode(params))


def is_request_meta_fault(deliver: Deliver) -> bool:
    """Whether the metadata in an `initialize` may be the reason why the server failed.

    It is not if the server was not reached. One that answers 404, 405 or 410 without a JSON-RPC error has not read the
    request.
    """
    fault = deliver.fault
    if fault is None:
        return True
    return judge(deliver).fault is None and not (fault.status in _NOT_THERE and fault.code is None)


def _opened(answer: Response) -> bool:
    """Whether the answer opened a session. A modern server may answer `initialize` too, with a modern version."""
    result = None if answer.is_error else messages.initialize_result(answer.result)
    return result is not None and result.protocol_version not in mcp.MODERN_VERSIONS


def _judge_fault(fault: Fault) -> ProbeResult:
    if _is_refusal(fault.status):
        return _judge_error(fault.code, Raw())
    if fault.kind in _FOR_THE_HOST or fault.status in _NEVER_A_VERDICT:
        return ProbeResult(frozenset(), fault=fault)
    return FOR_NOW


def _judge_error(code: int | None, error: Raw) -> ProbeResult:
    if code == mcp.UNSUPPORTED_VERSION:
        return ProbeResult(_eras(messages.supported_versions(error)), is_kept=True)
    if code == INTERNAL_ERROR:
        return FOR_NOW
    return ProbeResult(frozenset({MODERN if code in mcp.MODERN_ERRORS else LEGACY}), is_kept=True)


def _is_refusal(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in _NEVER_A_VERDICT


def _eras(versions: list[str]) -> Eras:
    found = {LEGACY for version in versions if version in mcp.LEGACY_VERSIONS}
    # An unknown version is a later one, so the server is modern.
    if not found or any(version not in mcp.LEGACY_VERSIONS for version in versions):
        found.add(MODERN)
    return frozenset(found)
