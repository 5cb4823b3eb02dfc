"""Tasks whose end a request of the host waits for (SEP-2663, Task Polling, Task Update Requests).

| the server's answer to `tasks/get` | what the bridge does |
|---|---|
| `working` | asks again after `pollIntervalMs`, within bounds; sends `statusMessage` to the host as progress |
| `input_required` | the same, and sends each question to the host once, and the answers in `tasks/update` |
| `completed`, `failed` | answers the requests that wait with the result or the error |
| `cancelled`, or an unknown task | answers them with an error |
| `working` for longer than `ttlMs` | answers them with an error |
| no answer, or an internal error | asks again, at most five times in a row |
| anything else | answers them with that |
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import INTERNAL_ERROR, INVALID_PARAMS, SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.writing import Members, members
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal, TranslatorTimer
from bridge.translate.upgrade import results, task_errors, task_states
from bridge.translate.upgrade.bridge_requests import BridgeRequests
from bridge.translate.upgrade.host_inquiries import HostInquiries, Inquiry, failed
from bridge.translate.upgrade.input_requests import subject
from bridge.translate.upgrade.legacy_host import LegacyHost
from bridge.translate.upgrade.task_states import TaskState

_MAX_FAILURES = 5
_MAX_QUESTIONS = 256
_SAFE = 2.0**53


class Task:
    """A task on the server. `request` is the call that became it, or else the first request about it.

    `is_shown`: the host knows the task by its id; otherwise the host sees an ordinary call. `waiting` are the requests
    that its end answers. `look_id` is the id of the `tasks/get` that has no answer yet. `unsent` are answers of the
    host that the server has not accepted yet.
    """

    def __init__(self, id_: str, request: Request, host: LegacyHost, *, is_shown: bool) -> None:
        self.id = id_
        self.request = request
        self.host = host
        self.is_shown = is_shown
        self.is_cancelled = False
        self.waiting: list[Request] = []
        self.look_id: int | None = None
        self.since = 0.0
        self.failures = 0
        self.lost_updates = 0
        self.keys: set[str] = set()
        self.inquiries: list[Inquiry] = []
        self.unsent: Members = {}
        self.visited: list[str] = []
        self.token = Raw()
        self.progress = 0.0
        self.told: str | None = None
        self.told_at = 0.0

    @property
    def named(self) -> Members:
        """The params that name it."""
        return {"taskId": Raw(msgspec.json.encode(self.id))}

    @property
    def related(self) -> Members:
        """The member of `_meta` for messages about it; none where the host does not know it."""
        return task_states.related(self.id) if self.is_shown else {}


class TaskWatch:
    """Asks for the status of tasks until they end.

    `complete_elicitations(host, visited)` tells the host which URL elicitations are complete.
    """

    def __init__(
        self,
        port: TranslatorPort,
        waiting: PendingRequests,
        requests: BridgeRequests,
        complete_elicitations: Callable[[LegacyHost, list[str]], None],
    ) -> None:
        self._port = port
        self._waiting = waiting
        self._requests = requests
        self._complete_elicitations = complete_elicitations
        self._inquiries = HostInquiries(port)
        self._watched: dict[Task, TranslatorTimer] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no request waits for a task."""
        return not self._watched

    def __contains__(self, task: Task) -> bool:
        """Whether a request waits for this task."""
        return task in self._watched

    def begin(self, task: Task, request: Request, pause: float) -> None:
        """Answer a request when the task ends. If it is the first, ask for the status after this many seconds."""
        self._waiting.enter(request, lambda _: self._left(task, request))
        task.waiting.append(request)
        if task not in self._watched:
            next_look = self._watched[task] = self._port.timer("task", partial(self._look, task))
            task.since = task.since or self._port.now
            task.failures = task.lost_updates = 0
            if pause:
                next_look.start(pause)
            else:
                self._look(task)

    def asks(self, id_: RequestId | None) -> bool:
        """Whether the host was asked something with this id, and has not answered."""
        return id_ in self._inquiries

    def take(self, response: Response) -> bool:
        """The host answered; False where that answers none of these questions."""
        return self._inquiries.take(response)

    def give_up(self, task: Task, refusal: TranslatorRefusal, *, is_known: bool = True) -> None:
        """Fail the requests that wait. `is_known`: the server may still have the task; cancel it if it is not shown."""
        for request in self._stop(task, refusal.message):
            self._waiting.refuse(request, refusal)
        if is_known and not task.is_shown:
            self._cancel(task)

    def close(self, refusal: TranslatorRefusal) -> None:
        """Fail the requests that wait for any task."""
        for task in list(self._watched):
            self.give_up(task, refusal)

    # -- looking

    def _look(self, task: Task) -> None:
        task.look_id = self._requests.ask(task.host, mcp.TASKS_GET, task.named, partial(self._looked, task))

    def _looked(self, task: Task, response: Response | None) -> None:
        task.look_id = None
        if response is None or response.is_error:
            self._look_failed(task, response)
            return
        said = members(response.result)
        state = task_states.read(said, self._port.timestamp())
        if state is None:
            what = f"The server answered {mcp.TASKS_GET} for {subject(task.request)} with something that is not a task."
            self.give_up(task, failed(ErrorKind.WRONG_ANSWER, what))
            return
        task.failures = 0
        self._report_progress(task, state)
        if state.is_over:
            self._finish(task, state, said)
            return
        if state.status == task_states.INPUT_REQUIRED and (refusal := self._ask(task, said)):
            self.give_up(task, refusal)
        elif state.ttl is not None and self._port.now - task.since > state.ttl / 1000:
            what = f"The task for {subject(task.request)} did not finish within its {state.ttl / 1000:g} s."
            self.give_up(task, failed(ErrorKind.TASK_EXPIRED, what))
        elif next_look := self._watched.get(task):
            next_look.start(state.pause)

    def _look_failed(self, task: Task, response: Response | None) -> None:
        task.failures += 1
        error = task_errors.read(response.error) if response is not None else None
        if error and error.code == INVALID_PARAMS:
            unknown = f"The server does not know the task for {subject(task.request)}, or no longer knows it."
            what = f"{unknown} Call the tool again."
            code = INVALID_PARAMS if task.is_shown else INTERNAL_ERROR
            self.give_up(task, TranslatorRefusal(code, ErrorKind.TASK_UNKNOWN, what), is_known=False)
        elif response is not None and (not task_errors.is_transient(response.error) or task.failures > _MAX_FAILURES):
            self._answer(task, lambda request: writing.answering(response, request.raw_id))
        elif task.failures > _MAX_FAILURES:
            what = (
                f"The server does not report the status of the task for {subject(task.request)}. Call the tool again."
            )
            self.give_up(task, TranslatorRefusal(SERVER_ERROR, ErrorKind.NO_ANSWER, what))
        else:
            self._watched[task].start(min(2.0 ** (task.failures - 1), task_states.LONGEST_PAUSE))

    def _report_progress(self, task: Task, state: TaskState) -> None:
        """Send the status message as progress, which must increase within one request (MCP 2025-11-25, Progress).

        With `--keep-alive` the host hears some after a silence, whether the server has said something new or not.
        """
        now, keep_alive = self._port.now, self._port.keep_alive
        is_new = bool(state.message) and state.message != task.told
        is_due = keep_alive is not None and not state.is_over and now - max(task.since, task.told_at) >= keep_alive
        if not len(task.token) or not (is_new or is_due) or abs(task.progress) >= _SAFE:
            return
        task.told, task.told_at = state.message, now
        task.progress = int(task.progress) + 1
        message = state.message or f"Still waiting for the server ({now - task.since:.0f} s)."
        said: dict[str, object] = {"progressToken": task.token, "progress": task.progress, "message": message}
        if task.is_shown:
            said["_meta"] = task.related
        self._port.down(writing.notification(mcp.PROGRESS, msgspec.json.encode(said)).line)

    # -- questions

    def _ask(self, task: Task, said: Members) -> TranslatorRefusal | None:
        """Send the host the new questions, and the server the answers that it lacks; or say why that is impossible."""
        asked = members(said.get("inputRequests", Raw()))
        lost = {key: task.unsent.pop(key) for key in list(task.unsent) if key in asked}
        if lost:
            self._update(task, lost)
        fresh = {key: value for key, value in asked.items() if key not in task.keys}
        if not fresh:
            return None
        if len(task.keys) + len(fresh) > _MAX_QUESTIONS:
            what = f"While running {subject(task.request)}, the server asked more than {_MAX_QUESTIONS} questions."
            return failed(ErrorKind.ROUNDS, what)
        inquiry = self._inquiries.ask(
            task.request,
            task.host,
            fresh,
            partial(self._answered, task),
            partial(self.give_up, task),
            task.related,
        )
        if isinstance(inquiry, TranslatorRefusal):
            return inquiry
        task.keys |= fresh.keys()
        task.inquiries.append(inquiry)
        return None

    def _answered(self, task: Task, answers: Members) -> None:
        for inquiry in [one for one in task.inquiries if not one.open]:
            task.inquiries.remove(inquiry)
            task.visited += inquiry.visited
        self._update(task, answers)

    def _update(self, task: Task, answers: Members) -> None:
        params = {**task.named, "inputResponses": Raw(msgspec.json.encode(answers))}
        self._requests.ask(task.host, mcp.TASKS_UPDATE, params, partial(self._updated, task, answers))

    def _updated(self, task: Task, answers: Members, response: Response | None) -> None:
        if response is not None and not response.is_error:
            return
        task.unsent.update(answers)
        task.lost_updates += 1
        if task not in self._watched:
            return
        if response is not None and (not task_errors.is_transient(response.error) or task.lost_updates > _MAX_FAILURES):
            self._answer(task, lambda request: writing.answering(response, request.raw_id))

    # -- the end

    def _finish(self, task: Task, state: TaskState, said: Members) -> None:
        if state.status == task_states.CANCELLED:
            self.give_up(task, task_errors.cancelled(task.request, state.message), is_known=False)
        elif state.status == task_states.COMPLETED:
            result = said.get("result", Raw())
            found = members(result)
            if results.result_type(result, found) != results.COMPLETE:
                what = f"The result of the task for {subject(task.request)} is not a tool result."
                self.give_up(task, failed(ErrorKind.WRONG_ANSWER, what), is_known=False)
                return
            encoded = results.tool_result(found, task.host.features, task.related)
            self._answer(task, lambda request: writing.result(request.raw_id, encoded), is_known=False)
        elif task_errors.read(error := said.get("error", Raw())):
            self._answer(task, lambda request: writing.error(request.raw_id, error), is_known=False)
        else:
            self.give_up(task, task_errors.without_reason(task.request, state.message), is_known=False)

    def _answer(self, task: Task, answer: Callable[[Request], Response], *, is_known: bool = True) -> None:
        for request in self._stop(task, "The task has ended."):
            self._waiting.line(request, answer(request).line)
        visited, task.visited = task.visited, []
        self._complete_elicitations(task.host, visited)
        if is_known and not task.is_shown:
            self._cancel(task)

    def _left(self, task: Task, request: Request) -> None:
        """The host cancelled a request that waits for the task."""
        task.waiting.remove(request)
        if not task.waiting:
            self._stop(task, "The call was cancelled.")
            if not task.is_shown:
                self._cancel(task)

    def _cancel(self, task: Task) -> None:
        """Cancel the task on the server; its answer does not matter (Task Cancellation)."""
        self._requests.ask(task.host, mcp.TASKS_CANCEL, task.named, lambda _: None)

    def _stop(self, task: Task, reason: str) -> list[Request]:
        """Stop asking for the status, withdraw the questions, and return the requests that wait."""
        if next_look := self._watched.pop(task, None):
            next_look.stop()
        self._requests.cancel(task.look_id)
        task.look_id = None
        inquiries, task.inquiries = task.inquiries, []
        for inquiry in inquiries:
            # These questions have no answer, so the host is asked them again with its next request for the result.
            task.keys -= inquiry.answers.keys()
            self._inquiries.withdraw(inquiry, reason)
        waiting, task.waiting = task.waiting, []
        return waiting
