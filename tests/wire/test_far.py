"""What is said where a link that TCP finds long cannot be made, and how calls over one are judged; no link is made."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.wire import far
from tests.wire.far import FarCall, assert_none_is_in_doubt, collisions, why_not

ANSWERED = FarCall(1.0, answered=True, is_in_doubt=False, ran=1, told="")
COLLIDED = FarCall(1.0, answered=False, is_in_doubt=False, ran=0, told="")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    why_not.cache_clear()
    yield
    why_not.cache_clear()


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "needs Linux" in why_not()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system itself is named")
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert "`unshare`" in why_not()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system itself is named")
def test_what_is_not_permitted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = "import sys; sys.exit('unshare failed: Operation not permitted')"
    monkeypatch.setattr(shutil, "which", lambda program: program)
    monkeypatch.setattr(far, "_within", lambda: [sys.executable, "-c", refuses])
    assert why_not().endswith("is not permitted here: unshare failed: Operation not permitted")


def test_calls_that_met_the_end_of_a_connection_are_counted() -> None:
    calls = [ANSWERED, COLLIDED, replace(COLLIDED, is_in_doubt=True)]
    assert collisions(calls) == 1


def test_a_call_in_doubt_may_have_been_run() -> None:
    assert_none_is_in_doubt([ANSWERED, COLLIDED, replace(COLLIDED, is_in_doubt=True, ran=1)])


@pytest.mark.parametrize(
    "call",
    [replace(COLLIDED, is_in_doubt=True), replace(ANSWERED, ran=2), replace(COLLIDED, ran=1)],
    ids=["in doubt, not run", "run twice", "run, and taken for not sent"],
)
def test_what_must_not_be_fails(call: FarCall) -> None:
    with pytest.raises(AssertionError):
        assert_none_is_in_doubt([ANSWERED, call])
