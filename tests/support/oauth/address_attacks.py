"""Servers at public and private addresses, and what they lead to: `python -m tests.support.oauth.address_attacks`.

For a network of its own (`own_network`). Each scene has names of its own, and most are played without processes. Prints
one JSON object: what came of each scene, see `Outcome`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import trustme

from tests.support.in_process.site import InProcessSite
from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import LOGIN, Site
from tests.support.process.bridge_command import start_command
from tests.support.process.bridge_process import BridgeProcess
from tests.support.servers.fault_http import Exchange, HttpServer
from tests.support.systems.own_network import NameService, set_up

PUBLIC, PUBLIC_TOO, NEAR, NEAR_TOO = "8.8.8.8", "9.9.9.9", "10.0.0.5", "192.168.7.7"
METADATA = "169.254.169.254"
LOOPBACK = "127.0.0.1"
ALL_INSIDE = (LOOPBACK, NEAR, NEAR_TOO, METADATA)
INSIDE = "the internal service's own words"
"""What a service says that nobody outside may ask."""


@dataclass
class Outcome:
    """What came of a scene."""

    message: str
    """The host's error, or what the command printed; empty where the host was served."""
    inside: int
    """How many connections the services inside took."""
    opened: int
    """How many tabs were opened."""
    problem: str = ""
    """A trace, where the scene itself failed."""
    quoted: bool = False
    """Whether anything that the services inside said came out of the bridge."""


class Scene:
    """A server and its authority with names of their own, and services inside that nobody may ask.

    Those listen on every address that is inside, at a port of their own and, once `cover` is called, at the server's.
    """

    def __init__(
        self, name: str, records: dict[str, Any], at: str, authority_at: str, site_type: type[Site] = InProcessSite
    ) -> None:
        self.host, self.authority_host = f"mcp.{name}.example", f"as.{name}.example"
        records[self.host], records[self.authority_host] = [at], [authority_at]
        self.records = records
        self._at, self._authority_at = at, authority_at
        self.ca = trustme.CA()
        self._inside: list[HttpServer] = []
        self._reserved: list[dict[str, socket.socket]] = []
        self._site_type = site_type

    @contextlib.asynccontextmanager
    async def played(self) -> AsyncIterator[Scene]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The worst case: what is inside has certificates for all names as well.
        self.ca.issue_cert(self.host, self.authority_host, "localhost", *ALL_INSIDE).configure_cert(tls)
        authority = Authority(tls=tls)
        self.server = ProtectedServer(authority, tls=tls)
        async with self._site_type(authority, self.server) as site:
            self.site = site
            trusted = site.folder / "ca.pem"
            self.ca.cert_pem.write_to_path(str(trusted))
            site.person.trusts = trusted
            await self._move(self.server.http, self._at)
            await self._move(authority.http, self._authority_at)
            self.server.base = f"https://{self.host}:{self.server.http.port}"
            authority.base = f"https://{self.authority_host}:{authority.http.port}"
            self._tls = tls
            for listener in _bound(*ALL_INSIDE).values():
                self._port = await self._listen_inside(listener)
            try:
                yield self
            finally:
                for inside in self._inside:
                    await inside.stop()
                for reserved in self._reserved:
                    for listener in reserved.values():
                        listener.close()

    def inside(self, address: str) -> str:
        """A URL of the service inside."""
        return f"https://{address}:{self._port}/inside"

    async def cover(self, address: str) -> None:
        """Let a service inside listen at this address where the server and its authority listen at theirs."""
        for reserved in self._reserved:
            await self._listen_inside(reserved.pop(address))

    async def _move(self, http: HttpServer, address: str) -> None:
        """Let a server listen at another address; its port inside is kept for `cover`."""
        await http.stop()
        http.connections = 0
        reserved = _bound(*dict.fromkeys((address, *ALL_INSIDE)))
        await http.listen(reserved.pop(address))
        self._reserved.append(reserved)

    async def _listen_inside(self, listener: socket.socket) -> int:
        inside = HttpServer(_says_what_is_inside, self._tls)
        await inside.listen(listener)
        self._inside.append(inside)
        return inside.port

    def bridge(self, *arguments: str) -> contextlib.AbstractAsyncContextManager[BridgeProcess]:
        return self.site.bridge("--ca-file", str(self.site.person.trusts), "--login-timeout", "5", *arguments)

    async def signs_in(self, *arguments: str) -> Outcome:
        """A host is served after a sign-in."""
        async with self.bridge(*arguments) as host:
            await host.initialize(deadline=LOGIN)
            assert (await host.call("echo", deadline=LOGIN)).result
        return self.outcome("", host)

    async def fails(self, *arguments: str) -> Outcome:
        """A host gets an error."""
        async with self.bridge(*arguments) as host:
            answer = await self.site.failed(host)
        return self.outcome(answer.error["message"], host)

    async def fails_by_command(self) -> Outcome:
        """The command `login` fails."""
        arguments = ("--ca-file", str(self.site.person.trusts), "--login-timeout", "5")
        async with start_command(self.site, "login", self.server.url, *arguments) as command:
            assert await command.wait(LOGIN) != 0
        return self.outcome(command.said, None)

    def outcome(self, message: str, host: BridgeProcess | None) -> Outcome:
        said = [message] if host is None else [*host.stderr, *(line.raw.decode() for line in host.lines)]
        return Outcome(
            message,
            sum(inside.connections for inside in self._inside),
            len(self.site.person.opened),
            quoted=any(INSIDE in text for text in said),
        )


async def _says_what_is_inside(exchange: Exchange) -> None:
    said = json.dumps({"error": "invalid_request", "error_description": INSIDE}).encode()
    await exchange.respond(400, said, "application/json")


def _bound(*addresses: str) -> dict[str, socket.socket]:
    """A socket at each address, at one port that nobody else has at any of them."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            bound: dict[str, socket.socket] = {}
            port = 0
            try:
                for address in addresses:
                    bound[address] = listener = stack.enter_context(socket.socket())
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    listener.bind((address, port))
                    port = listener.getsockname()[1]
            except OSError:
                continue  # A connection has taken it as its own end.
            stack.pop_all()
            return bound
    raise AssertionError("no port is free at all addresses")


# -- the scenes

Play = Callable[[Scene], Awaitable[Outcome]]


def leads_inside(endpoint: str, address: str, *more: str) -> Play:
    """An endpoint of the authority is inside."""

    async def play(scene: Scene) -> Outcome:
        scene.site.authority.metadata_changes = {endpoint: scene.inside(address)}
        return await scene.fails(*more)

    return play


async def one_more_record(scene: Scene) -> Outcome:
    """The server's name has one more record, of this machine."""
    await scene.cover(LOOPBACK)
    scene.records[scene.host] = [PUBLIC, LOOPBACK]
    return await leads_inside("registration_endpoint", LOOPBACK)(scene)


async def all_records(scene: Scene) -> Outcome:
    """The server's name has records of all that is inside."""
    await scene.cover(METADATA)
    scene.records[scene.host] = [METADATA, PUBLIC, NEAR]
    return await leads_inside("registration_endpoint", METADATA)(scene)


async def by_command(scene: Scene) -> Outcome:
    """The same, where the user signs in by a command."""
    await scene.cover(LOOPBACK)
    scene.records[scene.host] = [PUBLIC, LOOPBACK]
    scene.site.authority.metadata_changes = {"registration_endpoint": scene.inside(LOOPBACK)}
    return await scene.fails_by_command()


def changes_to(address: str) -> Play:
    """The server's name leads inside as soon as it has refused a request."""

    async def play(scene: Scene) -> Outcome:
        await scene.cover(address)
        scene.server.before_refusal = lambda: scene.records.update({scene.host: [address]})
        return await scene.fails()

    return play


async def authority_changes(scene: Scene) -> Outcome:
    """The authority's name leads inside as soon as its metadata was read."""
    await scene.cover(LOOPBACK)
    seen = scene.site.authority.handle

    async def handle(exchange: Exchange) -> None:
        await seen(exchange)
        scene.records[scene.authority_host] = [LOOPBACK]

    scene.site.authority.http._handler = handle
    return await scene.fails()


async def mixed_authority(scene: Scene) -> Outcome:
    """The authority's name has one more record, of this machine."""
    await scene.cover(LOOPBACK)
    scene.records[scene.authority_host] = [PUBLIC_TOO, LOOPBACK]
    return await scene.fails()


async def renewed(scene: Scene) -> Outcome:
    """A later run renews the token where the first one signed in."""
    scene.site.authority.expires_in = 0.5
    await scene.signs_in()
    await scene.site.until_expired()
    outcome = await scene.signs_in()
    assert scene.site.authority.forms("refresh_token")
    assert outcome.opened == 1
    return outcome


async def own_name_elsewhere(scene: Scene) -> Outcome:
    """The name service says that a name below `localhost` is elsewhere."""
    scene.records["app.localhost"] = [PUBLIC]
    async with InProcessSite() as site:
        scene.site = site
        site.server.base = f"http://app.localhost:{site.server.http.port}"
        await site.sign_in()
    return scene.outcome("", site.bridges[0])


SCENES: dict[str, tuple[str, str, Play]] = {
    "one more record": (PUBLIC, PUBLIC_TOO, one_more_record),
    "all records": (PUBLIC, PUBLIC_TOO, all_records),
    "by command": (PUBLIC, PUBLIC_TOO, by_command),
    "moves to loopback": (PUBLIC, PUBLIC_TOO, changes_to(LOOPBACK)),
    "moves inside": (PUBLIC, PUBLIC_TOO, changes_to(NEAR)),
    "authority moves": (PUBLIC, PUBLIC_TOO, authority_changes),
    "mixed authority": (PUBLIC, PUBLIC_TOO, mixed_authority),
    "public to private": (PUBLIC, NEAR_TOO, Scene.fails),
    "private to metadata": (NEAR, NEAR_TOO, leads_inside("registration_endpoint", METADATA)),
    "private to loopback": (NEAR, NEAR_TOO, leads_inside("token_endpoint", LOOPBACK)),
    "allowed to loopback": (PUBLIC, PUBLIC_TOO, leads_inside("token_endpoint", LOOPBACK, "--allow-private")),
    "own name elsewhere": (PUBLIC, PUBLIC_TOO, own_name_elsewhere),
    "public": (PUBLIC, PUBLIC_TOO, Scene.signs_in),
    "private": (NEAR, NEAR_TOO, Scene.signs_in),
    "renewed": (NEAR, NEAR_TOO, renewed),
    "allowed": (PUBLIC, NEAR_TOO, lambda scene: scene.signs_in("--allow-private")),
}


PROCESSES = ("moves to loopback", "public")
"""Scenes that are played with processes."""


async def _play(number: int, name: str, records: dict[str, Any]) -> Outcome:
    at, authority_at, play = SCENES[name]
    site_type = Site if name in PROCESSES else InProcessSite
    try:
        async with Scene(f"scene{number}", records, at, authority_at, site_type).played() as scene:
            return await play(scene)
    except Exception:
        return Outcome("", 0, 0, traceback.format_exc()[-4000:])


async def main() -> None:
    set_up([PUBLIC, PUBLIC_TOO, NEAR, NEAR_TOO, METADATA])
    records: dict[str, Any] = {}
    await NameService(records.get).start()
    outcomes = {name: await _play(number, name, records) for number, name in enumerate(SCENES)}
    sys.stdout.write(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}))


if __name__ == "__main__":
    asyncio.run(main())
