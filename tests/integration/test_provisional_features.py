"""All of a session works for a host that was received before anybody had signed in, where the eras differ.

The features are those of `test_pairing_reference`, with the same server behind a proxy that protects it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.integration import test_router_reference as features
from tests.integration.test_router_reference import Pair, faults
from tests.support.hosts.either_era_host import EitherEraHost
from tests.support.hosts.login_host import call_sign_in, host_of
from tests.support.oauth.protecting_proxy import protecting
from tests.support.oauth.site import LOGIN
from tests.support.oauth.user import visit

# The pairs are connected once: in one worker, not in each.
pytestmark = pytest.mark.anyio

# Those in which host and server are of different eras: whatever is lost on the way is lost there first.
PAIRS = [Pair("legacy", "modern"), Pair("modern", "legacy")]
FEATURES: list[Callable[..., Any]] = [
    features.test_progress_comes_in_order_before_the_answer,
    features.test_a_cancelled_call_ends_on_the_server_and_the_next_is_served,
    features.test_the_user_fills_in_a_form_declines_and_cancels,
    features.test_the_user_is_sent_to_a_page,
    features.test_a_call_that_needs_a_page_visited_first_gets_there,
    features.test_the_hosts_model_is_asked,
    features.test_the_server_learns_the_hosts_roots,
    features.test_questions_come_in_rounds_with_progress_between_them,
    features.test_a_resource_and_a_prompt_may_ask_too,
    features.test_a_question_on_the_standing_stream_finds_the_call_it_is_for,
    features.test_two_calls_that_ask_at_once_get_each_its_own_answer,
    features.test_resources_are_listed_and_read,
    features.test_a_subscribed_resource_is_told_and_no_other,
    features.test_a_resource_is_told_no_more_after_it_is_unsubscribed,
    features.test_changed_lists_are_told,
    features.test_a_tool_that_was_added_is_listed_and_called,
    features.test_prompts_are_listed_and_got,
    features.test_arguments_are_completed,
    features.test_log_messages_come_from_the_level_that_was_asked_for,
    features.test_an_argument_that_belongs_in_a_header_is_there_too,
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The loop of the module: a pair stays connected from test to test."""
    return "asyncio"


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.param
    return found


@pytest.fixture(scope="module")
async def received(origin: str, pair: Pair) -> AsyncIterator[EitherEraHost]:
    """The pair, connected while nobody had signed in; somebody has since."""
    async with protecting(f"{origin}/{pair.server}") as site:
        site.person.browser = "record"
        async with host_of(site, pair.host, can_be_asked=True) as host:
            assert await host.tool_names() == ["sign_in"]
            assert (await visit(await site.person.until_opened(1, deadline=LOGIN))).status == 200
            failed, text = await call_sign_in(host)
            assert not failed, text
            yield host


@pytest.fixture
async def host(origin: str, received: EitherEraHost) -> AsyncIterator[EitherEraHost]:
    """The pair, with nothing heard yet; no message of the test may be one that its revision does not have."""
    await faults(origin)
    received.begin()
    yield received
    received.check()
    found = await faults(origin)
    assert not found, found


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.__name__.removeprefix("test_"))
async def test_a_received_host_has_all_of_it(feature: Callable[..., Any], host: EitherEraHost, pair: Pair) -> None:
    takes_pair = "pair" in inspect.signature(feature).parameters
    await (feature(host, pair) if takes_pair else feature(host))


async def test_nothing_is_left_of_the_provisional_answers(host: EitherEraHost) -> None:
    assert "sign_in" not in await host.tool_names()
