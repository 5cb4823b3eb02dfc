"""The entries of other bridges in hosts' files, and what each becomes there.

| entry | what happens |
|---|---|
| runs another bridge, and all of its words have a counterpart | its command and its arguments change |
| runs another bridge otherwise | it stays, with the reasons |
| is a remote server that the host itself connects to | with `remote`, it becomes a program that the host starts |
| anything else | it stays, and nothing is said of it |

Of an entry only the members change that say what is started, or where the host connects. Its name, its variables and
all other members stay, and so does the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from bridge.inventory.entry_shapes import EntryShape, Launch, RemoteServer, read_entry
from bridge.inventory.host_entries import HostFile, Place, entry_values
from bridge.inventory.host_table import HOSTS_BY_KEY
from bridge.migrate.old_commands import translate
from bridge.migrate.old_programs import NotReadable, OldCommand, old_command
from bridge.migrate.translation import (
    NewOption,
    Translation,
    TurnedFlag,
    header_option,
    turned_header,
)
from bridge.process.redact import is_secret_name
from bridge.protocol.sanitize import shown

_KINDS = ("type", "transport", "httpUrl", "url", "uri", "serverUrl", "headers", "http_headers", "requestInit", "oauth")
"""The members of remote entries, in all hosts, that say where and how the host connects."""

_LONG = 8
"""From how many characters on a variable's value may be a secret, whatever its name. Shorter ones are words."""

REMOTE = "its own connection"
"""What stands in the place of the old program's name for a remote entry."""


@dataclass(frozen=True, slots=True)
class OldEntry:
    """An entry that another bridge serves, or the host itself.

    `program` is the other bridge; `value` the entry as it is in the file. `translation` is None, or has refusals,
    where the entry stays as it is; `reasons` says why.
    """

    file: HostFile
    place: Place
    program: str
    value: Mapping[str, object] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    translation: Translation | None
    reasons: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The entry's name, fit to be shown."""
        return shown(self.place[-1], 60)

    def because(self, reason: str) -> OldEntry:
        """The entry, which has to stay for one more reason."""
        return OldEntry(
            self.file, self.place, self.program, self.value, self.environ, self.translation, (*self.reasons, reason)
        )


@dataclass(frozen=True, slots=True)
class MemberEdit:
    """One member of a file: its new value, or that it goes."""

    place: Place
    value: object = field(default=None, repr=False)
    is_removed: bool = False


def old_entries(
    file: HostFile, content: object, read: Callable[[str], str], platform: str, *, remote: bool
) -> Iterator[OldEntry]:
    """The entries in a file's content that can be moved over, or that name another bridge.

    `read` gives the text of a file that an entry names; see `translate`.
    """
    for place, value in entry_values(content, file.table):
        entry = read_entry(value)
        if isinstance(entry, Launch) and isinstance(value, dict):
            found = old_command([entry.command, *entry.arguments])
            if isinstance(found, NotReadable):
                yield OldEntry(file, place, found.program, value, entry.environ, None, (found.why,))
            elif found is not None:
                made = translate(found, entry.environ, read, platform)
                yield OldEntry(file, place, found.program, value, entry.environ, made, made.refusals)
        elif isinstance(entry, RemoteServer) and isinstance(value, dict) and remote:
            made = _of_remote(value, entry)
            yield OldEntry(file, place, REMOTE, value, {}, made, made.refusals)


def edits(entry: OldEntry, command: str, arguments: tuple[str, ...]) -> list[MemberEdit]:
    """What changes in the file, so that the entry runs `command` with `arguments`."""
    if entry.program == REMOTE:
        return _remote_edits(entry, HOSTS_BY_KEY[entry.file.key].shape, Launch(command, arguments))
    place, value = entry.place, entry.value
    for name in ("command", "cmd"):
        own = value.get(name)
        if isinstance(own, list):
            return [MemberEdit((*place, name), [command, *arguments])]
        if isinstance(own, dict):  # As older settings of Zed have it.
            inside = (*place, name)
            return [MemberEdit((*inside, "path"), command), MemberEdit((*inside, "args"), [*arguments])]
        if own is not None:
            return [MemberEdit((*place, name), command), MemberEdit((*place, "args"), [*arguments])]
    raise AssertionError("an entry that was read has a command")


def secrets_in(value: object) -> Iterator[str]:
    """The secrets that stand in the words, headers and variables of all entries in a file's content, or in one entry.

    Of programs that are not known, those are the words behind a flag or in a header whose name says so. A variable
    counts as a secret if its name says so, or if its value is long.
    """
    if isinstance(value, list):
        for member in value:
            yield from secrets_in(member)
    elif isinstance(value, dict):
        entry = read_entry(value)
        if isinstance(entry, RemoteServer):
            yield from entry.headers.values()
        elif entry is not None:
            yield from _secret_words(entry)
            for name, text in entry.environ.items():
                if len(text) >= _LONG or is_secret_name(name):
                    yield text
        for member in value.values():
            yield from secrets_in(member)


def _secret_words(entry: Launch) -> Iterator[str]:
    found = old_command([entry.command, *entry.arguments])
    if isinstance(found, OldCommand):
        yield from translate(found, entry.environ, lambda _: "{}", "").hidden
    for before, word in pairwise((entry.command, *entry.arguments)):
        flag, equals, value = word.partition("=")
        if equals and flag.startswith("-") and is_secret_name(flag):
            yield value
        elif before.startswith("-") and is_secret_name(before) and not word.startswith("-"):
            yield word
        name, colon, value = word.partition(":")
        if colon and is_secret_name(name.strip()) and not value.startswith("//"):
            yield value.strip()


def _of_remote(value: Mapping[str, object], server: RemoteServer) -> Translation:
    options: list[NewOption] = []
    turned: list[TurnedFlag] = []
    kind = str(value.get("type") or value.get("transport") or "")
    if kind == "sse":
        options.append(NewOption("--transport", "sse"))
        turned.append(TurnedFlag("the type sse", "--transport sse"))
    for name, text in server.headers.items():
        options.append(header_option(name, text))
        turned.append(turned_header(name, options[-1], f"the header {shown(name, 60)}"))
    refusals = []
    if value.get("oauth"):
        refusals.append("The entry has settings for OAuth, in a form of the host's own; write them as options by hand.")
    if value.get("requestInit"):
        refusals.append("The entry has requestInit, which has no counterpart.")
    return Translation(server.url, tuple(options), tuple(turned), tuple(refusals))


def _remote_edits(entry: OldEntry, shape: EntryShape, launch: Launch) -> list[MemberEdit]:
    new = shape.entry_of(entry.place[-1], launch)
    kept = [name for name in entry.value if name not in _KINDS or name in new]
    gone = [MemberEdit((*entry.place, name), is_removed=True) for name in entry.value if name not in kept]
    made = [
        MemberEdit((*entry.place, name), value)
        for name, value in new.items()
        # What the user chose, such as `enabled` or `timeout`, stays.
        if name in _KINDS or name not in entry.value
    ]
    return [*made, *gone]
