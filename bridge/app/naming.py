"""Which server a name means, where somebody does not want to type its URL.

| the name is | it means |
|---|---|
| that of an entry in a host's configuration, exactly | what that entry runs |
| the host name of a server that somebody signed in to, or a label of it (`linear` of `mcp.linear.app`) | that sign-in |

A URL is none. Of several sign-ins the one with the given options counts, then the only one, then that in `default`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridge.app.host_entries import Entry
from bridge.errors import UsageError
from bridge.oauth.record import Record, tokens_slot
from bridge.protocol.words import shown

DEFAULT_PROFILE = "default"

SLOT_OPTIONS = ("profile", "client_id", "client_metadata_url", "resource")
"""The options of a run, as `cli` names them, that make it another sign-in to the same server."""

_MOST = 20
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Known:
    """A server that somebody signed in to. `options` are those of a run that has this slot, as `cli` names them."""

    slot: str
    server: str
    profile: str
    options: Mapping[str, str | None] = field(default_factory=dict)


def known_from(slot: str, record: Record) -> Known:
    """What the record tells of the run that made it: its client, and the resource where it was an option.

    A resource is part of the slot only where it was given; which it was is found by trying.
    """
    client = record.client
    options: dict[str, str | None] = {"profile": record.profile}
    if client.kind == "static":
        options["client_id"] = client.client_id
    if client.kind == "document":
        options["client_metadata_url"] = client.client_id
    given = client.client_id if client.kind != "dynamic" else ""
    for resource in (None, record.resource, "none"):
        if tokens_slot(record.server, given, resource or "", record.profile) == slot:
            options["resource"] = resource
            break
    return Known(slot, record.server, record.profile, options)


def entries_named(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries of exactly this name."""
    return [entry for entry in entries if entry.name == name]


def known_named(name: str, known: Sequence[Known], given: Mapping[str, str | None]) -> Known | None:
    """The sign-in that `name` means; None where no server is called so.

    `given` are those of `SLOT_OPTIONS` that somebody wrote. Raises `UsageError` where several may be meant.
    """
    found = [one for one in known if _is_called(one.server, name)]
    for wanted in (given, {}, {"profile": DEFAULT_PROFILE}):
        some = [one for one in found if all(one.options.get(option) == text for option, text in wanted.items())]
        if len(some) == 1:
            return some[0]
    if not found:
        return None
    raise ambiguous(name, [f"{one.server} {spelled(one.options)}".rstrip() for one in found])


def spelled(options: Mapping[str, str | None]) -> str:
    """The options of a sign-in as they are typed; empty for the usual ones."""
    told = {option: options.get(option) for option in SLOT_OPTIONS}
    if told["profile"] == DEFAULT_PROFILE:
        del told["profile"]
    return " ".join(f"--{option.replace('_', '-')} {text}" for option, text in told.items() if text)


def ambiguous(name: str, candidates: Sequence[str]) -> UsageError:
    """The error for a name that several servers have."""
    return UsageError(
        f"{shown(name, _LONGEST)!r} may mean {_listed(candidates)}.", hint="Give the URL, with the options shown."
    )


def unknown(name: str, entries: Sequence[Entry], known: Sequence[Known], notes: Sequence[str] = ()) -> UsageError:
    """The error for a name that nothing has. `notes` tell of files that might have it and cannot be read."""
    names = [f"{entry.name} ({entry.host})" for entry in entries]
    servers = [urlsplit(one.server).hostname or one.server for one in known]
    found = _listed([*dict.fromkeys(names), *dict.fromkeys(servers)])
    hint = f"Known are {found}; or give the URL." if found else "None is known on this machine; give the URL."
    return UsageError(f"No server is called {shown(name, _LONGEST)!r} here.", hint=" ".join([*notes, hint]))


def _is_called(server: str, name: str) -> bool:
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:
        return False
    wanted = name.lower()
    return wanted == host or (wanted in host.split(".") and not host.replace(".", "").isdigit())


def _listed(candidates: Sequence[str]) -> str:
    texts = [shown(text, _LONGEST) for text in dict.fromkeys(candidates)]
    more = f" and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return ", ".join(texts[:_MOST]) + more
