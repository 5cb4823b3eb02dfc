"""Calls over a link that TCP itself finds long, in a network namespace of its own (Linux).

`programs/far_calls.py` runs there, with the equipment and the link; everything that it started ends with it, for it is
the first process of a namespace of processes too. No port is taken outside.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.support.systems import namespaces
from tests.support.waits import stretched

if TYPE_CHECKING:
    from tests.wire.running import Running

ONE_WAY = 0.04
"""Seconds each way: 80 ms there and back, as across an ocean."""
LIMIT = stretched(90.0)
_PROGRAMS = "tests.wire.programs"


@dataclass(frozen=True)
class Wanted:
    """What is called, and when."""

    pauses: list[float]
    """Seconds between an answer and the next call."""
    limit: float = 0.0
    """The idle limit of the server, where no equipment is named."""
    equipment: str = ""
    door: str = ""
    certificates: str = ""
    installed: str = ""
    process: bool = False
    """Whether it is the bridge's process that calls, and not its HTTP alone."""
    delay: float = ONE_WAY


def as_at(equipment: Running, door: str, pauses: list[float], *, process: bool = False) -> Wanted:
    """Calls at this door of another such piece of equipment."""
    site = equipment.site
    return Wanted(
        pauses,
        equipment=equipment.row.name,
        door=door,
        certificates=str(site.certificates),
        installed=str(site.installed),
        process=process,
    )


@dataclass(frozen=True)
class FarCall:
    """What came of one call."""

    pause: float
    answered: bool
    is_in_doubt: bool
    """Whether a host would be told that the server may have run it or not."""
    ran: int
    """How often the server ran it."""
    told: str


def around(limit: float, before: float, after: float, step: float) -> list[float]:
    """Pauses from so long before a limit until so long after it, this far apart; all in seconds."""
    return [limit - before + step * number for number in range(round((before + after) / step))]


@functools.cache
def why_not() -> str:
    """What this system does not have or permit; empty where such a link can be made."""
    probe = [*_within(), sys.executable, "-m", f"{_PROGRAMS}.tun_link", "0"]
    return namespaces.why_not(probe, "a link that TCP finds long")


async def far_calls(wanted: Wanted) -> list[FarCall]:
    """Make the calls. Skips the test where no such link can be made; fails with what the program said."""
    import pytest  # The program needs only what is told above, and should soon be there.

    if why := await asyncio.to_thread(why_not):
        pytest.skip(why)
    command = [*_within(), sys.executable, "-m", f"{_PROGRAMS}.far_calls", json.dumps(asdict(wanted))]
    return [FarCall(**call) for call in json.loads(await namespaces.output_of(command, LIMIT))]


def assert_none_is_in_doubt(calls: Sequence[FarCall]) -> None:
    """None that the server did not run is in doubt, and none was run that the bridge takes for not sent."""
    doubted = [call for call in calls if call.is_in_doubt and call.ran == 0]
    assert not doubted, f"{len(doubted)} of {len(calls)} calls are in doubt, and none of them ran: {doubted[:3]}"
    assert [call for call in calls if call.ran > 1] == []
    assert [call for call in calls if call.ran and not call.answered and not call.is_in_doubt] == []


def collisions(calls: Sequence[FarCall]) -> int:
    """How many met a connection whose end was under way, and are known as not run."""
    return sum(not call.answered and not call.is_in_doubt for call in calls)


def _within() -> list[str]:
    """The command that runs another in namespaces of its own, which end with it."""
    own = ["unshare", "--net", "--pid", "--fork", "--kill-child"]
    return own if os.geteuid() == 0 else [*own, "--map-current-user", "--keep-caps"]
