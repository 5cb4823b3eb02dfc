"""What follows from a refusal: the table of `bridge.oauth.recovery`, row by row, and that it always comes to an end."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.record import Record
from bridge.oauth.recovery import MAX_STEP_UPS, Step, TokenInUse, TokenSource, next_step
from tests.oauth.samples import record
from tests.support.cuts import unhurried

MINE = record(access_token="mine", asked="a b", scope="a")
OTHER = record(access_token="other", asked="a b", scope="a")
CLEARED = MINE.without_tokens()
LONELY = record(access_token="mine", refresh_token="")


def held(record: Record | None = MINE, origin: TokenSource = TokenSource.STORE, *, accepted: bool = True) -> TokenInUse:
    return TokenInUse(record, origin, accepted)


def after_401(used: TokenInUse, stored: Record | None = MINE) -> Step:
    return next_step(used, stored, in_use=True, lacks=None, step_ups=0)


def after_403(
    lacks: Sequence[str], used: TokenInUse | None = None, stored: Record | None = MINE, step_ups: int = 0
) -> Step:
    return next_step(used or held(), stored, in_use=True, lacks=lacks, step_ups=step_ups)


@pytest.mark.parametrize("lacks", [None, (), ("c",)])
@pytest.mark.parametrize("used", [held(), held(None), held(origin=TokenSource.SIGN_IN, accepted=False)])
def test_a_token_that_is_not_in_use_any_more_is_retried_with_the_one_that_is(
    lacks: Sequence[str] | None, used: TokenInUse
) -> None:
    assert next_step(used, OTHER, in_use=False, lacks=lacks, step_ups=9) is Step.RETRY


@pytest.mark.parametrize(
    "used",
    [
        held(),
        held(None),
        held(CLEARED),
        held(LONELY),
        held(origin=TokenSource.SIGN_IN, accepted=False),
        held(origin=TokenSource.REFRESH, accepted=False),
    ],
)
def test_a_login_elsewhere_is_picked_up_before_anything_else(used: TokenInUse) -> None:
    assert after_401(used, OTHER) is Step.RELOAD
    assert after_403(("c",), used, OTHER) is Step.RELOAD


def test_a_token_that_needs_no_user_is_renewed_without_a_refresh_token() -> None:
    own = record(access_token="mine", refresh_token="", grant="client-credentials")
    assert after_401(held(own), own) is Step.REFRESH
    assert after_401(held(LONELY), LONELY) is Step.SIGN_IN


@pytest.mark.parametrize("stored", [None, CLEARED, MINE])
def test_a_store_without_another_token_is_no_news(stored: Record | None) -> None:
    assert after_401(held(), stored) is Step.REFRESH


@pytest.mark.parametrize("origin", list(TokenSource))
def test_a_token_that_worked_is_refreshed(origin: TokenSource) -> None:
    assert after_401(held(origin=origin)) is Step.REFRESH


def test_a_token_from_the_store_is_refreshed_before_any_browser_opens() -> None:
    assert after_401(held(accepted=False)) is Step.REFRESH


@pytest.mark.parametrize("used", [held(LONELY), held(LONELY, accepted=False), held(None), held(CLEARED)])
def test_without_a_token_or_a_refresh_token_a_person_signs_in(used: TokenInUse) -> None:
    assert after_401(used, None) is Step.SIGN_IN


def test_a_new_token_that_was_never_accepted_is_the_end() -> None:
    assert after_401(held(origin=TokenSource.SIGN_IN, accepted=False)) is Step.GIVE_UP


def test_a_renewed_token_that_was_never_accepted_needs_a_person() -> None:
    assert after_401(held(origin=TokenSource.REFRESH, accepted=False)) is Step.SIGN_IN


@pytest.mark.parametrize("origin", list(TokenSource))
@pytest.mark.parametrize("lacks", [("c",), ("a", "c"), ("c", "d")])
def test_a_scope_never_asked_for_is_asked_for_and_nothing_is_refreshed(
    lacks: Sequence[str], origin: TokenSource
) -> None:
    assert after_403(lacks, held(origin=origin)) is Step.SIGN_IN
    assert after_403(lacks, held(origin=origin, accepted=False)) is Step.SIGN_IN


@pytest.mark.parametrize("lacks", [("a",), ("b",), ("b", "a")])
def test_a_scope_that_was_asked_for_is_not_asked_for_again(lacks: Sequence[str]) -> None:
    assert after_403(lacks) is Step.GIVE_UP


def test_a_refusal_that_names_no_scope_is_worth_one_try() -> None:
    assert after_403(()) is Step.SIGN_IN
    assert after_403((), step_ups=1) is Step.GIVE_UP


def test_a_403_without_any_token_is_signed_in_for() -> None:
    assert after_403(("a",), held(None), None) is Step.SIGN_IN


def test_more_scopes_are_asked_for_a_few_times_only() -> None:
    steps = [after_403((f"new{number}",), step_ups=number) for number in range(MAX_STEP_UPS + 2)]
    assert steps == [Step.SIGN_IN] * MAX_STEP_UPS + [Step.GIVE_UP] * 2
    assert 1 <= MAX_STEP_UPS <= 5, "no more than a few times"


RECORDS = st.sampled_from([None, MINE, OTHER, CLEARED, LONELY])
LACKS = st.none() | st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)


@unhurried
@given(st.lists(st.tuples(LACKS, st.booleans()), min_size=40, max_size=40), RECORDS)
def test_a_server_that_refuses_whatever_it_gets_is_given_up(
    refusals: list[tuple[list[str] | None, bool]], first: Record | None
) -> None:
    """However refusals follow one another for one request, few sign-ins come of them, and then an end."""
    used, stored, step_ups, sign_ins = TokenInUse(first, TokenSource.STORE, False), first, 0, 0
    for lacks, rotates in refusals:
        step = next_step(used, stored, in_use=True, lacks=lacks, step_ups=step_ups)
        if step is Step.GIVE_UP:
            break
        assert step is not Step.RETRY
        step_ups += lacks is not None
        if step is Step.RELOAD:
            used = TokenInUse(stored, TokenSource.STORE, False)
        elif step is Step.REFRESH:
            kept = used.record
            assert kept is not None
            assert kept.refresh_token
            stored = record(access_token=f"{kept.access_token}+", asked=kept.asked) if rotates else CLEARED
            used = TokenInUse(stored, TokenSource.REFRESH if rotates else TokenSource.STORE, False)
        else:
            sign_ins += 1
            asked = " ".join(["a", *(lacks or ())])
            stored = record(access_token=f"signed in {sign_ins}", asked=asked)
            used = TokenInUse(stored, TokenSource.SIGN_IN, False)
    else:
        raise AssertionError("it never ended")
    assert sign_ins <= 1 + MAX_STEP_UPS
