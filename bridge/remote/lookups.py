"""Name lookups, also where the name service does not answer.

The system's lookup blocks and cannot be cancelled. So each runs in a daemon thread: neither the next lookup nor the end
of the process waits for it. (The event loop's own threads are few, and are joined at the end.)

| what happens | what is done |
|---|---|
| the host is an address, `localhost` or a name below it | no lookup (`known_addresses`) |
| the name service answers | all callers that wait for this name get the answer |
| it does not answer for `LOOKUP_SECONDS` | the error says so, and not that the server cannot be reached |
| the name is looked up again after that | another lookup begins too, for the network may have changed |
| `MOST_UNANSWERED` lookups of a name have no answer | no other begins; an answer to any of them counts |
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

from bridge.remote.known_addresses import Address, known_addresses

LOOKUP_SECONDS = 2.0
"""How long a caller waits for a lookup: less than a host waits for its first answer, so that it gets the error."""

MOST_UNANSWERED = 4
"""How many lookups of one name may be without an answer."""

Resolve = Callable[[str, int], "list[Address]"]
"""Looks up a host and port, and blocks meanwhile. Raises OSError, and ValueError for a text that is no name."""


class NameServiceSilent(TimeoutError):
    """The name service has not answered for `seconds`, counted from the oldest lookup that has no answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__("DNS did not respond")
        self.seconds = seconds


def system_lookup(host: str, port: int) -> list[Address]:
    """The system's lookup of a name in ASCII. Raises as `Resolve`."""
    # As bytes: for a str, Python would load its tables of IDNA 2003, which an ASCII name does not need.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)  # type: ignore[return-value]


class _Lookup:
    """A lookup in progress. `answer` becomes the addresses, or the exception that the lookup raised."""

    def __init__(self, asked_at: float, answer: asyncio.Future[list[Address] | OSError | ValueError]) -> None:
        self.asked_at = asked_at
        self.answer = answer


class Lookups:
    """The lookups of one event loop; callers for the same name share one. A caller waits for at most `seconds`."""

    def __init__(self, resolve: Resolve = system_lookup, seconds: float = LOOKUP_SECONDS) -> None:
        self._seconds = seconds
        self._resolve = resolve
        self._questions: dict[tuple[str, int], list[_Lookup]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses of a host, at least one. Raises OSError (`NameServiceSilent` among them) and ValueError."""
        if known := known_addresses(host, port):
            return known
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._seconds
        questions = self._asked(host, port)
        while True:
            open_ones = {question.answer for question in questions if not question.answer.done()}
            answers = [question.answer.result() for question in questions if question.answer.done()]
            for answer in answers:
                if isinstance(answer, list) and answer:
                    return answer
            if not open_ones:
                # The latest lookup shows the present state of the network.
                raise answers[-1] if isinstance(answers[-1], Exception) else OSError("the name has no address")
            left = ends - loop.time()
            if left <= 0:
                oldest = min(question.asked_at for question in questions if not question.answer.done())
                raise NameServiceSilent(loop.time() - oldest)
            await asyncio.wait(open_ones, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    def _asked(self, host: str, port: int) -> list[_Lookup]:
        """The lookups of this name in progress, with a new one if none is recent."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        questions = self._questions.setdefault((host, port), [])
        is_recent = any(now - question.asked_at < self._seconds for question in questions)
        if not is_recent and len(questions) < MOST_UNANSWERED:
            question = _Lookup(now, loop.create_future())
            questions.append(question)
            self._ask(question, host, port, loop)
        return list(questions)

    def _ask(self, question: _Lookup, host: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
        def ask() -> None:
            answer: list[Address] | OSError | ValueError
            try:
                answer = self._resolve(host, port)
            except (OSError, ValueError) as problem:
                answer = problem
            # The event loop may be closed by now.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._answered, question, (host, port), answer)

        threading.Thread(target=ask, name="lookup", daemon=True).start()

    def _answered(self, question: _Lookup, name: tuple[str, int], answer: list[Address] | OSError | ValueError) -> None:
        questions = self._questions[name]
        questions.remove(question)
        if not questions:
            del self._questions[name]
        question.answer.set_result(answer)
