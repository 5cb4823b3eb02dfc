"""A login that the user watches in a terminal: its messages are shown, and pasted lines go to it.

| what comes | what follows |
|---|---|
| a status | the link is shown once, and the line that says what the login waits for is updated |
| a pasted line | its query goes to the login; where it is wrong, the user is told, and the wait goes on |
| a second, where a line can be updated in place | the time left is updated |
| the last status | it is returned |
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge.config import Settings
from bridge.errors import BridgeError, UsageError
from bridge.login.browser_available import why_not_here
from bridge.login.channel import ChannelLost
from bridge.login.channel_messages import LoginStatus
from bridge.login.openers import names_browser
from bridge.oauth.errors import SignInError
from bridge.oauth.pasted_callback import query_of_pasted
from bridge.oauth.record import Freshness, Record, decode, freshness
from bridge.process.host_environment import keyring_variables
from bridge.store.choice import open_store
from bridge.store.paths import platform_paths
from bridge.tokens.login_order import login_key, make_order, tokens_key_of
from bridge.tokens.logins import Joined, Logins
from bridge.tokens.stored_sign_in import read_stored, who

_TICK = 1.0
_WHO_SECONDS = 1.0
_WORTH_SAYING = ("warning", "error")


class LoginLink(Protocol):
    """A connection to the login: the part of `login.channel.Channel` that is used here."""

    async def login_status(self) -> LoginStatus:
        """The next status. Raises `ChannelLost`."""

    async def say(self, want: Literal["callback", "open", "stop"], text: str = "") -> str:
        """Send a command to the login; return why it failed, empty where it did not. Raises `ChannelLost`."""


class LoginScreen(Protocol):
    """What the user sees in a terminal. None of these methods raises."""

    is_live: bool
    """Whether a line can be updated in place."""

    def link(self, url: str, code: str) -> None:
        """Show the link to sign in at, and the code to enter there, if there is one."""

    def waiting(self, text: str, left: str) -> None:
        """Show what the login waits for, in place of the line before, and the time left."""

    def say(self, text: str) -> None:
        """Show a sentence."""

    def signed_in_already(self, record: Record, who: str) -> None:
        """Show that the user is signed in, and the account; empty where that is not known."""

    on_interrupt: str
    """What to show where the user ends the wait."""


@dataclass(frozen=True, slots=True)
class SignInResult:
    """A sign-in that succeeded: its record, the account, and where it is stored."""

    record: Record
    who: str
    place: str


async def log_in(
    settings: Settings, screen: LoginScreen, typed: asyncio.Queue[str], notice: Callable[[str], None]
) -> SignInResult:
    """Join the login that is under way for these settings, or start one, and wait for it.

    `typed` gives the lines from the keyboard; `notice` takes a sentence about where secrets are stored. A cancelled
    call ends the login that it started; one that was under way goes on. Raises `BridgeError`.
    """
    store = open_store(settings.sign_in.token_store, notice, keyring_variables)
    store_key = tokens_key_of(settings)
    previous = (await read_stored(store, store_key)).record if store.exists_hint(store_key) else None
    logins = Logins(login_key(settings), platform_paths(), notice)

    async def may_start() -> bool:
        if settings.sign_in.token_store == "memory":  # noqa: S105 - a place
            raise UsageError(
                "With --token-store memory nothing is stored, so this sign-in would be lost when the command ends.",
                hint="Let the host start the bridge, which signs in by itself; this command can join that sign-in.",
            )
        return True

    telling = asyncio.create_task(_tell_who(previous, settings, screen))
    joining = asyncio.create_task(logins.join_or_start(make_order(settings, None, previous, ""), may_start))
    try:
        joined = await asyncio.shield(joining)
    except asyncio.CancelledError:
        telling.cancel()
        await _stop_begun(joining)
        raise
    assert joined is not None  # noqa: S101 - a login may always start here
    opening = None
    if joined.was_under_way:
        screen.on_interrupt = "Stopped waiting. The sign-in that was already in progress continues."
        screen.say(f"A sign-in to {settings.url} is already in progress; this command joins it.")
        names = names_browser(os.environ, sys.platform)
        if not settings.sign_in.no_browser and not why_not_here(os.environ, sys.platform, names_browser=names):
            # The login may have opened no browser, because no user asked for one; this command does.
            opening = asyncio.create_task(_open(joined.channel))
    try:
        await telling
        login_status = await attend(joined.channel, screen, typed, settings.url)
    except asyncio.CancelledError:
        if not joined.was_under_way:
            await stop(joined.channel)
        raise
    finally:
        if opening is not None:
            opening.cancel()
        await joined.channel.close()
    if login_status.failure:
        raise SignInError(login_status.message, hint=login_status.hint)
    record = decode(bytes(login_status.record))
    if record is None or not login_status.is_kept:
        raise SignInError(
            f"You are signed in to {settings.url}, but the tokens could not be stored: only the bridges "
            "that waited for this sign-in have them.",
            hint="The messages above say why.",
        )
    return SignInResult(record, await who(record, settings), store.place(store_key))


async def attend(
    wire: LoginLink,
    screen: LoginScreen,
    typed: asyncio.Queue[str],
    server: str,
    clock: Callable[[], float] = time.time,
) -> LoginStatus:
    """Follow a login to its end, and return its last status. `typed` gives the lines from the keyboard.

    Raises `ChannelLost` where the login process ends without a last status.
    """
    login_status = LoginStatus(phase="preparing")
    hearing: asyncio.Task[LoginStatus] = asyncio.create_task(wire.login_status())
    typing: asyncio.Task[str] = asyncio.create_task(typed.get())
    try:
        while not login_status.is_last:
            screen.waiting(_waited_for(login_status, server), _left(login_status, clock()))
            limit = _TICK if screen.is_live else None
            await asyncio.wait((hearing, typing), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                before, login_status = login_status, hearing.result()
                hearing = asyncio.create_task(wire.login_status())
                _show(screen, before, login_status)
            elif typing.done():
                text = typing.result()
                typing = asyncio.create_task(typed.get())
                if text.strip() and (problem := await _hand_over(wire, text)):
                    screen.say(problem)
    finally:
        for task in (hearing, typing):
            task.cancel()
        await asyncio.gather(hearing, typing, return_exceptions=True)
    return login_status


async def _tell_who(record: Record | None, settings: Settings, screen: LoginScreen) -> None:
    """Show the account that is already signed in, if there is one."""
    if record is None or not record.access_token:
        return
    if freshness(record, time.time()) is Freshness.EXPIRED and not record.is_renewable:
        return
    screen.on_interrupt = "Stopped. You are still signed in as before."
    screen.signed_in_already(record, await who(record, settings, _WHO_SECONDS))


async def _open(wire: LoginLink) -> None:
    with contextlib.suppress(ChannelLost):
        await wire.say("open")  # Where no tab opens, the status says why.


async def _stop_begun(joining: asyncio.Task[Joined | None], seconds: float = 5.0) -> None:
    """End a login that is being started, as soon as it can be reached, because no other process knows of it."""
    with contextlib.suppress(BridgeError, TimeoutError):
        async with asyncio.timeout(seconds):
            joined = await joining
        if joined is not None:
            if not joined.was_under_way:
                await stop(joined.channel)
            await joined.channel.close()


async def stop(wire: LoginLink, seconds: float = 2.0) -> None:
    """End the login, if it can be reached in that time."""
    with contextlib.suppress(BridgeError, TimeoutError):
        async with asyncio.timeout(seconds):
            await wire.say("stop")


def _show(screen: LoginScreen, before: LoginStatus, login_status: LoginStatus) -> None:
    for level, text in login_status.log_since(before.logged):
        if level in _WORTH_SAYING:  # Warnings come before the link that they are about.
            screen.say(text)
    for text in login_status.warnings:
        if text not in before.warnings and ("warning", text) not in login_status.log:
            screen.say(text)  # Its log level leaves warnings out.
    if login_status.url and login_status.url != before.url:
        screen.link(login_status.url, login_status.user_code)
    if login_status.tab == "opened" and before.tab != "opened":
        screen.say("A browser was opened at this link.")
    if login_status.message and login_status.message != before.message and not login_status.is_last:
        screen.say(login_status.message)


async def _hand_over(wire: LoginLink, text: str) -> str:
    """Give the login what the user pasted; return why it was not accepted, empty where it was."""
    try:
        return await wire.say("callback", query_of_pasted(text))
    except ChannelLost:
        return ""  # The last status says how it ended.
    except BridgeError as problem:
        return str(problem)


def _waited_for(login_status: LoginStatus, server: str) -> str:
    if login_status.phase == "preparing":
        return f"Asking {server} how to sign in."
    if login_status.phase == "finishing":
        return "The code was accepted." if login_status.user_code else "The browser returned; checking its answer."
    if login_status.user_code:
        return "Waiting for you to enter the code there."
    return f"Waiting for the browser to return to {login_status.redirect_uri}."


def _left(login_status: LoginStatus, now: float) -> str:
    return f"{left_of(login_status, now)} left" if login_status.phase == "waiting" else ""


def left_of(login_status: LoginStatus, now: float) -> str:
    """The time until the login gives up, as minutes and seconds."""
    minutes, seconds = divmod(max(0, round(login_status.ends_at - now)), 60)
    return f"{minutes}:{seconds:02d}"
