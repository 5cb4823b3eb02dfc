"""The command `logout`: ends a sign-in, on this machine and, where the server offers that, at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bridge import PROGRAM
from bridge.cli.command_table import NAME_OR_URL
from bridge.cli.commands import OneCommand, WordArgument
from bridge.cli.formatting import clean, named
from bridge.cli.options import account_options
from bridge.cli.targets import Target, target_of
from bridge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.inventory.sign_ins import SignedOut
    from bridge.process.redact import Redactor
    from bridge.tokens.stored_sign_in import Stored


_MOST = 10


@click.command("logout", cls=OneCommand)
@click.argument("name", cls=WordArgument, required=False, metavar=NAME_OR_URL)
@click.option("--all", "every", is_flag=True, help="Sign out of every server.")
@click.option("--registration", is_flag=True, help="Also forget the client, and where it is registered.")
@account_options
@click.pass_context
def logout(ctx: click.Context, /, name: str | None, every: bool, registration: bool, **options: Any) -> None:
    """Sign out of a server. The tokens are revoked, if the server offers that, and removed from this machine.

    The server's answers that were stored for you alone are removed too.

    NAME_OR_URL is the server's URL, its name in your own file of servers (see config) or in a host's configuration, or
    the host name of a server you have signed in to (linear for mcp.linear.app).
    """
    from bridge.process.event_loop import run_on_loop

    if every == (name is not None):
        raise UsageError(
            "Give the server to sign out of, or --all.",
            hint=f"{PROGRAM} status lists what you are signed in to.",
        )
    if name is None:
        are_removed = run_on_loop(_every(options["token_store"], registration=registration))
    else:
        target = target_of(ctx, name, options)
        are_removed = run_on_loop(_one(target, options["token_store"], registration=registration))
    if not are_removed:
        ctx.exit(1)


async def _one(target: Target, token_store: Any, *, registration: bool) -> bool:
    from bridge.inventory.sign_ins import known_sign_ins, open_signing_out
    from bridge.process.redact import Redactor
    from bridge.tokens.typed_command import typed_for

    redactor = Redactor()
    settings, store_key = target
    redactor.add(settings.sign_in.client_secret)
    done = await open_signing_out(token_store, redactor.add).sign_out(store_key, settings, registration=registration)
    name = named(settings.url, settings.sign_in.profile)
    _tell(name, done, redactor)
    if not done.kept_in and not done.login_ended and not done.headers_forgotten:
        click.echo(f"You are not signed in to {name}.")
        same = [known for known in await known_sign_ins(token_store) if known.server == settings.url]
        for known in same[:_MOST]:
            typed = typed_for(f"{PROGRAM} logout", known.server, known.options)
            click.echo(f"There is another sign-in to this server; to sign out of that one, run: {clean(typed)}")
    if registration and not done.kept_in and not done.issuer_forgotten:
        click.echo("Without a sign-in, the bridge cannot tell which registration to forget. --all forgets every one.")
    return done.is_removed


async def _every(token_store: Any, *, registration: bool) -> bool:
    import asyncio

    from bridge.inventory.sign_ins import open_signing_out
    from bridge.process.redact import Redactor

    redactor = Redactor()
    signing_out = open_signing_out(token_store, redactor.add)
    found = await signing_out.every()
    # All at once, because each server, and the keyring, may be slow.
    leaving = [asyncio.create_task(signing_out.sign_out(one.store_key, registration=registration)) for one in found]
    ended = [await task for task in leaving]
    for one, done in zip(found, ended, strict=True):
        _tell(_name_of(one), done, redactor)
    headers, unremoved = await signing_out.forget_headers()
    if headers:
        click.echo(f"Headers that commands had printed for {headers} other servers were removed.")
    _warn(unremoved, redactor)
    if not headers and not any(done.kept_in or done.login_ended or done.headers_forgotten for done in ended):
        click.echo("You are not signed in to any server.")
    are_removed = all(done.is_removed for done in ended) and not unremoved
    if registration:
        count, problems = await signing_out.forget_registrations()
        click.echo(f"Other registrations forgotten: {count}.")
        _warn(problems, redactor)
        are_removed = are_removed and not problems
    return are_removed


def _name_of(one: Stored) -> str:
    return named(one.record.server, one.record.profile) if one.record else one.server or "an unknown server"


def _tell(name: str, done: SignedOut, redactor: Redactor) -> None:
    """Print what was done about one sign-in to stdout, and what failed to stderr."""
    if done.login_ended:
        click.echo(f"Stopped the sign-in to {name} that was in progress.")
    if done.kept_in and done.is_removed:
        too = ", and the client's registration was forgotten" if done.registration_forgotten else ""
        what = f"revoked, and removed from {done.kept_in}" if done.is_revoked else f"removed from {done.kept_in}"
        click.echo(f"Signed out of {name}: the tokens were {what}{too}.")
    elif done.kept_in:
        revoked = ", but they were revoked" if done.is_revoked else ""
        click.echo(f"{PROGRAM}: error: The tokens for {name} could not all be removed{revoked}.", err=True)
    if done.headers_forgotten:
        click.echo(f"The headers that the command of --header-command had printed for {name} were removed.")
    if done.issuer_forgotten:
        click.echo(f"The bridge forgot that the client belongs to {clean(done.issuer_forgotten)}.")
    _warn(done.problems, redactor)


def _warn(problems: Iterable[str], redactor: Redactor) -> None:
    for problem in problems:
        click.echo(f"{PROGRAM}: warning: {clean(redactor(problem))}", err=True)
