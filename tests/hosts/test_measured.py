"""What is known of each host, measured again: a probe in the bridge's place looks at what the host does."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.protocol.hosts import UNKNOWN, host_named
from tests.hosts.chosen import CHOSEN, HOW, add_result, in_a_moment, installed, run_folder
from tests.hosts.host import CALL_PATIENCE, Entry, Host, Lists, Npm, PyPi, Setting, Shows
from tests.hosts.model.mind import SIGN_IN, TOOL, Use, is_end, is_tool
from tests.hosts.model.server import Model, Round
from tests.hosts.probe import LATE, LISTS, SENTENCE
from tests.hosts.probe import __file__ as PROBE  # noqa: N812
from tests.hosts.running import Ended, make_project, run, write_browser
from tests.hosts.timeline import Timeline, read_timeline

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("host", CHOSEN, ids=lambda host: host.name)]

MEASURED_UP_TO = 75.0
"""Seconds that a host is given to lose its patience."""
START = 30.0
"""Seconds a host may take to start the probe."""
SLACK = 2.0
"""Seconds that a measured patience may be off: a busy machine is slow to start a host's copy, and to end it."""


@dataclass(frozen=True)
class Measured:
    """One run of a host with the probe."""

    ended: Ended
    timeline: Timeline
    rounds: list[Round]
    patience: float
    """Seconds until the host closed the probe's input."""

    def __str__(self) -> str:
        offers = "\n".join(f"{list(step.asked.tools)} -> {step.decided!r}"[:700] for step in self.rounds)
        output, log = self.ended.output[-3000:], self.ended.log[-3000:]
        return "\n".join([self.timeline.told(), "-- model", offers, "-- output", output, "-- log", log])


async def measure(host: Host, kind: str, folder: Path, limit: float, *, call_patience: int | None = None) -> Measured:
    """Run a host with the probe of a kind; `call_patience` is what the user lets a call take."""
    place = installed(host)
    folder = run_folder(host, kind, folder)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "probe.jsonl"
    entry = Entry(sys.executable, (PROBE, kind, str(record)))
    async with Model() as model:
        setting = Setting(
            place.folder, place.node, folder / "home", folder / "project", entry, model.url, call_patience
        )
        setting.home.mkdir()
        make_project(setting.folder)

        def lost_patience() -> bool:
            notes = read_timeline(record).notes if kind == "silent" else []
            over = bool(notes) and time.time() - notes[0]["at"] > MEASURED_UP_TO
            return over or any(note["what"] == "closed" for note in notes)

        ended = await run(host, setting, write_browser(folder, "record"), lost_patience, limit)
    timeline = read_timeline(record)
    assert timeline.notes, f"the host started nothing: {ended}"
    measured = Measured(ended, timeline, model.rounds, timeline.lasted(time.time()))
    (folder / "measured.txt").write_text(str(measured), encoding="utf-8")
    return measured


async def test_it_opens_as_known_and_is_as_patient(host: Host, tmp_path: Path) -> None:
    if in_a_moment():
        pytest.skip(f"takes over a minute: {HOW} {host.name}")
    seen = await measure(host, "silent", tmp_path, MEASURED_UP_TO + START)
    patience = None if seen.ended.code is None and seen.patience > MEASURED_UP_TO - SLACK else seen.patience
    shown = f"over {MEASURED_UP_TO:.0f}" if patience is None else f"{patience:.1f}"
    close = patience is None or (host.patience is not None and abs(patience - host.patience) <= SLACK)
    packages = host.source.packages if isinstance(host.source, Npm | PyPi) else ()
    add_result(host, "version", ", ".join(packages), holds=True)
    holds = [
        add_result(host, "client", seen.timeline.client, holds=seen.timeline.client == host.client),
        add_result(host, "opens-with", seen.timeline.opens_with, holds=seen.timeline.opens_with == host.opens_with),
        add_result(host, "patience", shown, holds=close and (patience is None) == (host.patience is None)),
        add_result(
            host,
            "passes-desktop",
            "yes" if seen.timeline.passes_desktop else "no",
            holds=seen.timeline.passes_desktop == host.passes_desktop,
        ),
    ]
    assert all(holds), str(seen)


async def test_it_lists_again_when_it_is_known_to(host: Host, tmp_path: Path) -> None:
    if not host.calls:
        pytest.skip(f"{host.name} calls no tool")
    seen = await measure(host, "changing", tmp_path, host.limit)
    found = lists_again(seen)
    assert add_result(host, "lists-again", found, holds=found == host.lists_again), str(seen)


async def test_it_lists_again_when_it_is_known_to_with_a_server_of_2026_07_28(host: Host, tmp_path: Path) -> None:
    if host.lists_again_modern is None:
        pytest.skip(f"{host.name} speaks older revisions only")
    seen = await measure(host, "changing-modern", tmp_path, host.limit)
    found = lists_again(seen)
    assert add_result(host, "lists-again-modern", found, holds=found == host.lists_again_modern), str(seen)


async def test_it_shows_an_error_where_it_is_known_to(host: Host, tmp_path: Path) -> None:
    seen = await measure(host, "refusing", tmp_path, host.limit)
    sentence = " ".join(SENTENCE.split())
    found: Shows = "nowhere"
    if sentence in " ".join(seen.ended.output.split()):
        found = "output"
    elif sentence in " ".join(seen.ended.log.split()):
        found = "log"
    assert add_result(host, "shows", found, holds=found == host.shows), str(seen)


async def test_progress_keeps_a_call_going_where_it_is_known_to(host: Host, tmp_path: Path) -> None:
    if host.restarts_on_progress is None:
        pytest.skip(f"{host.name} has no setting for the time of a call")
    kept = []
    for kind in ("waiting", "progressing"):
        what = f"{kind}-{host.silence}"
        seen = await measure(host, what, tmp_path / what, host.limit, call_patience=CALL_PATIENCE)
        kept.append(any(LATE in result.text for step in seen.rounds for result in step.asked.results))
    assert not kept[0], f"a silent call may take longer than it was let: {seen}"
    known = host_named(host.client).restarts_on_progress
    held = kept[1] == host.restarts_on_progress == known
    assert add_result(host, "restarts-on-progress", "yes" if kept[1] else "no", holds=held), str(seen)


async def test_it_reads_the_pages_of_lists_as_known(host: Host, tmp_path: Path) -> None:
    if not host.shows_tools and not host.calls:
        pytest.skip(f"{host.name} connects, and may ask for no list")
    seen = await measure(host, "paged", tmp_path, host.limit)
    found = tuple(method for method in LISTS if reads_one_page(seen, method))
    known = host_named(host.client)
    held = found == host.reads_one_page and (known is UNKNOWN or not found or not known.reads_all_pages)
    assert add_result(host, "reads-one-page", ", ".join(found) or "none", holds=held), str(seen)


def reads_one_page(seen: Measured, method: str) -> bool:
    """Whether the host asked for a list, and never for a page after the first."""
    asked = [(message.get("params") or {}).get("cursor") for message in seen.timeline.messages(method)]
    return bool(asked) and not any(asked)


def lists_again(seen: Measured) -> Lists:
    """When the host had the new tools, after a `sign_in` that changed them."""
    called = [message["params"]["name"] for message in seen.timeline.messages("tools/call")]
    listed = len(seen.timeline.messages("tools/list"))
    turns = 0
    for step in seen.rounds:
        if isinstance(step.decided, Use) and is_tool(step.decided.tool, TOOL):
            break
        turns += is_end(step.decided)
    if any(is_tool(name, TOOL) for name in called) and listed > 1:
        return "next turn" if turns else "same turn"
    if not any(is_tool(name, SIGN_IN) for name in called):
        return "not seen"
    # Where there was one turn: it asked, and the model was not shown what came.
    return "next turn" if listed > 1 and turns < 2 else "never"
