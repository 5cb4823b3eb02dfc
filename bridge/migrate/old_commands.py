"""Turns what another bridge was told into the words of ours, flag by flag (`flag_tables`, `flag_rules`).

Nothing is read or written here. `read` gives the text of a file that a flag names, and raises `OSError` or
`UnicodeError`. Whatever cannot be turned is a sentence in `Translation.refusals`, and then the entry is left as it is.
A secret that stands in the entry itself becomes a reference; `Translation.with_references` says to what.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Container, Mapping

from bridge.migrate.flag_rules import apply
from bridge.migrate.flag_tables import MANY, NO_COUNTERPART, NOT_NEEDED, SAME, TABLES, FlagRow
from bridge.migrate.mcp_remote_hash import CALLBACK_PATH, HashedServer, default_port, newest_digest
from bridge.migrate.old_programs import OldCommand
from bridge.migrate.translation import Draft, Translation
from bridge.protocol.sanitize import shown

_URL = re.compile(r"https?://", re.IGNORECASE)
_REPEATABLE = frozenset(("header", "header-pair", "authorize-parameter", NOT_NEEDED, NO_COUNTERPART))

_Flag = tuple[str, FlagRow, list[str]]


def translate(
    command: OldCommand, environ: Mapping[str, str], read: Callable[[str], str], platform: str
) -> Translation:
    """What `command` becomes. `environ` are the variables of the entry; `platform` is as `sys.platform`."""
    draft = Draft(TABLES[command.program], environ, read, command.arguments)
    for flag, row, values in _counting(draft, _flags(draft)):
        apply(draft, row, flag, values)
    _read_variables(draft)
    _name_user(draft)
    url = _server_url(draft)
    _add_default(draft)
    hashed = _hashed(draft, url) if command.program == "mcp-remote" else None
    if hashed is not None:
        _keep_callback(draft, hashed, platform)
    return Translation(
        url=url,
        options=tuple(draft.options),
        turned=tuple(draft.turned),
        refusals=tuple(draft.refusals),
        hashed=hashed,
        client=draft.client,
        raw=tuple(draft.raw),
    )


def _flags(draft: Draft) -> list[_Flag]:
    """The flags with their values; the other words go to `draft.plain`."""
    rows = {name: row for row in draft.table.flags for name in row.names}
    words, place = draft.words, 0
    found: list[_Flag] = []
    while place < len(words):
        word = words[place]
        place += 1
        flag, equals, value = word.partition("=") if draft.table.takes_equals else (word, "", "")
        row = rows.get(flag)
        if row is None:
            _other(draft, word)
            continue
        values = [value] if equals else []
        while len(values) < row.takes and place < len(words) and _is_value(draft, row, words[place], rows):
            values.append(words[place])
            place += 1
        if row.takes not in {0, MANY} and len(values) < row.takes and not row.optional:
            draft.refuse(f"{flag} has no value.")
            continue
        found.append((flag, row, values))
    return found


def _is_value(draft: Draft, row: FlagRow, word: str, rows: Container[str]) -> bool:
    """Whether the word after a flag is its value. mcp-remote takes any word."""
    if row.takes == MANY or row.optional:
        return not word.startswith("-") and not (row.optional and _URL.match(word))
    return not (draft.table.takes_equals and word.partition("=")[0] in rows)


def _counting(draft: Draft, found: list[_Flag]) -> list[_Flag]:
    """The flags that count: each once, where the program takes it once."""
    kept: dict[int, _Flag] = {}
    places: dict[tuple[str, ...], int] = {}
    for place, (flag, row, values) in enumerate(found):
        draft.seen.add(flag)
        before = places.get(row.names)
        if row.rule not in _REPEATABLE and before is not None:
            if draft.table.first_counts:
                continue
            del kept[before]
        places[row.names] = place
        kept[place] = (flag, row, values)
    return list(kept.values())


def _other(draft: Draft, word: str) -> None:
    if not word.startswith("-"):
        draft.plain.append(word)
    elif word != "--":
        # It is not shown whole, because what follows an equals sign may be a secret.
        name = shown(word.partition("=")[0], 40)
        draft.refuse(f"{name} is no flag of {draft.table.program} that is known here.")


def _server_url(draft: Draft) -> str:
    program = draft.table.program
    if draft.urls:
        return draft.urls[-1]
    url = draft.plain[0] if draft.plain else ""
    if not url and "SSE_URL" in draft.table.variables and (url := draft.environ.get("SSE_URL", "")):
        draft.say("SSE_URL", "the URL", "the bridge takes it as an argument")
    if program == "supergateway" or not _URL.match(url):
        draft.refuse(f"{program} is not told the URL of a server to connect to.")
    return url


def _read_variables(draft: Draft) -> None:
    """Take what the program reads from the entry's variables, unless a flag says it."""
    signs_in = draft.seen & {"--oauth", "--oauth-device"}
    for name, row in draft.table.variables.items():
        value = draft.environ.get(name, "")
        if not value or row.rule == "url":
            continue
        if row.rule == NO_COUNTERPART and value not in row.choices:
            apply(draft, row, name, [value])
        if row.rule == "bearer" and not signs_in and "authorization" not in map(str.lower, draft.headers):
            draft.add_header("Authorization", f"Bearer ${{{name}}}", name)
        elif row.rule == SAME and not draft.option(row.ours):
            apply(draft, row, name, [value])


def _name_user(draft: Draft) -> None:
    """Make the header of basic authentication (RFC 7617) from a user and a password."""
    if all(draft.user):
        pair = base64.b64encode(":".join(draft.user).encode("utf-8", "surrogatepass")).decode("ascii")
        draft.add_header("Authorization", f"Basic {pair}", "--username, --password")
    elif any(draft.user):
        draft.refuse(f"{draft.table.program} needs --username and --password, and only one of them is given.")


def _add_default(draft: Draft) -> None:
    """Say what the program does where no flag says otherwise."""
    table = draft.table
    if table.default and not draft.seen & set(table.default_unless):
        draft.add(table.default)
        draft.say("", table.default, f"{table.program} uses HTTP+SSE where no --transport is given")


def _hashed(draft: Draft, url: str) -> HashedServer:
    resource = draft.option("--resource")
    return HashedServer(
        url=url,
        resource="" if resource == "none" else resource,
        authorize_params=dict(draft.params),
        headers=dict(draft.hashed_headers),
        client_metadata_url=draft.option("--client-metadata-url"),
    )


def _keep_callback(draft: Draft, hashed: HashedServer, platform: str) -> None:
    """Keep the redirect URI that mcp-remote used where the authorization server expects exactly that one.

    That is so where a port is given, for a client that the user registered, and for a metadata document.
    """
    given = re.match(r"\s*(\d{1,5})", draft.plain[1]) if len(draft.plain) > 1 else None
    is_fixed = draft.client is not None or bool(hashed.client_metadata_url)
    if "--device-code" in draft.seen or not (given or is_fixed):
        return
    port = int(given[1]) if given else default_port(newest_digest(hashed))
    host = draft.option("--callback-host") or ("127.0.0.1" if platform == "win32" else "localhost")
    path = draft.option("--callback-path") or CALLBACK_PATH
    draft.add("--callback-port", str(port))
    if host != "localhost" and not draft.option("--callback-host"):
        draft.add("--callback-host", host)
    if not draft.option("--callback-path"):
        draft.add("--callback-path", path)
    note = f"so that the redirect URI stays the same: http://{host}:{port}{path}"
    draft.say(str(port) if given else "", f"--callback-port {port}", note)
