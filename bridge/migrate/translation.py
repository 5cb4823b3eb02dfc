"""What the command line of another bridge becomes, and how it is put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bridge.config.signing_in import REFERENCES
from bridge.migrate.flag_tables import ProgramTable
from bridge.migrate.mcp_remote_hash import HashedServer
from bridge.process.redact import is_secret_name

# `${NAME}` of most hosts, `$NAME` of Gemini CLI, `{env:NAME}` and `{file:PATH}` of OpenCode.
_PLACEHOLDER = re.compile(r"\$\{|\$[A-Za-z_]|\{(?:env|file):")


class NewOption(msgspec.Struct, frozen=True):
    """One of our options. `value` None: it has none. `secret` is a secret that belongs behind `value`.

    `named_after` is what the secret is called after: a header, or `client-secret`.
    """

    name: str
    value: str | None = None
    secret: str = ""
    named_after: str = ""

    def __repr__(self) -> str:
        """Without the secret and the value, which may hold one."""
        return f"NewOption({self.name!r})"


class TurnedFlag(msgspec.Struct, frozen=True):
    """What became of one flag, to be shown: no secret is in it. `ours` is empty where nothing took its place."""

    theirs: str
    ours: str = ""
    note: str = ""


class StaticClient(msgspec.Struct, frozen=True):
    """The client that mcp-remote was given. `secret` is the text as it stands, perhaps `${NAME}`."""

    client_id: str
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"StaticClient({self.client_id!r})"


@dataclass(frozen=True, slots=True)
class Translation:
    """What an old command becomes. `hashed` is where mcp-remote keeps what it knows of the server, for mcp-remote.

    `raw` are secrets as they stand in the old words, where our options have them in another form.
    """

    url: str
    options: tuple[NewOption, ...] = field(repr=False)
    turned: tuple[TurnedFlag, ...]
    refusals: tuple[str, ...]
    hashed: HashedServer | None = None
    client: StaticClient | None = None
    raw: tuple[str, ...] = field(default=(), repr=False)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every secret that stands in the old words, in each form."""
        return (*self.raw, *(option.secret for option in self.secrets))

    @property
    def secrets(self) -> tuple[NewOption, ...]:
        """The options whose secret has to be stored before the entry can be written."""
        return tuple(option for option in self.options if option.secret)

    def with_references(self, references: Sequence[str]) -> tuple[str, ...]:
        """The words of our command line. `references` has one for each of `secrets`, in order."""
        left = iter(references)
        words = [self.url]
        for option in self.options:
            words.append(option.name)
            if option.value is not None:
                words.append(option.value + (next(left) if option.secret else ""))
        return tuple(words)


def header_option(name: str, value: str, text: str = "") -> NewOption:
    """The option for a header. A secret becomes a reference, and so does what would be read as one.

    `text` is how the header was written, if that can stay.
    """
    is_plain = not value or _PLACEHOLDER.search(value) is not None or not is_secret_name(name)
    if is_plain and not value.startswith(REFERENCES):
        return NewOption("--header", text or f"{name}: {value}")
    return NewOption("--header", f"{name}:", secret=value, named_after=name.lower())


def turned_header(name: str, option: NewOption, theirs: str) -> TurnedFlag:
    """What became of a header."""
    if option.secret:
        return TurnedFlag(theirs, f"--header {name}:keyring:NAME", MOVES)
    return TurnedFlag(theirs, f"--header '{name}: ...'")


@dataclass(slots=True)
class Draft:
    """A translation while it is being made. `seen` are the flags so far, `plain` the words that belong to no flag.

    `hashed_headers` are all headers as they are written, also those in a file (`mcp_remote_hash`).
    """

    table: ProgramTable
    environ: Mapping[str, str]
    read: Callable[[str], str]
    words: Sequence[str]
    options: list[NewOption] = field(default_factory=list)
    turned: list[TurnedFlag] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    headers: dict[str, str] = field(default_factory=dict)
    hashed_headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    client: StaticClient | None = None
    user: tuple[str, str] = ("", "")
    raw: list[str] = field(default_factory=list)

    def add(self, words: str, value: str | None = None) -> None:
        """Add our option: `--name` with a value of its own, or the words `--name value`; once."""
        name, _, inner = words.partition(" ")
        option = NewOption(name, inner or None if value is None else value)
        if name and option not in self.options:
            self.options.append(option)

    def add_header(self, name: str, value: str, theirs: str, text: str = "") -> None:
        """Add a header. A later one of the same name takes the place of an earlier one, as in all four programs.

        `text` is how it was written, if that can stay.
        """
        for own in [own for own in self.headers if own.lower() == name.lower()]:
            del self.headers[own]
            self.options = [one for one in self.options if one.name != "--header" or _header_of(one) != own]
        self.headers[name] = self.hashed_headers[name] = value
        option = header_option(name, value, text)
        self.options.append(option)
        self.turned.append(turned_header(name, option, theirs))

    def say(self, theirs: str, ours: str = "", note: str = "") -> None:
        """Note what became of a flag."""
        self.turned.append(TurnedFlag(theirs, ours, note))

    def refuse(self, sentence: str) -> None:
        """Note why the entry has to stay as it is."""
        self.refusals.append(sentence)

    def option(self, name: str) -> str:
        """The value of our option so far; empty if there is none."""
        return next((one.value or "" for one in self.options if one.name == name), "")


MOVES = "the secret moves to the keyring"
"""What is said of a secret that stood in the entry."""


def _header_of(option: NewOption) -> str:
    return (option.value or "").partition(":")[0].strip()
