"""The reference `mcp` client as the host of a person who has to sign in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from mcp import types
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.support.hosts.either_era_host import EitherEraHost, Era, Transport, Way, either_era_host
from tests.support.oauth.site import Site
from tests.support.process.bridge_process import ROOT, environment, forked_command


def for_the_person_of(site: Site, *options: str) -> Way:
    """How the host launches the bridge: among the files of the site's person, and with his browser."""

    @contextlib.contextmanager
    def way(url: str) -> Iterator[tuple[Transport, Callable[[], str]]]:
        (program, *arguments), variables = forked_command(url, *options)
        errors = site.folder / "stderr"
        # At "info": what is traced with "debug" is no sign of a defect, and would be taken for one.
        env = environment(site.person.home, site.variables("info") | variables)
        with errors.open("a", encoding="utf-8") as file:
            launched = StdioServerParameters(command=program, args=arguments, env=env, cwd=str(ROOT))
            yield stdio_client(launched, errlog=file), lambda: errors.read_text("utf-8", errors="replace")

    return way


@contextlib.asynccontextmanager
async def host_of(site: Site, era: Era, *options: str, can_be_asked: bool = False) -> AsyncIterator[EitherEraHost]:
    """A host of an era, connected while nobody has signed in; every message between it and the bridge is checked."""
    way = for_the_person_of(site, "--answer-within", "1", *options)
    async with either_era_host(era, site.server.url, way, can_be_asked=can_be_asked) as host:
        yield host


async def call_sign_in(host: EitherEraHost) -> tuple[bool, str]:
    """Call the tool; returns whether it failed, and what it says."""
    result = await host.client.call_tool("sign_in", {})
    text = "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))
    return bool(result.is_error), text
