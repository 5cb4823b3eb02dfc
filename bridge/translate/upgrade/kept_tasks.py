"""Results that a modern server gave at once although a legacy host wanted the call as a task.

The host must get a task (MCP 2025-11-25, Tasks, Result Retrieval, 1). It is answered with one that has ended, and its
result is stored here for `tasks/result`. Number, size and storage time are limited.
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw

from bridge.protocol.mcp import Features
from bridge.protocol.writing import Members
from bridge.translate.translator import TranslatorPort, TranslatorTimer
from bridge.translate.upgrade import results, task_states
from bridge.translate.upgrade.task_states import TaskState

_MAX_TASKS = 100
_MAX_BYTES = 32 << 20
_MAX_TTL = 600_000
"""Milliseconds."""


class KeptTask(msgspec.Struct, frozen=True):
    """A task that has ended. `result` answers `tasks/result`; with `expiry` it is forgotten."""

    state: TaskState
    result: bytes
    expiry: TranslatorTimer


class KeptTasks:
    """A table by id."""

    def __init__(self, port: TranslatorPort) -> None:
        self._port = port
        self._kept: dict[str, KeptTask] = {}

    def keep(self, said: Members, wish: int | None, can: Features) -> TaskState:
        """Keep a tool's result of these members, and return the state of the task.

        `wish`: for how long, in milliseconds.
        """
        id_, ttl = self._port.fresh(), min(_MAX_TTL if wish is None else wish, _MAX_TTL)
        now = Raw(msgspec.json.encode(self._port.timestamp()))
        state = TaskState(id_, task_states.result_status(said), None, (now, now), ttl, None)
        result = results.tool_result(said, can, task_states.related(id_))
        expiry = self._port.timer("kept-task", partial(self._forget, id_))
        self._kept[id_] = KeptTask(state, result, expiry)
        expiry.start(ttl / 1000)
        while len(self._kept) > 1 and (len(self._kept) > _MAX_TASKS or self._size > _MAX_BYTES):
            self._forget(next(iter(self._kept)))
        return state

    def get(self, id_: str) -> KeptTask | None:
        """The task with this id, while it is stored."""
        return self._kept.get(id_)

    @property
    def _size(self) -> int:
        return sum(len(kept.result) for kept in self._kept.values())

    def _forget(self, id_: str) -> None:
        self._kept.pop(id_).expiry.stop()
