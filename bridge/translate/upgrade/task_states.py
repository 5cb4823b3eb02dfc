"""How a task is doing, in the words of the two eras (SEP-2663, Tasks; MCP 2025-11-25, Tasks, Task).

| the extension of 2026-07-28 | 2025-11-25 |
|---|---|
| `ttlMs`, `pollIntervalMs` | `ttl`, `pollInterval`; what is no number of milliseconds counts as not said |
| `completed`, of a result that says `isError` | `failed` |
| `inputRequests`, `result`, `error` | left out: `tasks/result` brings them |
| no time of creation or of change, which must be there | the present |
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol.headers import string
from bridge.protocol.writing import Members, members
from bridge.translate import request_meta

WORKING = "working"
INPUT_REQUIRED = "input_required"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"

_STATUSES = frozenset((WORKING, INPUT_REQUIRED, COMPLETED, FAILED, CANCELLED))
_LONGEST_ID = 2048
_MOST_MILLISECONDS = 2**53

_SHORTEST_PAUSE = 0.1
_USUAL_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds, at the most, between two looks at a task."""


class TaskState(msgspec.Struct, frozen=True):
    """What a server said of a task. `times` are when it was made and when it changed last, as the server wrote them.

    `ttl` and `interval` are in milliseconds, None where they were not said; a `ttl` of None has no end.
    """

    id: str
    status: str
    message: str | None
    times: tuple[Raw, Raw]
    ttl: int | None
    interval: int | None

    @property
    def is_over(self) -> bool:
        """Whether the status is a last one."""
        return self.status in (COMPLETED, FAILED, CANCELLED)

    @property
    def pause(self) -> float:
        """The seconds until it is worth looking again."""
        wished = _USUAL_PAUSE if self.interval is None else self.interval / 1000
        return min(max(wished, _SHORTEST_PAUSE), LONGEST_PAUSE)

    def legacy(self, status: str) -> dict[str, object]:
        """The `Task` of 2025-11-25, with this status; what the server says of another would not fit it."""
        created, updated = self.times
        task: dict[str, object] = {"taskId": self.id, "status": status}
        if self.message is not None and status == self.status:
            task["statusMessage"] = self.message
        task |= {"createdAt": created, "lastUpdatedAt": updated, "ttl": self.ttl}
        return task if self.interval is None else {**task, "pollInterval": self.interval}


def read(said: Members, now: str) -> TaskState | None:
    """Read the task whose members these are, or None where it is not one. `now`: the time of day and the date."""
    id_, status = string(said.get("taskId", Raw())), string(said.get("status", Raw()))
    if id_ is None or len(id_) > _LONGEST_ID or status not in _STATUSES:
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


def legacy_status(state: TaskState, said: Members) -> str:
    """The status in 2025-11-25 of a task with these members."""
    return result_status(members(said.get("result", Raw()))) if state.status == COMPLETED else state.status


def result_status(result: Members) -> str:
    """The status, in 2025-11-25, of a task whose tool has this result (Tasks, Task Execution Errors)."""
    return FAILED if bytes(result.get("isError", Raw())) == b"true" else COMPLETED


def milliseconds(value: Raw | None) -> int | None:
    """A duration; None where it is not one."""
    try:
        number = msgspec.json.decode(value, type=int) if value is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return number if number is not None and 0 <= number <= _MOST_MILLISECONDS else None


def _text_or(value: Raw, other: Raw) -> Raw:
    return value.copy() if request_meta.is_string(value) else other
