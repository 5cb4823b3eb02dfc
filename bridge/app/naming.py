"""Which server a name means, where somebody does not want to type its URL.

| the name is | it means |
|---|---|
| that of an entry in a host's configuration, exactly | what that entry runs |
| the host name of a server that somebody signed in to, or a label of it (`linear` of `mcp.linear.app`) | that sign-in |

A URL is none. Of several sign-ins to one server the one in the asked profile counts, then the only one, then `default`.
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


def known_named(name: str, known: Sequence[Known], profile: str | None) -> Known | None:
    """The sign-in that `name` means; None where no server is called so.

    `profile` is the one that was asked for, None where none was. Raises `UsageError` where several may be meant.
    """
    found = [one for one in known if _is_called(one.server, name)]
    for wanted in (profile, None, DEFAULT_PROFILE):
        some = found if wanted is None else [one for one in found if one.profile == wanted]
        if len(some) == 1:
            return some[0]
    if not found:
        return None
    raise ambiguous(name, [f"{one.server} (profile {one.profile})" for one in found])


def ambiguous(name: str, candidates: Sequence[str]) -> UsageError:
    """The error for a name that several servers have."""
    return UsageError(
        f"{shown(name, _LONGEST)!r} may mean {_listed(candidates)}.", hint="Give the URL, and --profile if need be."
    )


def unknown(name: str, entries: Sequence[Entry], known: Sequence[Known]) -> UsageError:
    """The error for a name that nothing has."""
    names = [f"{entry.name} ({entry.host})" for entry in entries]
    servers = [urlsplit(one.server).hostname or one.server for one in known]
    found = _listed([*dict.fromkeys(names), *dict.fromkeys(servers)])
    hint = f"Known are {found}; or give the URL." if found else "None is known on this machine; give the URL."
    return UsageError(f"No server is called {shown(name, _LONGEST)!r} here.", hint=hint)


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
