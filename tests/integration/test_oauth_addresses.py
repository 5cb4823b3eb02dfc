"""What a server leads to, in a network of its own: servers at public and private addresses, a name service, a sign-in.

The rules are in `tests/login/test_address_guard.py`; here it is shown that the relay, the login process and the
commands keep them, each with the system's own resolver. The scenes of `tests/support/oauth/address_attacks.py` are
played once.
"""

import asyncio
import json

import pytest

from tests.support.oauth.address_attacks import SCENES, Outcome
from tests.support.systems.own_network import run_within

LIMIT = 120.0

LOOPBACK, LINK_LOCAL, PRIVATE = "is a loopback address", "is a link-local address", "is a private address"
REFUSED = {
    "one more record": LOOPBACK,
    "all records": LINK_LOCAL,
    "by command": LOOPBACK,
    "moves to loopback": LOOPBACK,
    "moves inside": PRIVATE,
    "authority moves": LOOPBACK,
    "mixed authority": LOOPBACK,
    "public to private": PRIVATE,
    "private to metadata": LINK_LOCAL,
    "private to loopback": LOOPBACK,
    "allowed to loopback": LOOPBACK,
}
SERVED = ("public", "private", "renewed", "allowed", "own name elsewhere")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What came of each scene."""
    told = asyncio.run(run_within("tests.support.oauth.address_attacks", LIMIT))
    return {name: Outcome(**outcome) for name, outcome in json.loads(told).items()}


@pytest.mark.parametrize("scene", list(REFUSED))
def test_nothing_inside_is_asked_or_opened_and_nothing_of_it_is_told(scene: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[scene]
    assert not outcome.problem, outcome.problem
    assert REFUSED[scene] in outcome.message
    assert "Nothing was sent there" in outcome.message
    assert (outcome.inside, outcome.opened, outcome.quoted) == (0, 0, False)


@pytest.mark.parametrize("scene", SERVED)
def test_what_is_as_it_should_be_is_served(scene: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[scene]
    assert not outcome.problem, outcome.problem
    assert (outcome.message, outcome.inside, outcome.quoted) == ("", 0, False)


def test_every_scene_is_looked_at() -> None:
    assert {*REFUSED, *SERVED} == set(SCENES)
