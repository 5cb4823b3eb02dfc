"""Looking up names, where the name service may be silent.

The system's lookup blocks, and cannot be cancelled. So each runs in a thread of its own that nothing waits for: not the
end of the process (the event loop's own threads are few, and are joined at the end), and not the next lookup.

| what happens | what is done |
|---|---|
| an address instead of a name, `localhost`, a name below it | no lookup (`known_addresses`) |
| the name service answers | so is everybody who asks for this name now |
| it is silent for `LOOKUP_SECONDS` | that is told, and not that the server cannot be reached |
| the name is asked for again after that | a new question goes out too: the network may be another now |
| `MOST_UNANSWERED` questions have no answer | no more go out; an answer to any of them is taken |
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

from bridge.remote.known_addresses import Address, known_addresses

LOOKUP_SECONDS = 2.0
"""How long a lookup is waited for at a time: less than a host gives its first request, so that it can be told why."""

MOST_UNANSWERED = 4
"""How many questions for one name may be without an answer."""

Resolve = Callable[[str, int], "list[Address]"]
"""Looks a host's name up for a port, and blocks meanwhile. Raises OSError, ValueError for what cannot be a name."""


class NameServiceSilent(TimeoutError):
    """The name service has been silent for `seconds`, counted from the oldest question that has no answer."""

    def __init__(self, seconds: float) -> None:
        super().__init__("the name service did not answer")
        self.seconds = seconds


def system_lookup(host: str, port: int) -> list[Address]:
    """The system's own lookup of a name in ASCII, of whatever kind it is set up for. Raises as `Resolve`."""
    # As bytes: for text, Python loads the tables of IDNA 2003, though there is nothing left to do with them.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)  # type: ignore[return-value]


class _Lookup:
    """A lookup under way. `answer` becomes the addresses, or what the lookup raised."""

    def __init__(self, asked_at: float, answer: asyncio.Future[list[Address] | OSError | ValueError]) -> None:
        self.asked_at = asked_at
        self.answer = answer


class Lookups:
    """The lookups of one event loop; those for the same name are one. Each is waited for so many seconds."""

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
                # The last one asked knows the network best.
                raise answers[-1] if isinstance(answers[-1], Exception) else OSError("the name has no address")
            left = ends - loop.time()
            if left <= 0:
                oldest = min(question.asked_at for question in questions if not question.answer.done())
                raise NameServiceSilent(loop.time() - oldest)
            await asyncio.wait(open_ones, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    def _asked(self, host: str, port: int) -> list[_Lookup]:
        """All questions for this name, among them one that was asked just now where that makes sense."""
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
            # The event loop may be over by now; then nobody wants to know.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._answered, question, (host, port), answer)

        threading.Thread(target=ask, name="lookup", daemon=True).start()

    def _answered(self, question: _Lookup, name: tuple[str, int], answer: list[Address] | OSError | ValueError) -> None:
        questions = self._questions[name]
        questions.remove(question)
        if not questions:
            del self._questions[name]
        question.answer.set_result(answer)
