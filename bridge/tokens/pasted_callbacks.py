"""Gives a redirect URL that the user copied from a browser to the login on this machine that it answers."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from bridge import PROGRAM
from bridge.errors import BridgeError
from bridge.login.channel import Channel, ChannelLost
from bridge.oauth.errors import SignInError
from bridge.oauth.pasted_callback import query_of_pasted
from bridge.store.paths import platform_paths
from bridge.tokens.login_files import LoginFiles, Notice
from bridge.tokens.logins import reach

_OUTCOME_SECONDS = 90.0


class CallbackTaken(NamedTuple):
    """The login that accepted the URL: its server and profile."""

    server: str
    profile: str


async def hand_over(text: str, files: LoginFiles | None = None, seconds: float = _OUTCOME_SECONDS) -> CallbackTaken:
    """Give the URL, or its query, to each login under way until one accepts it, and wait for the end of that login.

    Each login compares the `state` with its own (RFC 6749, 10.12). Raises `UsageError` for text that is not a redirect
    URL, and `SignInError` where no login accepts it or the sign-in fails.
    """
    query = query_of_pasted(text)
    problems = []
    for notice in (files or LoginFiles(platform_paths())).notices():
        channel = await reach(notice)
        if channel is None:
            continue
        try:
            problem = await channel.say("callback", query)
            if not problem:
                await _end_of(channel, notice, seconds)
                return CallbackTaken(notice.server, notice.profile)
            problems.append((notice, problem))
        except ChannelLost as lost:
            problems.append((notice, lost.message))
        finally:
            await channel.close()
    raise _not_taken(problems)


async def _end_of(channel: Channel, notice: Notice, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not (login_status := await channel.login_status()).is_last:
                pass
    except TimeoutError:
        raise SignInError(
            f"The sign-in to {notice.server} accepted the URL, but has not ended after {seconds:g} seconds.",
            hint=f"{PROGRAM} status shows its state.",
        ) from None
    except ChannelLost:
        raise SignInError(
            f"The sign-in to {notice.server} accepted the URL, but its process ended without a result.",
            hint=f"{PROGRAM} status shows whether you are signed in.",
        ) from None
    if login_status.failure:
        raise SignInError(login_status.message, hint=login_status.hint)


def _not_taken(problems: list[tuple[Notice, str]]) -> BridgeError:
    if not problems:
        return SignInError(
            "No sign-in is in progress on this machine, so this URL cannot be used.",
            hint=f"A URL is valid only for the sign-in it came from. To start a sign-in, run: {PROGRAM} login URL",
        )
    if len(problems) == 1:
        notice, problem = problems[0]
        return SignInError(f"The sign-in to {notice.server} did not accept the URL: {problem}")
    servers = ", ".join(notice.server for notice, _ in problems)
    return SignInError(
        f"None of the sign-ins in progress accepted the URL ({servers}).",
        hint="It may belong to a sign-in that has ended. Open the link of the one you mean, and copy the address at "
        "which the browser ends.",
    )
