"""Which server a name means, where the user does not type its URL.

| the name is | it means |
|---|---|
| that of an entry in a host's configuration, exactly | what that entry runs |
| the host name of a server that was signed in to, or a label of it (`linear` of `mcp.linear.app`) | that sign-in |

A URL is none. Of several sign-ins the one with the given options counts, then the only one, then that in `default`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridge import PROGRAM
from bridge.config import Settings
from bridge.errors import UsageError
from bridge.inventory.host_entries import Entry, OtherEntry
from bridge.oauth.record import Record, tokens_key
from bridge.protocol.sanitize import shown

DEFAULT_PROFILE = "default"

SLOT_OPTIONS = ("profile", "client_id", "client_metadata_url", "resource")
"""The options of a run, as `cli` names them, that make it another sign-in to the same server."""

TYPED_OPTIONS = (*SLOT_OPTIONS, "issuer")
"""Those to be typed for the same sign-in once more: it must not go to another authorization server either."""

LOGIN = f"{PROGRAM} login"

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./:@%+=,~-]+")
_MOST = 20
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server that was signed in to. `options` are those of a run that has this store key, as `cli` names them."""

    store_key: str
    server: str
    profile: str
    options: Mapping[str, str | None] = field(default_factory=dict)


def known_from(store_key: str, record: Record) -> KnownServer:
    """What the record tells of the run that made it: its client, and the resource where it was an option.

    A resource is part of the store key only where it was given; which it was is found by trying.
    """
    client = record.client
    options: dict[str, str | None] = {"profile": record.profile}
    if client.kind == "static":
        options["client_id"] = client.client_id
    if client.kind == "document":
        options["client_metadata_url"] = client.client_id
    given = client.client_id if client.kind != "dynamic" else ""
    for resource in (None, record.resource, "none"):
        if tokens_key(record.server, given, resource or "", record.profile) == store_key:
            options["resource"] = resource
            break
    return KnownServer(store_key, record.server, record.profile, options)


def entries_named(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries of exactly this name."""
    return [entry for entry in entries if entry.name == name]


def known_named(
    name: str, known: Sequence[KnownServer], given: Mapping[str, str | None], command: str = LOGIN
) -> KnownServer | None:
    """The sign-in that `name` means; None where no server is called so.

    `given` are those of `SLOT_OPTIONS` that were given; `command` is what the user typed, up to the name. Raises
    `UsageError` where several may be meant.
    """
    found = [one for one in known if _is_called(one.server, name)]
    for wanted in (given, {}, {"profile": DEFAULT_PROFILE}):
        some = [one for one in found if all(one.options.get(option) == text for option, text in wanted.items())]
        if len(some) == 1:
            return some[0]
    if not found:
        return None
    raise ambiguous(name, [typed_for(command, one.server, one.options) for one in found])


def spelled(options: Mapping[str, str | None]) -> str:
    """The options of a sign-in as they are typed; empty for the usual ones."""
    told = {option: options.get(option) for option in TYPED_OPTIONS}
    if told["profile"] == DEFAULT_PROFILE:
        del told["profile"]
    return " ".join(f"--{option.replace('_', '-')} {quoted(text)}" for option, text in told.items() if text)


def typed_for(command: str, server: str, options: Mapping[str, str | None]) -> str:
    """What to type for one server: `command`, its URL or name, and the options."""
    return f"{command} {quoted(server)} {spelled(options)}".rstrip()


def login_command(settings: Settings) -> str:
    """What to type in a terminal for the very same sign-in as that of a run with these settings."""
    return typed_for(LOGIN, settings.url, {option: getattr(settings.sign_in, option) for option in TYPED_OPTIONS})


def quoted(word: str) -> str:
    """A word as it is typed in any shell."""
    return word if _NEEDS_NO_QUOTES.fullmatch(word) else f'"{word}"'


def ambiguous(name: str, commands: Sequence[str]) -> UsageError:
    """The error for a name that several servers have. `commands` are what to type for each."""
    return UsageError(
        f"Several servers are called {shown(name, _LONGEST)!r}.",
        hint=f"Run the command for the one you mean: {_listed(commands, '; ')}.",
    )


def elsewhere(name: str, other: OtherEntry, command: str = LOGIN) -> UsageError:
    """The error for the name of an entry that does not run this bridge: what it is, and what to type instead."""
    entry = f"{shown(name, _LONGEST)!r} in the configuration of {other.host} ({other.path})"
    url = shown(other.url, _LONGEST)
    use = f"To use the bridge for it, run: {typed_for(command, url or 'URL', {})}"
    if url:
        use += f" ; and give {other.host} the command {PROGRAM} with the argument {quoted(url)} in that entry."
    if not other.program:
        return UsageError(f"{entry} is a server that {other.host} connects to itself, without this bridge.", hint=use)
    if not url:
        use = f"If it is for a remote server, give that server's URL: {command} URL"
    return UsageError(f"{entry} runs {shown(other.program, _LONGEST)}, not this bridge.", hint=use)


def unknown(name: str, entries: Sequence[Entry], known: Sequence[KnownServer], notes: Sequence[str] = ()) -> UsageError:
    """The error for a name that nothing has. `notes` tell of files that might have it and cannot be read."""
    names = [f"{entry.name} ({entry.host})" for entry in entries]
    servers = [urlsplit(one.server).hostname or one.server for one in known]
    found = _listed([*dict.fromkeys(names), *dict.fromkeys(servers)])
    none = "No host here is configured to use the bridge, and you are not signed in to any server; give the URL."
    hint = f"Known names: {found}. Or give the URL." if found else none
    return UsageError(f"No server is called {shown(name, _LONGEST)!r}.", hint=" ".join([*notes, hint]))


def _is_called(server: str, name: str) -> bool:
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:
        return False
    wanted = name.lower()
    return wanted == host or (wanted in host.split(".") and not host.replace(".", "").isdigit())


def _listed(candidates: Sequence[str], between: str = ", ") -> str:
    texts = [shown(text, _LONGEST) for text in dict.fromkeys(candidates)]
    more = f" and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return between.join(texts[:_MOST]) + more
