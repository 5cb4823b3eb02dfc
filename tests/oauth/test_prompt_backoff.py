"""When a browser may be opened by itself."""

import math

import pytest

from bridge.oauth.prompt_backoff import LONGEST_PAUSE, PromptHeldBack, PromptHistory, held_back

NOW = 1_000_000.0


def judge(history: PromptHistory, now: float = NOW, *, since: float = 0.0) -> PromptHeldBack | None:
    return held_back(history, now=now, since=since, pause=60.0)


def test_the_first_sign_in_opens_one() -> None:
    assert judge(PromptHistory()) is None


def test_one_that_opened_no_tab_holds_nothing_back() -> None:
    assert judge(PromptHistory().ended("failed", NOW)) is None


@pytest.mark.parametrize("outcome", ["refused", "timed-out"])
def test_each_one_that_no_token_came_of_doubles_the_pause(outcome: str) -> None:
    history = PromptHistory()
    for seconds in (120.0, 240.0, 480.0, 960.0, 1920.0, LONGEST_PAUSE, LONGEST_PAUSE):
        history = history.tab_opened(NOW).ended(outcome, NOW + 5)  # type: ignore[arg-type]
        assert judge(history, NOW + 6) == PromptHeldBack(NOW + 5 + seconds, outcome)  # type: ignore[arg-type]
        assert judge(history, NOW + 5 + seconds) is None


def test_a_hundred_refusals_are_no_overflow() -> None:
    history = PromptHistory()
    for _ in range(5000):
        history = history.tab_opened(NOW).ended("refused", NOW)
    held = judge(history)
    assert held is not None
    assert held.until == NOW + LONGEST_PAUSE


def test_one_that_went_through_ends_the_doubling() -> None:
    history = PromptHistory()
    for _ in range(3):
        history = history.tab_opened(NOW).ended("refused", NOW)
    history = history.tab_opened(NOW).ended("done", NOW + 1)
    assert judge(history, NOW + 2) is None
    assert judge(history.tab_opened(NOW + 61).ended("refused", NOW + 61), NOW + 62) == PromptHeldBack(
        NOW + 181, "refused"
    )


def test_a_success_starts_no_pause_and_a_refusal_does() -> None:
    history = PromptHistory().tab_opened(NOW).ended("done", NOW)
    assert judge(history) is None
    assert judge(history.tab_opened(NOW).ended("refused", NOW)) is not None


def test_successes_that_do_not_last_open_a_bounded_number_of_tabs() -> None:
    history = PromptHistory()
    for number in range(5):
        assert judge(history, NOW + number) is None
        history = history.tab_opened(NOW + number).ended("done", NOW + number)
    assert judge(history, NOW + 5) == PromptHeldBack(NOW + 600, "done")
    assert judge(history, NOW + 600) is None
    assert judge(history.tab_opened(NOW + 600).ended("done", NOW + 600), NOW + 601) is None


def test_an_hourly_success_never_holds_one_back() -> None:
    history = PromptHistory()
    for hour in range(50):
        history = history.tab_opened(NOW + 3600 * hour).ended("done", NOW + 3600 * hour)
        assert judge(history, NOW + 3600 * hour + 1) is None


def test_a_success_whose_token_the_server_refuses_starts_one() -> None:
    history = PromptHistory().tab_opened(NOW).ended("done", NOW).ended("unaccepted", NOW + 1)
    assert judge(history, NOW + 2) == PromptHeldBack(NOW + 61, "unaccepted")
    assert judge(history, NOW + 61) is None


def test_one_that_was_cut_off_may_be_begun_again_once() -> None:
    cut_off = PromptHistory().tab_opened(NOW)
    assert judge(cut_off, NOW + 1) is None
    again = cut_off.tab_opened(NOW + 1)
    assert judge(again, NOW + 2) == PromptHeldBack(NOW + 121, "")
    assert judge(again, NOW + 121) is None
    assert judge(again.ended("done", NOW + 3).tab_opened(NOW + 100), NOW + 101) is None


def test_who_signed_out_is_not_asked_by_runs_that_were_there() -> None:
    history = PromptHistory().tab_opened(NOW - 500).ended("done", NOW - 400).logged_out(NOW)
    assert judge(history, NOW + 10**6, since=NOW - 1) == PromptHeldBack(math.inf, "stopped")
    assert judge(history, NOW + 1, since=NOW + 1) is None
    assert judge(history.tab_opened(NOW + 2).ended("done", NOW + 3), NOW + 10**6, since=NOW - 1) is None


@pytest.mark.parametrize(
    "history",
    [
        PromptHistory(tab_at=NOW + 999, outcome="refused", ended_at=NOW + 999, failures=9),
        PromptHistory(tab_at=NOW - 999, outcome="refused", ended_at=NOW + 10**8),
        PromptHistory(logged_out_at=NOW + 999),
    ],
    ids=["before-the-tab", "during-the-sign-in", "before-signing-out"],
)
def test_a_clock_that_was_set_back_blocks_nobody(history: PromptHistory) -> None:
    assert judge(history) is None


@pytest.mark.parametrize("count", [10**9, -(10**9)])
def test_counts_that_nobody_reaches_break_nothing(count: int) -> None:
    history = PromptHistory(tab_at=NOW, outcome="refused", ended_at=NOW, failures=count, crashes=count)
    held = judge(history)
    assert held is not None
    assert NOW + 60 <= held.until <= NOW + LONGEST_PAUSE


def test_no_pause_holds_nothing_back() -> None:
    history = PromptHistory().tab_opened(NOW).ended("refused", NOW)
    assert held_back(history, now=NOW, since=0, pause=0.0) is None
