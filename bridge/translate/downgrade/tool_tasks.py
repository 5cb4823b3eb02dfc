"""A legacy server's tools that run only as tasks (MCP 2025-11-25, Tasks): a modern host calls them as any other tool.

The bridge calls such a tool with `task`. The server answers at once with the task's id; `tasks/result`, whose answer
comes when the task has ended, has the tool's result.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.jsonrpc import Response
from bridge.protocol.writing import Members
from bridge.translate.downgrade.calls import ForwardedCall
from bridge.translate.downgrade.legacy_server import LegacyServer

_MAX_TOOLS = 10_000


class _Execution(msgspec.Struct, frozen=True, gc=False):
    task_support: object = msgspec.field(name="taskSupport", default="")


class _TaskTool(msgspec.Struct, frozen=True, gc=False):
    name: str
    execution: _Execution | None = None


class _Tools(msgspec.Struct, frozen=True, gc=False):
    tools: list[_TaskTool]


class _Task(msgspec.Struct, frozen=True, gc=False):
    id: str = msgspec.field(name="taskId")


class _TaskCreated(msgspec.Struct, frozen=True, gc=False):
    task: _Task


class ToolTasks:
    """Which tools these are, by the server's lists so far."""

    def __init__(self, server: LegacyServer) -> None:
        self._server = server
        self._names: set[str] = set()

    def learn(self, response: Response) -> None:
        """Read a `tools/list` result. Each page adds to what the others said."""
        if response.is_error or (not self._names and b'"execution"' not in response.line):
            return
        try:
            tools = msgspec.json.decode(response.result, type=_Tools).tools
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for tool in tools:
            if tool.execution is None or tool.execution.task_support != "required":
                self._names.discard(tool.name)
            elif len(self._names) < _MAX_TOOLS:
                self._names.add(tool.name)

    def extra_params(self, call: ForwardedCall) -> Members:
        """Members to add to the params of a call: `task` for one of these tools, if the server supports it."""
        call.is_task = (
            call.method == mcp.TOOLS_CALL
            and call.target in self._names
            and self._server.offers("tasks", "requests", "tools", "call")
        )
        return {"task": Raw(b"{}")} if call.is_task else {}

    def was_created(self, call: ForwardedCall, response: Response) -> bool:
        """Whether the server made the call a task, so that its result has to be requested."""
        if not call.is_task or call.task_id or response.is_error:
            return False
        try:
            task = msgspec.json.decode(response.result, type=_TaskCreated).task
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        call.task_id = msgspec.json.encode(task.id)
        return True

    def cancel(self, call: ForwardedCall) -> None:
        """Cancel a call's task; the server's answer does not matter."""
        self._server.ask(self._server.number(), mcp.TASKS_CANCEL, named(call), lambda _answer: None)


def named(call: ForwardedCall) -> bytes:
    """The params that name a call's task."""
    return b'{"taskId":%b}' % call.task_id
