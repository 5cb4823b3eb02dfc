"""Finds all that is wrong in the user's file of servers, and says where, in one line for each mistake.

The checks of `Settings` are asked too, for each value by itself, and for all of a server's. What they refuse only
together is placed at the server's name.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bridge import PROGRAM
from bridge.cli.option_table import CONFIG_OPTION
from bridge.cli.server_values import (
    COMMAND_MEMBER,
    URL,
    Mistake,
    defaults_of,
    is_server_name,
    mistakes_of_form,
    server_of,
)
from bridge.cli.settings import SECRET_MEMBER, settings_of
from bridge.config import PATIENCE_VARIABLE, NotedEnvironment
from bridge.config.secret_reference import SecretReference, SecretUnavailable
from bridge.documents.json_places import JsonPath, line_and_column, members_of
from bridge.documents.reading import BrokenConfig
from bridge.errors import UsageError
from bridge.inventory.server_file import SERVERS, ServerFile, server_file_path
from bridge.process.secret_sources import look_for_secrets

if TYPE_CHECKING:
    from bridge.cli.settings import ReadSecrets

_PARTNERS = {SECRET_MEMBER: "client_id", "client_cert_key": "client_cert"}
"""What another setting needs beside it."""

NAME_MESSAGE = "A server's name must not be blank, a URL or begin with -."

_ANY_URL = "https://server.example/"


class PlacedMistake(NamedTuple):
    """A mistake with its place in the file: an offset, and line and column from 1."""

    mistake: Mistake
    offset: int
    line: int
    column: int

    def said(self, path: Path) -> str:
        """The place and what is wrong there, without the hint."""
        return f"{path}:{self.line}:{self.column}: {self.mistake.message}"


def all_mistakes(file: ServerFile, environ: Mapping[str, str]) -> list[PlacedMistake]:
    """Everything that is wrong in the file, in the order of the places."""
    mistakes = [*mistakes_of_form(file), *_duplicates(file), *defaults_of(file, environ)]
    for name in file.servers:
        mistakes += _of_name(name)
        mistakes += _of_server(file, name, environ)
    return placed(file, mistakes)


def mistakes_for(file: ServerFile, name: str, environ: Mapping[str, str]) -> list[PlacedMistake]:
    """What is wrong where a run of the server `name` looks: everywhere but in the other servers' objects.

    What `Settings` refuses is not asked, because the command line may replace it; `refusal_of` places that.
    """
    return _relevant(file, name, server_of(file, name, environ)[1])


def refusals_for(file: ServerFile, name: str, environ: Mapping[str, str]) -> list[PlacedMistake]:
    """The same, with what `Settings` would refuse of what is in the file."""
    return _relevant(file, name, _of_server(file, name, environ))


def refusal_of(error: UsageError, file: ServerFile, name: str, environ: Mapping[str, str]) -> UsageError:
    """What `Settings` refused of a run of the server `name`, with its place if it is in the file."""
    again = _refusing(error) if isinstance(error, SecretUnavailable) else look_for_secrets
    mistakes = _of_server(file, name, environ, again)
    found = [one for one in placed(file, mistakes) if one.mistake.message == error.message]
    return UsageError(found[0].said(file.path), hint=error.hint) if found else error


def _refusing(error: SecretUnavailable) -> ReadSecrets:
    """Refuses the same secret again, and reads no other: a place is looked for, and no command runs twice."""

    def read_secrets(wanted: Mapping[SecretReference, str], _: NotedEnvironment) -> Mapping[SecretReference, str]:
        if error.reference in wanted:
            raise error
        return dict.fromkeys(wanted, "secret")

    return read_secrets


def _relevant(file: ServerFile, name: str, own: Iterable[Mistake]) -> list[PlacedMistake]:
    mistakes = [*mistakes_of_form(file), *_duplicates(file), *own]
    return placed(file, [one for one in mistakes if one.path[:1] != (SERVERS,) or one.path[1:2] in ((), (name,))])


def raise_for(file: ServerFile, mistakes: Sequence[PlacedMistake]) -> None:
    """Raise `UsageError` for the first of these mistakes, if there is any."""
    if not mistakes:
        return
    first = mistakes[0]
    more = f"{command_for('config check', file.path)} shows all mistakes." if len(mistakes) > 1 else ""
    raise UsageError(first.said(file.path), hint=" ".join(filter(None, (first.mistake.hint, more))))


def command_for(words: str, path: Path) -> str:
    """What to type to run a command, such as `config check`, on this file."""
    from bridge.tokens.typed_command import quoted

    named = "" if path == server_file_path(None, os.environ) else f" {CONFIG_OPTION} {quoted(str(path))}"
    return f"{PROGRAM} {words}{named}"


def broken(path: Path | None, why: BrokenConfig) -> UsageError:
    """The error for a file that is not JSON, or cannot be read."""
    if why.line:
        return UsageError(f"{path}:{why.line}:{why.column}: The file is not valid JSON: {why.why}.")
    return UsageError(f"The file {path} cannot be used: {why}.")


def _of_name(name: str) -> list[Mistake]:
    return [] if is_server_name(name) else [Mistake((SERVERS, name), NAME_MESSAGE, at_name=True)]


def _duplicates(file: ServerFile) -> list[Mistake]:
    if not file.has_duplicates:
        return []
    seen: Counter[tuple[int, JsonPath]] = Counter()
    found = []
    for member in members_of(file.text):
        one = (member.within, member.path)
        seen[one] += 1
        if seen[one] > 1:
            message = f"The name {member.path[-1]!r} is there twice in one object."
            found.append(Mistake(member.path, message, "Remove one of the two.", offset=member.name_at))
    return found


def _of_server(
    file: ServerFile, name: str, environ: Mapping[str, str], read_secrets: ReadSecrets = look_for_secrets
) -> list[Mistake]:
    """What is wrong in one server and in `defaults`."""

    def refusal(url: str, options: Mapping[str, object]) -> UsageError | None:
        """What `Settings` says against these values; None where it takes them."""
        known = {**environ, PATIENCE_VARIABLE: ""}
        try:
            settings_of([url], options, known, secret_source=SECRET_MEMBER, read_secrets=read_secrets)
        except UsageError as problem:
            return problem
        return None

    server, mistakes = server_of(file, name, environ)
    if server is None:
        return mistakes
    here = (SERVERS, name)
    refused: dict[str, Mistake] = {}
    allowed = {"allow_http": server.options.get("allow_http", False)}
    if problem := refusal(server.url, allowed):
        refused[problem.message] = Mistake((*here, URL), problem.message, problem.hint)
    for key, path in server.paths.items():
        partner = _PARTNERS.get(key)
        if mistakes and partner and partner not in server.options:
            continue  # It may be the one that is misspelled.
        values = {one: server.options[one] for one in (key, partner) if one and one in server.options}
        if problem := refusal(_ANY_URL, values):
            refused.setdefault(problem.message, Mistake(path, problem.message, problem.hint))
    if (command := server.options.get(COMMAND_MEMBER)) and server.paths[COMMAND_MEMBER] not in {
        one.path for one in refused.values()
    }:
        refused |= _of_command(command, server.paths[COMMAND_MEMBER], environ)
    if not mistakes and (problem := refusal(server.url, server.options)):
        refused.setdefault(problem.message, Mistake(here, problem.message, problem.hint, at_name=True))
    return [*mistakes, *refused.values()]


def _of_command(command: str | tuple[str, ...], path: JsonPath, environ: Mapping[str, str]) -> dict[str, Mistake]:
    """The mistake, by its message, where the program of a command that prints headers is not there."""
    from bridge.config.header_command import header_command_in
    from bridge.process.header_command import HeaderCommandFailed, check_program

    try:
        check_program(header_command_in(command, sys.platform), environ)
    except HeaderCommandFailed as problem:
        return {problem.message: Mistake(path, problem.message, problem.hint)}
    return {}


def placed(file: ServerFile, mistakes: Iterable[Mistake]) -> list[PlacedMistake]:
    """The same, each once, with their places and in the order of these."""
    # Mistakes of `defaults` are found with each server.
    unique = list(dict.fromkeys(mistakes))
    if not unique:
        return []
    members = {member.path: member for member in members_of(file.text)}
    found = []
    for mistake in unique:
        member = members.get(mistake.path)
        offset = mistake.offset
        if offset is None:
            offset = 0 if member is None else member.name_at if mistake.at_name else member.start
        found.append(PlacedMistake(mistake, offset, *line_and_column(file.text, offset)))
    return sorted(found, key=lambda one: one.offset)
