"""A legacy host's tasks on a modern server that has the tasks extension (SEP-2663).

| event | what the bridge does |
|---|---|
| a call becomes a task, and the host did not ask for one | answers the call when the task ends (`TaskWatch`) |
| a call becomes a task, as the host asked | answers with the task, as `working`; the host then asks for its status |
| a call that the host wanted as a task is answered at once | answers with a task that has ended (`KeptTasks`) |
| `tasks/get` | sends `tasks/get` |
| `tasks/result` | answers when the task ends, with `related-task` in `_meta` |
| `tasks/cancel` | sends `tasks/get` and, unless the task has ended, `tasks/cancel`; then shows it as cancelled |
| `tasks/list` | answers method not found: the extension has no such list |

Hosts of revisions before 2025-11-25 do not know tasks; their calls are answered when the task ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INVALID_PARAMS, ErrorKind
from bridge.protocol import mcp, messages, writing
from bridge.protocol.headers import string
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Json, Members, members
from bridge.translate import request_meta
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal
from bridge.translate.upgrade import task_errors, task_states
from bridge.translate.upgrade.bridge_requests import BridgeRequests
from bridge.translate.upgrade.host_inquiries import failed
from bridge.translate.upgrade.input_requests import subject
from bridge.translate.upgrade.input_required import UpgradedCall
from bridge.translate.upgrade.kept_tasks import KeptTasks
from bridge.translate.upgrade.legacy_host import LegacyHost
from bridge.translate.upgrade.task_states import TaskState
from bridge.translate.upgrade.task_watch import Task, TaskWatch

METHODS = frozenset((mcp.TASKS_GET, mcp.TASKS_RESULT, mcp.TASKS_CANCEL))
"""The requests about tasks that a host may send, where the bridge offers tasks to it."""

_MAX_KNOWN = 1000


class Tasks:
    """All tasks of one server.

    `number()`, `cancel(id, reason)`: see `BridgeRequests`; `complete_elicitations(host, visited)`: see `TaskWatch`.
    """

    def __init__(
        self,
        port: TranslatorPort,
        waiting: PendingRequests,
        number: Callable[[], int],
        cancel: Callable[[int, Json], None],
        complete_elicitations: Callable[[LegacyHost, list[str]], None],
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._requests = BridgeRequests(port, number, cancel)
        self._watch = TaskWatch(port, waiting, self._requests, complete_elicitations)
        self._kept = KeptTasks(port)
        self._known: dict[str, Task] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether a request of the host waits for a task to end."""
        return not self._watch.is_empty

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""
        return self._watch.asks(id_)

    def from_host(self, response: Response) -> bool:
        """The host answered; False where no task waits for it."""
        return self._watch.take(response)

    def from_server(self, response: Response) -> bool:
        """The server answered; False where that is not about a task."""
        return self._requests.take(response)

    def reroute(self, id_: RequestId) -> list[Request]:
        """Forget the request to the server with this id, and return the host's request that depended on it."""
        return self._requests.reroute(id_)

    def close(self, refusal: TranslatorRefusal) -> None:
        """Fail the requests that wait for a task."""
        self._watch.close(refusal)

    # -- calls

    def begin(self, call: UpgradedCall, said: Members) -> TranslatorRefusal | None:
        """The server made a call a task, with these members. Return a refusal where they are not valid."""
        state = task_states.read(said, self._port.timestamp())
        if state is None:
            what = f"The server answered {subject(call.request)} with a task that does not follow SEP-2663."
            return failed(ErrorKind.WRONG_ANSWER, what)
        is_shown = _wish(call) is not None
        task = self._task(state.id, call.request, call.host, is_shown=is_shown)
        task.progress = call.progress or 0.0
        task.visited = list(call.visited)
        token = Raw(messages.asked_progress_token(call.request.params))
        if request_meta.is_string(token) or task_states.milliseconds(token) is not None:
            task.token = token
        if is_shown:
            task.since = self._port.now
            self._created(call.request, state, said)
        else:
            self._watch.begin(task, call.request, state.pause if state.status == task_states.WORKING else 0.0)
        return None

    def keep(self, call: UpgradedCall, said: Members) -> bool:
        """If the host wanted this call as a task, answer with one that has ended; else return False."""
        wish = _wish(call)
        if wish is None:
            return False
        state = self._kept.keep(said, task_states.milliseconds(wish.get("ttl")), call.host.features)
        self._created(call.request, state, {})
        return True

    def _created(self, request: Request, state: TaskState, said: Members) -> None:
        """Answer with `CreateTaskResult`: every task begins as `working` (MCP 2025-11-25, Task Status Lifecycle, 1)."""
        result: dict[str, object] = {"task": state.legacy(task_states.WORKING)}
        if request_meta.is_object(said.get("_meta")):
            result["_meta"] = said["_meta"]
        self._waiting.result(request, msgspec.json.encode(result))

    def _task(self, id_: str, request: Request, host: LegacyHost, *, is_shown: bool) -> Task:
        """The task with this id. Where the host knows it, the one that is kept."""
        if not is_shown:
            return Task(id_, request, host, is_shown=False)
        task = self._known.pop(id_, None) or Task(id_, _outline(request), host, is_shown=True)
        task.host = host  # The host may have opened a new session, with other capabilities.
        self._known[id_] = task
        if len(self._known) > _MAX_KNOWN:
            oldest = next((one for one in self._known.values() if one not in self._watch), task)
            del self._known[oldest.id]
        return task

    # -- the host's own requests

    def request(self, request: Request, host: LegacyHost) -> None:
        """The host sent one of `METHODS`."""
        self._waiting.enter(request, lambda _: None)
        id_ = string(members(request.params).get("taskId", Raw()))
        if id_ is None:
            self._refuse(
                request, ErrorKind.INVALID_PARAMS, f"{request.method} must name a task with the string taskId."
            )
        elif kept := self._kept.get(id_):
            if request.method == mcp.TASKS_GET:
                self._show(request, kept.state, kept.state.status)
            elif request.method == mcp.TASKS_RESULT:
                self._waiting.result(request, kept.result)
            else:
                self._refuse(request, ErrorKind.TASK_OVER, "The task cannot be cancelled because it has ended.")
        elif request.method == mcp.TASKS_RESULT:
            self._result(self._task(id_, request, host, is_shown=True), request)
        else:
            self._ask(request, host, mcp.TASKS_GET, id_, partial(self._got, request, host, id_))

    def _result(self, task: Task, request: Request) -> None:
        if task.is_cancelled:
            self._waiting.refuse(request, task_errors.cancelled(task.request))
        else:
            self._watch.begin(task, request, 0.0)

    def _got(self, request: Request, host: LegacyHost, id_: str, response: Response) -> None:
        said = members(response.result)
        state = task_states.read({**said, "taskId": Raw(msgspec.json.encode(id_))}, self._port.timestamp())
        task = self._known.get(id_)
        if response.is_error:
            self._waiting.line(request, writing.answering(response, request.raw_id).line)
        elif state is None:
            what = f"The server answered {mcp.TASKS_GET} with something that is not a task."
            self._waiting.refuse(request, failed(ErrorKind.WRONG_ANSWER, what))
        elif request.method == mcp.TASKS_GET:
            is_cancelled = task is not None and task.is_cancelled
            self._show(
                request, state, task_states.CANCELLED if is_cancelled else task_states.legacy_status(state, said)
            )
        elif state.is_over or (task and task.is_cancelled):
            self._refuse(request, ErrorKind.TASK_OVER, "The task cannot be cancelled because it has ended.")
        else:
            self._ask(request, host, mcp.TASKS_CANCEL, id_, partial(self._cancelled, request, host, state))

    def _cancelled(self, request: Request, host: LegacyHost, state: TaskState, response: Response) -> None:
        if response.is_error:
            self._waiting.line(request, writing.answering(response, request.raw_id).line)
            return
        task = self._task(state.id, request, host, is_shown=True)
        task.is_cancelled = True
        self._watch.give_up(task, task_errors.cancelled(task.request))
        self._show(request, state, task_states.CANCELLED)

    def _ask(self, request: Request, host: LegacyHost, method: str, id_: str, then: Callable[[Response], None]) -> None:
        """Send the server a request that answers the host's, which the host may cancel."""

        def answered(response: Response | None) -> None:
            if response is not None:
                then(response)

        params = {"taskId": Raw(msgspec.json.encode(id_))}
        number = self._requests.ask(host, method, params, answered, request)
        if request.id in self._waiting:  # It may have failed at once.
            self._waiting.enter(request, lambda reason: self._requests.cancel(number, reason))

    def _show(self, request: Request, state: TaskState, status: str) -> None:
        self._waiting.result(request, msgspec.json.encode(state.legacy(status)))

    def _refuse(self, request: Request, kind: ErrorKind, what: str) -> None:
        self._waiting.refuse(request, TranslatorRefusal(INVALID_PARAMS, kind, what))


def _wish(call: UpgradedCall) -> Members | None:
    """The host's wish for a task (MCP 2025-11-25, `TaskMetadata`); None where it has none, or does not know tasks."""
    request = call.request
    if request.method != mcp.TOOLS_CALL or not call.host.knows_tasks:
        return None
    wish = members(request.params).get("task")
    return members(wish) if wish is not None and request_meta.is_object(wish) else None


def _outline(request: Request) -> Request:
    """A request with only what a sentence may name: it is kept for long, and its arguments may be large."""
    name = members(request.params).get("name")
    params = b"" if name is None else msgspec.json.encode({"name": name})
    return writing.request(request.raw_id, request.method, params)
