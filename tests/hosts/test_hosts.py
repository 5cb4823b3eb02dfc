"""Every host before every server: it ends in a tool called, or in a sentence that says what to do."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.hosts.chosen import CHOSEN, HOW, OTHERS, add_result, in_a_moment, installed, run_folder
from tests.hosts.host import Entry, Host, Setting
from tests.hosts.model.mind import SIGN_IN
from tests.hosts.model.server import Model
from tests.hosts.report import SCENARIOS
from tests.hosts.running import Ended, make_project, run
from tests.hosts.scenes import Scene, scene
from tests.support.waits import stretched

SOON = ("plain", "at-once", "dead", "wrong-name")
"""The scenarios that take a few seconds."""


@pytest.mark.anyio
@pytest.mark.parametrize("scenario", SOON if in_a_moment() else SCENARIOS)
@pytest.mark.parametrize("host", CHOSEN, ids=lambda host: host.name)
async def test_a_host_gets_the_tools_or_a_sentence(host: Host, scenario: str, tmp_path: Path) -> None:
    place = installed(host)
    folder = run_folder(host, scenario, tmp_path)
    log = folder / "bridge.log"
    async with scene(scenario, folder) as here, Model() as model:
        entry = bridge(here.url, *here.arguments, "--log-file", str(log))
        setting = Setting(place.folder, place.node, folder / "home", folder / "project", entry, model.url)
        setting.home.mkdir()
        make_project(setting.folder)
        ended = await run(host, setting, here.browser, lambda: False, stretched(host.limit))
        what = outcome(host, here, ended)
        row = {
            "seconds": round(ended.seconds, 1),
            "code": ended.code,
            "tabs": here.tabs(),
            "rounds": [[list(step.asked.tools)[-5:], repr(step.decided)[:300]] for step in model.rounds],
        }
        holds = add_result(host, scenario, what, holds=what in expected(host, scenario), **row)
        offers = "\n".join(f"{step.asked.results} -> {step.decided}" for step in model.rounds)
        parts = [ended.output, "-- log", ended.log, "-- model", offers, "-- bridge", _text(log)]
        (folder / "ended.txt").write_text("\n".join([f"{what} {row}", *parts]), encoding="utf-8")
        details = "\n".join([f"{what} {row}", *(part[-4000:] for part in parts)])
        assert not [kind for secret, kind in here.secrets().items() if secret in ended.output + ended.log], details
        assert holds, details


def test_the_other_hosts_are_run_by_a_command_of_their_own() -> None:
    if OTHERS:
        pytest.skip(f"{', '.join(host.name for host in OTHERS)}: these hosts are run by {HOW}")


TOOLS = {"called", "listed", "connected"}
EXPECTED = {
    "plain": TOOLS,
    "at-once": TOOLS,
    "after-20-s": TOOLS | {"told"},
    "refused": {"connected", "told"},
    "no-one": {"connected", "told"},
    "dead": {"told"},
    "wrong-name": {"told"},
}
ALSO = {"output": set[str](), "log": {"logged", "on stderr"}, "nowhere": {"logged", "on stderr", "failed", "nothing"}}
"""What is as good where a server cannot be reached, by where the host shows an error: no server makes it show more."""


def expected(host: Host, scenario: str) -> set[str]:
    """What may come of a run."""
    return EXPECTED[scenario] | (ALSO[host.shows] if scenario in {"dead", "wrong-name"} else set())


def bridge(*arguments: str) -> Entry:
    """The entry of the bridge, as it is installed. MCP_BRIDGE_TEST_COMMAND puts another program in its place."""
    other = os.environ.get("MCP_BRIDGE_TEST_COMMAND")
    program, *more = shlex.split(other) if other else [str(Path(sys.executable).with_name("mcp-remote-bridge"))]
    return Entry(program, (*more, *arguments))


def outcome(host: Host, here: Scene, ended: Ended) -> str:
    """What came of a run, in a word of the table."""
    if here.called():
        return "called" if ended.code == 0 else "called, no end" if ended.code is None else "called, failed"
    if not host.calls and here.listed() and ended.code == 0:
        return "listed"
    if re.search(host.misread, ended.output):
        return "misread"
    if re.search(host.connected, ended.output):
        return "connected"
    own = without_bridge(ended.output)
    if here.told.search(own) or (not host.calls and SIGN_IN in own):
        return "told"
    if here.told.search(ended.output):
        return "on stderr"
    if here.told.search(ended.log):
        return "logged"
    if re.search(host.failed, ended.output + ended.log):
        return "failed"
    return "nothing, no end" if ended.code is None else "nothing"


def without_bridge(output: str) -> str:
    """A host's output without what the bridge itself says on stderr, where the host passes it on."""
    return _BRIDGE.sub("", output)


_BRIDGE = re.compile(r"^mcp-remote-bridge: .*$", re.MULTILINE)
"""What the bridge itself says on stderr: a program on a terminal shows it, and does not know it."""


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""
