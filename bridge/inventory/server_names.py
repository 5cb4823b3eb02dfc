"""Which server a name means, where the user does not type a URL.

| the name is | it means |
|---|---|
| exactly that of a server in the user's own file (`server_file`) | that server |
| exactly that of an entry in a host's configuration | what that entry runs |
| the host name of a server that the user signed in to, or a label of it (`linear` of `mcp.linear.app`) | that sign-in |

Of several sign-ins, the one with the given options is meant; else the only one; else the one in the profile `default`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridge import PROGRAM
from bridge.errors import UsageError
from bridge.inventory.host_entries import Entry, OtherEntry
from bridge.oauth.record import DEFAULT_PROFILE, Record, tokens_key
from bridge.protocol.sanitize import shown
from bridge.tokens.typed_command import LOGIN, typed_for

_MOST = 20
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A server that the user signed in to. `options`, as `cli` names them, are those of a run with this store key."""

    store_key: str
    server: str
    profile: str
    options: Mapping[str, str | None] = field(default_factory=dict)


def known_from(store_key: str, record: Record) -> KnownServer:
    """What a record tells of the run that made it: its client, and the resource where that was given as an option.

    The store key depends on the resource only where it was given, so each is tried until one leads to this key.
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
    """The entries with exactly this name."""
    return [entry for entry in entries if entry.name == name]


def known_named(
    name: str, known: Sequence[KnownServer], given: Mapping[str, str | None], command: str = LOGIN
) -> KnownServer | None:
    """The sign-in that `name` means; None where no server has this name.

    `given` are those of `typed_command.IDENTITY_OPTIONS` that the user gave; `command` is what the user typed, up to
    the name. Raises `UsageError` where several sign-ins may be meant.
    """
    found = [one for one in known if is_called(one.server, name)]
    for wanted in (given, {}, {"profile": DEFAULT_PROFILE}):
        some = [one for one in found if all(one.options.get(option) == text for option, text in wanted.items())]
        if len(some) == 1:
            return some[0]
    if not found:
        return None
    raise ambiguous(name, [typed_for(command, one.server, one.options) for one in found])


def ambiguous(name: str, commands: Sequence[str]) -> UsageError:
    """The error for a name that several servers have. `commands` are what to type for each."""
    return UsageError(
        f"Several servers are called {shown(name, _LONGEST)!r}.",
        hint=f"Run the command for the one you mean: {_listed(commands, '; ')}.",
    )


def elsewhere(name: str, other: OtherEntry, command: str = LOGIN) -> UsageError:
    """The error for the name of an entry that does not run the bridge: what it runs, and what to type instead."""
    entry = f"{shown(name, _LONGEST)!r} in the configuration of {other.host} ({other.path})"
    url = shown(other.url, _LONGEST)
    use = f"To use the bridge for it, run: {typed_for(command, url or 'URL', {})}"
    if url:
        use += f" ; and to make the entry one of the bridge: {PROGRAM} migrate{'' if other.program else ' --remote'}"
    if not other.program:
        return UsageError(f"{entry} is a server that {other.host} connects to directly, without this bridge.", hint=use)
    if not url:
        use = f"If it is for a remote server, give that server's URL: {command} URL"
    return UsageError(f"{entry} runs {shown(other.program, _LONGEST)}, not this bridge.", hint=use)


def unknown(
    name: str,
    entries: Sequence[Entry],
    known: Sequence[KnownServer],
    notes: Sequence[str] = (),
    own: Sequence[str] = (),
) -> UsageError:
    """The error for a name that no server has. `notes` are about files that may have it and cannot be read.

    `own` are the names in the user's own file.
    """
    names = [*own, *(f"{entry.name} ({entry.host})" for entry in entries)]
    servers = [urlsplit(one.server).hostname or one.server for one in known]
    found = _listed([*dict.fromkeys(names), *dict.fromkeys(servers)])
    none = "No host here is configured to use the bridge, and you are not signed in to any server; give the URL."
    hint = f"Known names: {found}. Or give the URL." if found else none
    return UsageError(f"No server is called {shown(name, _LONGEST)!r}.", hint=" ".join([*notes, hint]))


def is_called(server: str, name: str) -> bool:
    """Whether `name` is the host name in the URL `server`, or a label of it."""
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
