"""The command `status`: what the user is signed in to, which sign-ins are under way, and which copies are running."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge import PROGRAM
from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import amount_of, clean, expiry_of, moment, named, scopes_of
from bridge.cli.options import config_option, token_store_option
from bridge.cli.targets import host_entries, identity_of
from bridge.oauth.pinned_identity import account_of

if TYPE_CHECKING:
    from bridge.inventory.host_entries import HostEntries
    from bridge.inventory.overview import KeptAnswers, ServerInUse, SignInRow, UnderWay
    from bridge.inventory.running_instances import RunningInstance

_WIDTH = 16


@click.command("status", cls=OneCommand)
@click.argument("name", cls=WordArgument, required=False, metavar=f"[{NAME_OR_URL}]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@token_store_option
@config_option
def status(name: str | None, as_json: bool, token_store: Any, config: Path | None) -> None:
    """List the servers you are signed in to, the sign-ins in progress, and the running bridges.

    With NAME_OR_URL, only that server: its URL, its name in your own file of servers or in a host's configuration, or
    its host name. It also says how many of the servers' answers are stored here. It sends no requests, except to ask a
    server for the name of your account where the token does not hold it.
    """
    import json

    from bridge.inventory.overview import kept_of_others, overview_here
    from bridge.process.event_loop import run_on_loop

    rows = run_on_loop(overview_here(token_store, _uses))
    hosts = host_entries()
    notes = () if name else hosts.notes
    now = time.time()
    others, kept = kept_of_others(rows)
    if name:
        rows, others = _of_server(name, rows, hosts, config), 0
    if as_json:
        found = {
            "servers": [as_object(row) for row in rows],
            "other_caches": None if name else {"servers": others, **_cache_object(kept)},
            "notes": [*map(clean, notes)],
        }
        click.echo(json.dumps(found, indent=2))
        return
    for row in rows:
        click.echo("\n".join(lines_of(row, now)))
    if not rows and name:
        click.echo(f"You are not signed in to {clean(name)}, and no bridge is running for it.")
    elif not rows:
        click.echo("You are not signed in to any server, and no bridge is running.")
    if others:
        click.echo(f"Stored answers of {others} other server{'s' if others > 1 else ''}: {_of_kept(kept, now)}.")
    for note in notes:
        click.echo(f"{PROGRAM}: {clean(note)}", err=True)


def _of_server(name: str, rows: list[SignInRow], hosts: HostEntries, config: Path | None) -> list[SignInRow]:
    """The rows of the server that `name` means. Raises `UsageError` for a name that means none."""
    from bridge.cli.named_server import own_servers, server_named
    from bridge.inventory.command_line import is_url
    from bridge.inventory.server_names import KnownServer, entries_named, is_called, unknown

    own = None if is_url(name) else server_named(name, config, os.environ)
    if is_url(name) or own is not None:
        return [row for row in rows if row.server == (own.url if own else name)]
    if entries := entries_named(name, hosts.entries):
        found = [identity_of(entry.arguments, {**os.environ, **entry.environ}) for entry in entries]
        servers = {identity.server for identity in found if identity is not None}
        return [row for row in rows if row.server in servers]
    called = [row for row in rows if is_called(row.server, name)]
    if not called:
        file = own_servers(config, os.environ)
        known = [KnownServer(row.store_key, row.server, row.profile) for row in rows if row.server]
        raise unknown(name, hosts.entries, known, hosts.notes, () if file is None else tuple(file.servers))
    return called


def _uses() -> list[ServerInUse]:
    """The running copies, with the sign-in that each uses. A copy whose arguments cannot be read is left out."""
    from bridge.inventory.overview import ServerInUse
    from bridge.inventory.running_instances import running_instances

    found = ((instance, identity_of(instance.arguments, instance.environ)) for instance in running_instances())
    return [ServerInUse(instance, *identity) for instance, identity in found if identity is not None]


# -- text


def lines_of(row: SignInRow, now: float) -> list[str]:
    """A row as lines of text, at `now` (Unix seconds)."""
    from bridge.protocol.sanitize import escaped

    head = named(row.server, row.profile) if row.server else "A sign-in that cannot be read"
    facts = (f"  {name.ljust(_WIDTH)}{clean(text)}" for name, text in _facts(row, now) if text)
    # Not through `clean`, which would remove the state: the user has to be able to open the link.
    link = (
        [f"  {'link'.ljust(_WIDTH)}{escaped(row.login.login_status.url)}"]
        if row.login and row.login.login_status.url
        else []
    )
    return [head, *facts, *link]


def _facts(row: SignInRow, now: float) -> list[tuple[str, str]]:
    facts = []
    if row.stored is None:
        facts.append(("signed in", "no"))
    elif (record := row.stored.record) is None:
        facts += [("problem", row.stored.problem), ("stored in", row.stored.place)]
    elif not record.access_token:
        facts.append(("signed in", "no: the last token was refused, so you will be asked to sign in again"))
    else:
        facts += [
            ("signed in as", row.who) if row.who else ("signed in", "yes (the server does not tell the account)"),
            ("scopes", scopes_of(record)),
            ("token", expiry_of(record, now)),
            ("stored in", row.stored.place),
        ]
    if row.stored is not None and (record := row.stored.record) is not None and (account := account_of(record)):
        facts.append(("belongs to", account))
    if row.kept.results:
        facts.append(("stored answers", _of_kept(row.kept, now)))
    return [*facts, *_login_facts(row.login, now), *(("running", _of_instance(instance)) for instance in row.instances)]


def _of_kept(kept: KeptAnswers, now: float) -> str:
    from bridge.oauth.claims import span

    size = amount_of(kept.bytes)
    if kept.oldest is None or kept.newest is None:
        return f"{kept.results}, {size}"
    return (
        f"{kept.results}, {size}, from {span(max(now - kept.oldest, 0.0))} to {span(max(now - kept.newest, 0.0))} ago"
    )


def _of_instance(instance: RunningInstance) -> str:
    return f"process {instance.pid}, started by {instance.host}, since {moment(instance.since)}"


def _login_facts(login: UnderWay | None, now: float) -> list[tuple[str, str]]:
    if login is None:
        return []
    from bridge.tokens.interactive_login import left_of

    login_status = login.login_status
    where = f"process {login.notice.pid}"
    if login_status.phase != "waiting":
        return [("signing in", f"{where}, {login_status.phase}")]
    code = f", code {login_status.user_code}" if login_status.user_code else ""
    return [
        ("signing in", f"{where}, {left_of(login_status, now)} left{code}"),
        *(("warning", text) for text in login_status.warnings),
    ]


# -- JSON


def as_object(row: SignInRow) -> dict[str, Any]:
    """A row with names that do not change. Times are Unix seconds; what is not known is null."""
    stored, record = row.stored, row.stored.record if row.stored else None
    return {
        "server": clean(row.server) or None,
        "profile": row.profile or None,
        "signed_in": bool(record and record.access_token),
        "signed_in_as": row.who or None,
        "belongs_to": (account_of(record) if record else "") or None,
        "issuer": record.issuer if record else None,
        "client_id": record.client.client_id if record else None,
        "scopes": scopes_of(record).split() if record else [],
        "expires_at": record.expires_at if record else None,
        "renewable": bool(record and record.is_renewable),
        "kept_in": stored.place if stored else None,
        "problem": clean(stored.problem if stored else "") or None,
        "cache": _cache_object(row.kept),
        "login": _login_object(row.login),
        "copies": [{"pid": instance.pid, "since": instance.since, "host": instance.host} for instance in row.instances],
    }


def _cache_object(kept: KeptAnswers) -> dict[str, Any]:
    return {"results": kept.results, "bytes": kept.bytes, "oldest": kept.oldest, "newest": kept.newest}


def _login_object(login: UnderWay | None) -> dict[str, Any] | None:
    if login is None:
        return None
    login_status = login.login_status
    return {
        "pid": login.notice.pid,
        "since": login.notice.since,
        "phase": login_status.phase,
        "warnings": list(login_status.warnings),
        "link": login_status.url or None,
        "code": login_status.user_code or None,
        "ends_at": login_status.ends_at or None,
    }
