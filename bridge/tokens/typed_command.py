"""What the user types in a terminal for one particular sign-in: the command, the server, and the options it needs.

A sign-in is to one server, as one client, for one resource, in one profile. So a command that is to find the same
sign-in has to name each of these that is not the usual one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge import PROGRAM
from bridge.config import Settings, SignInSettings
from bridge.oauth.record import DEFAULT_PROFILE

IDENTITY_OPTIONS = ("profile", "client_id", "client_metadata_url", "resource")
"""The options, as `cli` names them, that tell one sign-in to a server from another."""

LOGIN_OPTIONS = (*IDENTITY_OPTIONS, "issuer")
"""The options for `login`, which must not go to another authorization server either."""

_ALSO_TYPED = {
    "client_secret_source": "client_secret",
    **{name: name for name in ("client_key", "client_key_alg", "client_key_id", "scope", "grant", "assertion")},
    **{name: name for name in ("idp_id_token", "idp_token_endpoint", "idp_client_id")},
    **{name: name for name in ("token_endpoint",)},
    **{name: name for name in ("callback_port", "callback_host", "callback_path")},
}
"""More settings without which a login fails where they were needed before, each with its option."""

LOGIN, LOGOUT = f"{PROGRAM} login", f"{PROGRAM} logout"

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./:@%+=,~-]+")

Options = Mapping[str, str | None]


def identity_options(settings: Settings) -> dict[str, str | None]:
    """The options of a run that tell its sign-in from others to the same server."""
    return {option: getattr(settings.sign_in, option) for option in IDENTITY_OPTIONS}


def login_command(settings: Settings, scope: str = "") -> str:
    """What to type for the same sign-in as that of a run with these settings, if need be with another `scope`.

    A secret that came without a reference is not in it: that of a variable is there for the command as well.
    """
    own = settings.sign_in
    wanted = f" --scope {quoted(scope)}" if scope else ""
    if settings.server_name:
        return _by_name(LOGIN, settings) + wanted
    command = typed_for(LOGIN, settings.url, {option: getattr(own, option) for option in LOGIN_OPTIONS})
    usual = SignInSettings()
    for name, option in _ALSO_TYPED.items():
        value = getattr(own, name)
        if value != getattr(usual, name) and not (scope and name == "scope"):
            command += f" --{option.replace('_', '-')} {quoted(str(value))}"
    return command + wanted


def how_to_sign_in(settings: Settings) -> str:
    """How the user signs in by asking for it."""
    if settings.sign_in.answer_within is None:
        return f"To sign in, run: {login_command(settings)}"
    return f"Call the tool sign_in if the host shows it, or run: {login_command(settings)}"


def how_to_widen(settings: Settings, scope: str) -> str:
    """How the user grants more scopes. The host does not show `sign_in` then, for the user is signed in."""
    return f"To grant them, run this in a terminal, then try again: {login_command(settings, scope)}"


def forget_command(settings: Settings) -> str:
    """What to type to forget the sign-in, the registered client, and the authorization server that it belongs to."""
    return f"{command_about(LOGOUT, settings)} --registration"


def command_about(command: str, settings: Settings) -> str:
    """`command` for the sign-in of a run with these settings: with the server's name where that is enough."""
    if settings.server_name:
        return _by_name(command, settings)
    return typed_for(command, settings.url, identity_options(settings))


def _by_name(command: str, settings: Settings) -> str:
    file = f" --config {quoted(settings.server_file)}" if settings.server_file else ""
    return f"{command} {quoted(settings.server_name)}{file}"


def typed_for(command: str, server: str, options: Options) -> str:
    """`command` for one server, by its URL or name; the usual profile is left out."""
    usual = {"profile": None} if options.get("profile") == DEFAULT_PROFILE else {}
    return f"{command} {quoted(server)} {spelled({**options, **usual})}".rstrip()


def spelled(options: Options) -> str:
    """These options as they are typed."""
    given = {option: text for option in LOGIN_OPTIONS if (text := options.get(option))}
    return " ".join(f"--{option.replace('_', '-')} {quoted(text)}" for option, text in given.items())


def quoted(word: str) -> str:
    """A word as it is typed in any shell."""
    return word if _NEEDS_NO_QUOTES.fullmatch(word) else f'"{word}"'
