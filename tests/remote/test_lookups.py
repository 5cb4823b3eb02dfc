"""Names looked up where the name service is quick, slow, silent, or of two minds. No name service is asked here."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from bridge.remote.connecting import Origin, Route
from bridge.remote.failures import explain
from bridge.remote.known_addresses import Address
from bridge.remote.lookups import MOST_UNANSWERED, Lookups, NameServiceSilent
from bridge.remote.proxy import Proxy
from tests.support.in_process.connecting import ask, refusal
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

NAME = "mcp.example.com"
SOON = 0.02
"""Seconds after which a lookup counts as silent, where a test has it silent."""


def at(*addresses: str) -> list[Address]:
    family = {False: socket.AF_INET, True: socket.AF_INET6}
    return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, 80)) for one in addresses]


class NameService:
    """Is silent until `speak`; then every question has the answer that was its turn's, or the last one."""

    def __init__(self, *answers: list[Address] | Exception) -> None:
        self.asked: list[tuple[str, int]] = []
        self.heard = threading.Semaphore(0)
        self._answers = answers
        self._speaks = threading.Event()
        self._only: dict[int, threading.Event] = {}

    def __call__(self, host: str, port: int) -> list[Address]:
        turn = len(self.asked)
        self.asked.append((host, port))
        self.heard.release()
        while not (self._speaks.is_set() or self._turn(turn).is_set()):
            self._turn(turn).wait(0.01)
        answer = self._answers[min(turn, len(self._answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def speak(self) -> None:
        self._speaks.set()

    def answer(self, turn: int) -> None:
        self._turn(turn).set()

    def _turn(self, turn: int) -> threading.Event:
        return self._only.setdefault(turn, threading.Event())


Serving = Callable[..., NameService]


@pytest.fixture
def name_service() -> Iterator[Serving]:
    """Makes name services, none of which leaves a thread behind."""
    made: list[NameService] = []

    def make(*answers: list[Address] | Exception) -> NameService:
        made.append(NameService(*answers))
        return made[-1]

    yield make
    for service in made:
        service.speak()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_lookup(host: str, name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"))
    ((family, kind, _, _, address),) = await Lookups(service).addresses(host, 80)
    assert family == (socket.AF_INET6 if ":" in host else socket.AF_INET)
    assert (kind, address[:2]) == (socket.SOCK_STREAM, (host, 80))
    assert service.asked == []


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "localhost.", "app.localhost", "a.b.localhost."])
async def test_this_machines_own_names_are_loopback_whatever_a_name_service_says(
    host: str, name_service: Serving
) -> None:
    service = name_service(at("192.0.2.1"))
    service.speak()
    found = await Lookups(service).addresses(host, 80)
    assert [(family, address[:2]) for family, _, _, _, address in found] == [
        (socket.AF_INET, ("127.0.0.1", 80)),
        (socket.AF_INET6, ("::1", 80)),
    ]
    assert service.asked == []


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "localhost.localdomain", "localhost.."])
async def test_a_name_that_only_looks_like_them_is_looked_up(host: str, name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"))
    service.speak()
    assert await Lookups(service).addresses(host, 80) == at("192.0.2.1")


async def test_everybody_who_asks_for_a_name_at_once_has_one_answer(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"))
    lookups = Lookups(service)
    asking = [asyncio.create_task(lookups.addresses(NAME, 80)) for _ in range(50)]
    await asyncio.to_thread(service.heard.acquire)
    service.speak()
    assert await asyncio.gather(*asking) == [at("192.0.2.1")] * 50
    assert service.asked == [(NAME, 80)]


async def test_an_answer_is_not_kept(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"), at("192.0.2.2"))
    service.speak()
    lookups = Lookups(service)
    assert await lookups.addresses(NAME, 80) == at("192.0.2.1")
    assert await lookups.addresses(NAME, 80) == at("192.0.2.2")


@pytest.mark.parametrize("problem", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")])
async def test_what_the_lookup_raises_is_raised(problem: Exception, name_service: Serving) -> None:
    service = name_service(problem)
    service.speak()
    with pytest.raises(type(problem)) as caught:
        await Lookups(service).addresses(NAME, 80)
    assert caught.value is problem


async def test_a_name_without_an_address_is_an_error(name_service: Serving) -> None:
    service = name_service([])
    service.speak()
    with pytest.raises(OSError, match="no address"):
        await Lookups(service).addresses(NAME, 80)


async def test_a_silent_name_service_is_told_with_the_time_since_the_first_question(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"))
    lookups = Lookups(service, SOON)
    seconds = []
    for _ in range(3):
        with pytest.raises(NameServiceSilent) as caught:
            await lookups.addresses(NAME, 80)
        seconds.append(caught.value.seconds)
    assert SOON * 0.9 < seconds[0] < seconds[1] < seconds[2]


async def patiently(lookups: Lookups) -> list[Address]:
    """Look up until there is an answer, as a caller that connects does."""
    while True:
        with contextlib.suppress(NameServiceSilent):
            return await lookups.addresses(NAME, 80)


async def test_a_silent_name_service_is_asked_again_and_a_later_answer_counts(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"), at("192.0.2.2"))
    lookups = Lookups(service, SOON)
    with pytest.raises(NameServiceSilent):
        await lookups.addresses(NAME, 80)
    service.answer(1)  # The first question hangs in the network as it was.
    assert await patiently(lookups) == at("192.0.2.2")


async def test_the_first_question_may_be_the_one_that_is_answered(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"), at("192.0.2.2"))
    lookups = Lookups(service, SOON)
    with pytest.raises(NameServiceSilent):
        await lookups.addresses(NAME, 80)
    service.answer(0)
    assert await patiently(lookups) == at("192.0.2.1")


async def test_a_failure_of_an_old_question_is_no_answer_while_a_newer_one_is_open(name_service: Serving) -> None:
    service = name_service(socket.gaierror(socket.EAI_AGAIN, "failed"), at("192.0.2.2"))
    lookups = Lookups(service, SOON)
    with pytest.raises(NameServiceSilent):
        await lookups.addresses(NAME, 80)
    again = asyncio.create_task(patiently(lookups))
    await asyncio.to_thread(service.heard.acquire)
    await asyncio.to_thread(service.heard.acquire)
    service.answer(0)
    await asyncio.wait({again}, timeout=0.1)
    assert not again.done()
    service.answer(1)
    service.answer(2)
    service.answer(3)
    assert await again == at("192.0.2.2")


async def test_questions_without_an_answer_are_few(name_service: Serving) -> None:
    service = name_service(at("192.0.2.1"))
    lookups = Lookups(service, SOON)
    for _ in range(MOST_UNANSWERED + 3):
        with pytest.raises(NameServiceSilent):
            await lookups.addresses(NAME, 80)
    assert len(service.asked) == MOST_UNANSWERED
    with pytest.raises(NameServiceSilent):  # Another name is another matter.
        await lookups.addresses("other.example.com", 80)
    assert len(service.asked) == MOST_UNANSWERED + 1


def test_a_lookup_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import asyncio, threading
from bridge.remote.lookups import Lookups, NameServiceSilent

async def main():
    try:
        await Lookups(lambda host, port: threading.Event().wait(), 0.01).addresses("mcp.example.com", 80)
    except NameServiceSilent:
        print("told")

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=stretched(60), check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "told\n", "")


# -- on the way to a server


async def test_a_silent_name_service_is_not_the_servers_fault(name_service: Serving) -> None:
    route = Route(Origin("https", NAME, 443), None, None, Lookups(name_service(at("192.0.2.1")), SOON))
    failure = await refusal(route)
    explained = explain(failure, f"https://{NAME}/mcp", None)
    assert explained.message.startswith(f"Cannot reach https://{NAME}/mcp: DNS did not respond for {NAME} within 0.0")
    assert explained.hint == "Check the network or VPN."
    assert not explained.definite


async def test_it_is_told_as_well_where_the_time_to_connect_is_shorter(name_service: Serving) -> None:
    route = Route(Origin("https", NAME, 443), None, None, Lookups(name_service(at("192.0.2.1"))))
    failure = await refusal(route, SOON)
    assert "DNS did not respond" in explain(failure, f"https://{NAME}/mcp", None).message


async def test_it_is_told_of_the_proxys_name(name_service: Serving) -> None:
    proxy = Proxy("http://proxy.example:3128")
    route = Route(Origin("https", NAME, 443), proxy, None, Lookups(name_service(at("192.0.2.1")), SOON))
    message = explain(await refusal(route), f"https://{NAME}/mcp", proxy.url).message
    assert f"the proxy {proxy.url}: DNS did not respond for proxy.example within" in message


async def test_the_addresses_are_raced_until_one_takes_the_connection(name_service: Serving) -> None:
    async with RawServer(Answers(response(b"hi"))) as server:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            dead = (socket.AF_INET, socket.SOCK_STREAM, 6, "", bound.getsockname())
            alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
            service = name_service([dead, alive])
            service.speak()
            route = Route(Origin("http", NAME, server.port), None, None, Lookups(service))
            assert await ask(await route.connect(stretched(DEADLINE))) == b"hi"
    assert service.asked == [(NAME, server.port)]


async def test_where_no_address_takes_the_connection_all_are_refused(name_service: Serving) -> None:
    with socket.socket() as one, socket.socket() as two:
        dead: list[Address] = []
        for bound in (one, two):
            bound.bind(("127.0.0.1", 0))
            dead.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", bound.getsockname()))
        service = name_service(dead)
        service.speak()
        failure = await refusal(Route(Origin("http", NAME, 80), None, None, Lookups(service)))
    explained = explain(failure, f"http://{NAME}/mcp", None)
    assert explained.message == f"Cannot reach http://{NAME}/mcp: the connection was refused."
    assert explained.definite
