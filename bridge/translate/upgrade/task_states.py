"""The state of a task, in the terms of both eras (SEP-2663, Tasks; MCP 2025-11-25, Tasks, Task).

| the extension of 2026-07-28 | 2025-11-25 |
|---|---|
| `ttlMs`, `pollIntervalMs` | `ttl`, `pollInterval`; left out where they are not a number of milliseconds |
| `completed`, with `isError` in the result | `failed` |
| `inputRequests`, `result`, `error` | left out; `tasks/result` has them |
| no `createdAt` or `lastUpdatedAt` | the present time |
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.headers import string
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

WORKING = "working"
INPUT_REQUIRED = "input_required"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"

_STATUSES = frozenset((WORKING, INPUT_REQUIRED, COMPLETED, FAILED, CANCELLED))
_MAX_ID = 2048
_MAX_MILLISECONDS = 2**53

_SHORTEST_PAUSE = 0.1
_USUAL_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""The longest time between two `tasks/get` for a task, in seconds."""


class TaskState(msgspec.Struct, frozen=True):
    """What a server says of a task. `times` are `createdAt` and `lastUpdatedAt`, as the server wrote them.

    `ttl` and `interval` are in milliseconds, None where the server does not say; a task without `ttl` does not expire.
    """

    id: str
    status: str
    message: str | None
    times: tuple[Raw, Raw]
    ttl: int | None
    interval: int | None

    @property
    def is_over(self) -> bool:
        """Whether the task has ended."""
        return self.status in (COMPLETED, FAILED, CANCELLED)

    @property
    def pause(self) -> float:
        """The seconds until the status should be asked for again."""
        wished = _USUAL_PAUSE if self.interval is None else self.interval / 1000
        return min(max(wished, _SHORTEST_PAUSE), LONGEST_PAUSE)

    def legacy(self, status: str) -> dict[str, object]:
        """The `Task` of 2025-11-25 with this status; the server's message is left out where its status is another."""
        created, updated = self.times
        task: dict[str, object] = {"taskId": self.id, "status": status}
        if self.message is not None and status == self.status:
            task["statusMessage"] = self.message
        task |= {"createdAt": created, "lastUpdatedAt": updated, "ttl": self.ttl}
        return task if self.interval is None else {**task, "pollInterval": self.interval}


def read(said: Members, now: str) -> TaskState | None:
    """Read a task from its members, or None where they are not those of a task. `now`: the date and time (RFC 3339)."""
    id_, status = string(said.get("taskId", Raw())), string(said.get("status", Raw()))
    if id_ is None or len(id_) > _MAX_ID or status not in _STATUSES:
        return None
    present = Raw(msgspec.json.encode(now))
    created, updated = (said.get(name, present) for name in ("createdAt", "lastUpdatedAt"))
    return TaskState(
        id=id_,
        status=status,
        message=string(said.get("statusMessage", Raw())),
        times=(_text_or(created, present), _text_or(updated, present)),
        ttl=milliseconds(said.get("ttlMs")),
        interval=milliseconds(said.get("pollIntervalMs")),
    )


def related(id_: str) -> Members:
    """The member of `_meta` for messages about a task (MCP 2025-11-25, Tasks, Related Task Metadata)."""
    return {mcp.META_TASK: Raw(msgspec.json.encode({"taskId": id_}))}


def legacy_status(state: TaskState, said: Members) -> str:
    """The status that the task with these members has in 2025-11-25."""
    return result_status(members(said.get("result", Raw()))) if state.status == COMPLETED else state.status


def result_status(result: Members) -> str:
    """The status in 2025-11-25 of a task with this tool result (Tasks, Task Execution Errors)."""
    return FAILED if bytes(result.get("isError", Raw())) == b"true" else COMPLETED


def milliseconds(value: Raw | None) -> int | None:
    """A number of milliseconds; None where it is not one."""
    try:
        number = msgspec.json.decode(value, type=int) if value is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return number if number is not None and 0 <= number <= _MAX_MILLISECONDS else None


def _text_or(value: Raw, other: Raw) -> Raw:
    return value.copy() if request_meta.is_string(value) else other
