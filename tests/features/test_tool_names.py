"""Names of the bridge's own for tools: short enough, the same each time, led back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bridge.features.host_limits import NO_LIMITS, ROWS, Limits, limits_of
from bridge.features.tool_names import ToolNames, may_be_own
from bridge.protocol.hosts import HOSTS, host_named

STRICT = Limits(longest_name=64, added=7, refused_in_names="[^a-zA-Z0-9_-]")


def test_a_name_that_the_host_takes_stays() -> None:
    names = ToolNames()
    assert names.shown("read-file_2", STRICT) == "read-file_2"
    assert names.shown("any/thing at all" * 20, NO_LIMITS) == "any/thing at all" * 20
    assert not names.has_any


def test_the_name_of_the_server_counts() -> None:
    name = "n" * 45
    assert ToolNames("short").shown(name, STRICT) == name
    shown = ToolNames("a-long-name-of-a-server").shown(name, STRICT)
    assert len(f"mcp__a-long-name-of-a-server__{shown}") <= 64


def test_a_name_is_the_same_in_every_run() -> None:
    assert ToolNames().shown("a.b", STRICT) == ToolNames().shown("a.b", STRICT) == "a_b_2e7336dc"


@given(st.text(st.characters(), min_size=1, max_size=90))
def test_whatever_a_name_is_it_fits_and_is_led_back(name: str) -> None:
    names = ToolNames("server")
    shown = names.shown(name, STRICT)
    assert len(f"mcp__server__{shown}") <= 64
    if shown == name:
        assert names.real(shown) is None
    else:
        real = names.real(shown)
        assert real is not None
        assert json.loads(real) == name
        assert may_be_own(shown)


@given(st.lists(st.text("ab._-", min_size=1, max_size=80), unique=True, max_size=30))
def test_no_two_names_become_one(given_names: list[str]) -> None:
    names = ToolNames()
    assert len({names.shown(name, STRICT) for name in given_names}) == len(given_names)


def test_each_row_of_the_limits_is_for_a_host_that_there_is() -> None:
    assert {host.product for host in HOSTS.values()} >= set(ROWS)
    assert limits_of(host_named("nobody knows this one")) is NO_LIMITS
