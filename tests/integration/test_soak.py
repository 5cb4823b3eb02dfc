"""A short form of `scripts/soak.py`: hosts that come and go on tokens that live for seconds."""

import math
import subprocess
import sys

import pytest

from tests.support.process import login_soak
from tests.support.process.bridge_process import ROOT
from tests.support.process.login_soak import Tally, soak
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


async def test_ten_restarts_on_short_tokens_ask_once_and_spend_nothing_twice() -> None:
    tally = await soak(10, math.ceil(stretched(2)))
    assert tally.is_good, str(tally)
    assert tally.refreshes > 0, "nothing was tried"


@pytest.mark.parametrize(
    ("tabs", "reuses", "is_good"), [(1, 0, True), (2, 0, False), (1, 1, False), (0, 0, False)], ids=str
)
def test_one_tab_and_no_token_spent_twice_is_good(tabs: int, reuses: int, is_good: bool) -> None:
    tally = Tally(200, tabs, 40, reuses, 12, 99.0)
    assert tally.is_good is is_good
    assert "200 restarts" in str(tally)


@pytest.mark.parametrize("wrong", [["--seconds", "0"], ["--restarts", "-1"], ["--nonsense"]], ids=" ".join)
def test_what_was_misspelt_is_told_before_any_set_up(wrong: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "soak.py"), *wrong],
        capture_output=True,
        text=True,
        timeout=stretched(60),
        check=False,
    )
    assert done.returncode == 2
    assert "scripts/soak.py" in done.stderr
    assert "Preparing" not in done.stdout


def test_a_round_that_fails_is_told_and_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(manner: str) -> None:
        raise AssertionError(f"two tabs ({manner})")

    monkeypatch.setattr(login_soak, "play_round", fails)
    assert login_soak.main(["--rounds", "1"]) == 1
    assert capsys.readouterr().out == "soak: failed: two tabs (at-once)\n"
