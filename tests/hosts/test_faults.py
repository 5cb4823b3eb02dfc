"""A server lists a tool that it should not: what each host shows of it, as it came and mended by the bridge."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.hosts.chosen import CHOSEN, HOW, OTHERS, add_result, in_a_moment, installed, run_folder
from tests.hosts.faults import (
    FAULTS,
    LISTS,
    TOOLS,
    all_in_one_list,
    echo_with_a_broken_output_schema,
    good_tools_in,
    has_bad_tool,
    listing,
    outcome,
)
from tests.hosts.host import Host, Setting
from tests.hosts.model.server import Model
from tests.hosts.running import make_project, run, write_browser
from tests.hosts.scenes import complete
from tests.hosts.test_hosts import bridge, without_bridge
from tests.support.servers.fault_server import Call, FaultServer
from tests.support.waits import stretched

WAYS: dict[str, tuple[str, ...]] = {"as it came": ("--pass-through",), "mended": ()}
"""The bridge's options, by what it does."""
ALL = "all"
"""In place of a fault's number: all tools in one list."""
MODERN = "2026-07-28"
RESULT = "result"
"""In place of a fault's number: the tool `echo`, with results that are not as it says."""
SAID = "What echo said, without structure"

each_host = pytest.mark.parametrize("host", CHOSEN, ids=lambda host: host.name)


@pytest.mark.anyio
@each_host
@pytest.mark.parametrize("revision", ["", MODERN], ids=["sessions", "modern"])
async def test_every_good_tool_is_shown_of_a_list_with_all_faults(host: Host, revision: str, tmp_path: Path) -> None:
    skip_unless_it_shows_tools(host)
    async with server(revision) as url:
        seen = await shown(host, "mended all", tmp_path, [f"{url}?fault={ALL}"], WAYS["mended"])
    missing = [fault for number, fault in enumerate(TOOLS) if good_tools_in(seen.tools, number) < 2]
    what = f"{len(TOOLS) - len(missing)} of {len(TOOLS)}"
    assert add_result(host, f"all-faults{revision}", what, holds=not missing), f"{missing}\n{seen.text[-3000:]}"


@pytest.mark.anyio
@each_host
@pytest.mark.parametrize("way", WAYS)
async def test_a_fault_hides_no_good_tool_when_it_is_mended(host: Host, way: str, tmp_path: Path) -> None:
    skip_unless_it_shows_tools(host)
    if in_a_moment() or not host.servers_at_once:
        pytest.skip(f"takes minutes: {HOW} {host.name}")
    async with server() as url:
        texts = await shown_of_each(host, way, tmp_path, url)
    found = [outcome(text, number) for number, text in enumerate(texts)]
    for fault, what in zip(FAULTS, found, strict=True):
        add_result(host, fault, what, holds=way == "as it came" or what != "nothing", way=way)
    assert found[0] == "all", f"the tools of a good server: {texts[0][-3000:]}"
    if way == "mended":
        assert [fault for fault, what in zip(FAULTS, found, strict=True) if what in {"nothing", "one"}] == []


@pytest.mark.anyio
@each_host
async def test_a_result_arrives_although_the_schema_for_it_is_broken(host: Host, tmp_path: Path) -> None:
    if not host.calls:
        pytest.skip(f"{host.name} calls no tool")
    async with server() as url:
        seen = await shown(host, "mended result", tmp_path, [f"{url}?fault={RESULT}"], WAYS["mended"])
    arrived = SAID in seen.text
    assert add_result(host, "odd-result", "yes" if arrived else "no", holds=arrived), seen.text[-3000:]


def test_each_fault_has_two_good_tools_and_names_as_long_as_it_says() -> None:
    for number, fault in enumerate(FAULTS):
        text = str(listing(number))
        assert good_tools_in(text, number) == 2, fault
        assert outcome("", number) == "nothing"
    lengths = {len(tool["name"]) for tool in _tools("name of 65 characters") + _tools("name of 129 characters")}
    assert {65, 129} <= lengths
    assert len(_tools("two tools of one name")) == 4
    assert listing(FAULTS.index('`nextCursor: ""`'))["nextCursor"] == ""
    assert set(LISTS) < set(FAULTS)


def test_the_page_has_what_was_measured_for_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "host-behaviour.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| the bad tool or list .*?\n\n", page, re.DOTALL | re.MULTILINE)
    heading, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line]
    assert [line[0] for line in lines] == list(FAULTS)
    assert {name.strip("`") for name in heading[1:]} <= {host.name for host in CHOSEN + OTHERS if host.servers_at_once}


@pytest.mark.parametrize("name", ["mcp__f3__bad_f3", "f3-bad-f3", "bad.f3", "mcp_f3_bad_f3_e2"])
def test_a_bad_tool_is_known_by_the_name_that_a_host_gives_it(name: str) -> None:
    assert outcome(f"good_a_f3 good_b_f3 {name}", 3) == "all"
    assert not has_bad_tool(name, 30)
    assert outcome("good_a_f30 good_b_f30", 3) == "nothing"


def _tools(fault: str) -> list[dict[str, str]]:
    tools = listing(FAULTS.index(fault))["tools"]
    assert isinstance(tools, list)
    return tools


def skip_unless_it_shows_tools(host: Host) -> None:
    """Skip the calling test where a run of the host says nothing of its tools."""
    if not host.shows_tools:
        pytest.skip(f"{host.name} does not show its tools")


@contextlib.asynccontextmanager
async def server(revision: str = "") -> AsyncIterator[str]:
    """A server that lists a tool with the fault of the number in its URL (`?fault=3`); yields the URL without it.

    `revision`: the one it speaks where it is modern; empty: one with sessions.
    """

    async def tools(call: Call) -> None:
        (fault,) = parse_qs(urlsplit(call.request.path).query)["fault"]
        if fault == RESULT:
            result = echo_with_a_broken_output_schema()
        else:
            result = all_in_one_list() if fault == ALL else listing(int(fault))
        fresh = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if revision else {}
        await call.json(call.reply(fresh | result))

    async def discover(call: Call) -> None:
        about = {"supportedVersions": [revision], "capabilities": {"tools": {}}, "resultType": "complete"}
        await call.json(call.reply(about | {"ttlMs": 0, "cacheScope": "private"}))

    async def opens_no_session(call: Call) -> None:
        await call.json(call.failure(-32601, "Method not found"))

    async def echo(call: Call) -> None:
        await call.json(call.reply({"content": [{"type": "text", "text": SAID}]}))

    async with FaultServer() as faulty:
        complete(faulty)
        faulty.always("tools/list", tools)
        faulty.always("tools/call:echo", echo)
        if revision:
            faulty.always("server/discover", discover)
            faulty.always("initialize", opens_no_session)
        yield faulty.url


async def shown_of_each(host: Host, way: str, folder: Path, url: str) -> list[str]:
    """What the host shows where it is told of the servers of all faults: a text for each fault.

    Where it shows nothing at all of several servers, one of them spoiled its start: each has a run of its own then.
    """
    texts: list[str] = []
    for first in range(0, len(FAULTS), host.servers_at_once):
        numbers = range(len(FAULTS))[first : first + host.servers_at_once]
        seen = await shown(host, f"{way} {first}", folder, _urls(url, numbers), WAYS[way])
        if len(numbers) > 1 and not any(good_tools_in(seen.tools, number) for number in numbers):
            for number in numbers:
                alone = await shown(host, f"{way} {number}", folder, _urls(url, [number]), WAYS[way])
                texts.append(alone.tools)
        else:
            texts += [seen.tools] * len(numbers)
    return texts


def _urls(url: str, numbers: Iterable[int]) -> list[str]:
    return [f"{url}?fault={number}" for number in numbers]


@dataclass(frozen=True)
class Shown:
    """What a host shows: in its requests to the model, or on its output where it has none."""

    tools: str
    """The names of the tools on offer; all of the text where the host hides them there until they are searched for."""
    text: str


async def shown(host: Host, what: str, folder: Path, urls: list[str], options: tuple[str, ...]) -> Shown:
    """Run the host with a bridge for each URL."""
    place = installed(host)
    folder = run_folder(host, what.replace(" ", "-"), folder / what)
    folder.mkdir(exist_ok=True, parents=True)
    entries = {f"s{number}": bridge(url, *options) for number, url in enumerate(urls)}
    first = entries.pop("s0")
    async with Model() as model:
        setting = Setting(
            place.folder, place.node, folder / "home", folder / "project", first, model.url, others=entries
        )
        setting.home.mkdir()
        make_project(setting.folder)
        ended = await run(host, setting, write_browser(folder, "record"), lambda: False, stretched(host.limit))
    text = "\n".join(step.text for step in model.rounds) if host.speaks else without_bridge(ended.output)
    offered = "\n".join(tool for step in model.rounds for tool in step.asked.tools)
    (folder / "shown.txt").write_text("\n".join([text, "-- output", ended.output]), encoding="utf-8")
    return Shown(offered if "good_" in offered else text, text)
