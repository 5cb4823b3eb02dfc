"""Finds secrets that are written in the user's file of servers, where a reference could stand, with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bridge import PROGRAM
from bridge.cli.config_check import PlacedMistake, placed
from bridge.cli.server_values import HEADER_MEMBER, URL, Mistake, is_literal_secret
from bridge.cli.settings import SECRET_MEMBER
from bridge.documents.json_places import JsonPath
from bridge.inventory.server_file import DEFAULTS, SERVERS, ServerFile

_HINT = f"Run {PROGRAM} secret set NAME, which asks for it, and write keyring:NAME in its place."


def literal_secrets(file: ServerFile) -> list[PlacedMistake]:
    """A warning for each, in the order of their places. None holds the secret."""
    found = [*_of(file.defaults, (DEFAULTS,))]
    for name, server in file.servers.items():
        if isinstance(server, dict):
            found += _of(server, (SERVERS, name))
    return placed(file, found)


def _of(members: Mapping[str, Any], here: JsonPath) -> Iterator[Mistake]:
    secret = members.get(SECRET_MEMBER)
    if isinstance(secret, str) and is_literal_secret(SECRET_MEMBER, secret):
        yield Mistake((*here, SECRET_MEMBER), "The client's secret is written here.", _HINT)
    if isinstance(url := members.get(URL), str):
        for name, value in _parameters(url):
            if is_literal_secret(name, value):
                said = f"The value of the parameter {name} in the URL, which looks like a secret, is written here."
                yield Mistake((*here, URL), said, "Write ${NAME} in its place, and set the variable NAME.")
    for path, name, value in _headers(members.get(HEADER_MEMBER), (*here, HEADER_MEMBER)):
        if is_literal_secret(name, value):
            yield Mistake(path, f"The value of the header {name}, which looks like a secret, is written here.", _HINT)


def _parameters(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query)
    except ValueError:
        return []


def _headers(value: object, here: JsonPath) -> Iterator[tuple[JsonPath, str, str]]:
    """Each header with its place, its name and its value."""
    if isinstance(value, dict):
        yield from (((*here, name), name, text) for name, text in value.items() if isinstance(text, str))
        return
    lines = {(*here, index): line for index, line in enumerate(value)} if isinstance(value, list) else {here: value}
    for path, line in lines.items():
        if isinstance(line, str):
            name, _, text = line.partition(":")
            yield path, name.strip(), text.strip()
