"""A published server made ready for use: its URL and headers, and the secrets that belong into the keyring.

Where a value comes from, in this order: what was given by name (`--set NAME=VALUE`), what the document fixes, what the
user types, the document's default. What is given by the name of a header is its whole value.

| the value | is |
|---|---|
| secret, typed or given | kept apart (`secrets`); the header names it, `Authorization: keyring:NAME` |
| given as `keyring:NAME`, `env:NAME`, `file:PATH` or `cmd:COMMAND`, for a whole header | the header has the reference |
| secret, in the URL | refused: a URL stands in files as it is |
| any other | written as it is |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bridge.config import check_url, parse_header
from bridge.config.secret_reference import reference_in
from bridge.errors import UsageError
from bridge.loopback import is_loopback
from bridge.protocol import sanitize
from bridge.registry.server_json import PublishedHeader, PublishedInput, PublishedServer, RemoteAddress
from bridge.registry.url_template import BadTemplate, filled_url, names_in

Ask = Callable[[PublishedInput], str]
"""Asks the user for one value; empty where the user gives none."""

_GIVE = "Give a value with --set NAME=VALUE, and a secret with --set NAME=keyring:SECRET (secret set SECRET stores it)."
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class ResolvedServer(msgspec.Struct, frozen=True):
    """How to reach a server. `headers` are written `Name: value`.

    `secrets` are what has to be stored, by the names that the headers use (`keyring:NAME`). `name` is a short name for
    the server, `published_name` that of the document.
    """

    url: str
    transport: str
    headers: tuple[str, ...]
    secrets: dict[str, str]
    name: str
    published_name: str
    title: str
    warnings: tuple[str, ...]

    @property
    def whole_headers(self) -> tuple[str, ...]:
        """The headers with the secrets themselves, for a run and for what stores them under names of its own."""
        named = {f"keyring:{name}": value for name, value in self.secrets.items()}
        parts = (text.partition(": ") for text in self.headers)
        return tuple(f"{name}: {named.get(value, value)}" for name, _, value in parts)

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"ResolvedServer(name={self.name!r}, url={self.url!r}, secrets={sorted(self.secrets)})"


class MissingValues(UsageError):
    """Values are missing, and there is nobody to ask."""


def resolved(
    server: PublishedServer,
    given: Mapping[str, str],
    ask: Ask | None,
    *,
    allow_http: bool = False,
    short_name: str = "",
) -> ResolvedServer:
    """Choose an address and fill it. Raises `UsageError`.

    `ask` is None where nobody can be asked; then all that is missing is named at once. `short_name` is the name that
    the user chose; it begins the names of the secrets.
    """
    remote = _chosen(server)
    name = short_name or short_name_of(server.name)
    values = _Values(server.name, given, ask)
    variables = _url_variables(server, remote)
    values.check_given({*variables, *_header_names(remote)})
    values.check_complete(variables, remote.headers)
    url = _url(server, remote, {key: values.of_url(one) for key, one in variables.items()}, allow_http=allow_http)
    headers: list[str] = []
    secrets: dict[str, str] = {}
    for header in remote.headers:
        value, is_secret = values.of_header(header)
        if value:
            parse_header(f"{header.input.name}: {value.replace('${', '')}", {})  # Whether HTTP can carry it.
        if value and is_secret:
            if "${" in value:
                raise UsageError(
                    f"The value of {header.input.name} has ${{, which the bridge would read as a variable.",
                    hint=f"Store the whole value, and give it by the name {header.input.name}. {_GIVE}",
                )
            key = secret_name(name, header.input.name)
            secrets[key] = value
            value = f"keyring:{key}"
        if value:
            headers.append(f"{header.input.name}: {value}")
    others = len(server.remotes) - 1
    more = (f"{server.name} has {others + 1} addresses; the bridge uses {sanitize.address(url)}.",) if others else ()
    return ResolvedServer(
        url=url,
        transport=remote.transport,
        headers=tuple(headers),
        secrets=secrets,
        name=name,
        published_name=server.name,
        title=server.title or server.name,
        warnings=(*server.warnings, *more),
    )


def short_name_of(published_name: str) -> str:
    """A name for the server in a host: what stands behind the slash."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", published_name.rpartition("/")[2]).strip("-")[:40]
    return name or "server"


def secret_name(server: str, header: str) -> str:
    """The name under which the value of a server's header is stored."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{server}-{header.lower()}").strip("-._")[:64] or "header"


def _chosen(server: PublishedServer) -> RemoteAddress:
    for transport in ("http", "sse"):
        for remote in server.remotes:
            if remote.transport == transport:
                return remote
    what = "is a program to be installed (it has packages)" if server.is_package else "has no address"
    raise UsageError(
        f"{server.name} {what}, not a remote server, so the bridge cannot connect to it.",
        hint="Add it to the host as its publisher describes.",
    )


def _url_variables(server: PublishedServer, remote: RemoteAddress) -> dict[str, PublishedInput]:
    """The inputs of the URL. Each is needed, whatever the document says, because a URL has no empty parts."""
    found: dict[str, PublishedInput] = {}
    for name in names_in(remote.url):
        if name not in remote.variables:
            raise UsageError(
                f"The URL of {server.name} has {{{sanitize.shown(name, 40)}}}, which its server.json does not explain.",
                hint="Use the server's URL instead.",
            )
        found[name] = msgspec.structs.replace(remote.variables[name], is_required=True)
    return found


def _header_names(remote: RemoteAddress) -> set[str]:
    return {name for header in remote.headers for name in (header.input.name, *header.variables)}


def _url(server: PublishedServer, remote: RemoteAddress, values: Mapping[str, str], *, allow_http: bool) -> str:
    try:
        url = filled_url(remote.url, values)
        check_url(url, allow_http=True)
    except BadTemplate as problem:
        raise UsageError(f"{server.name}: {problem.message}", hint="Use the server's URL instead.") from None
    except UsageError as problem:
        raise UsageError(
            f"{server.name}: {problem.message}", hint="Give another value with --set NAME=VALUE."
        ) from None
    if url.lower().startswith("http:") and not (allow_http and is_loopback(_host(url))):
        raise UsageError(
            f"{server.name} has an address with plain http: {sanitize.address(url)}.",
            hint="Only one on this machine may have it, with --allow-http.",
        )
    return url


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or ""


class _Values:
    """The values of one server's inputs."""

    def __init__(self, server: str, given: Mapping[str, str], ask: Ask | None) -> None:
        self._server = server
        self._given = {name: value for name, value in given.items() if value.strip()}
        self._ask = ask

    def check_given(self, known: set[str]) -> None:
        """Raise `UsageError` for a name that the server does not have. Upper and lower case are the same."""
        import difflib

        spelled = {name.lower(): name for name in known}
        self._given = {spelled.get(name.lower(), name): value for name, value in self._given.items()}
        for name in self._given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                words = (
                    f"Did you mean {near[0]}?" if near else f"It has {', '.join(sorted(known)) or 'no values to set'}."
                )
                raise UsageError(f"{self._server} has no value {sanitize.shown(name, 40)} to set.", hint=words)

    def check_complete(self, variables: Mapping[str, PublishedInput], headers: Sequence[PublishedHeader]) -> None:
        """Raise `MissingValues` where something is needed and nobody can be asked."""
        if self._ask is not None:
            return
        needed = [one for one in variables.values() if self._is_missing(one)]
        for header in headers:
            if header.input.name not in self._given and (header.input.is_required or _parts(header)):
                needed += [one for one in _inputs(header) if self._is_missing(one)]
        if needed:
            raise _missing(self._server, needed)

    def of_url(self, variable: PublishedInput) -> str:
        """The value of a part of the URL."""
        value = self._value(variable)
        if variable.is_secret:
            raise UsageError(
                f"The URL of {self._server} holds the secret {variable.name}, and no secret is written into a file.",
                hint="Start the bridge with the whole URL in the variable MCP_BRIDGE_URL instead.",
            )
        if reference_in(value):
            raise UsageError(
                f"{variable.name} is a part of the URL of {self._server}, which cannot be a reference.",
                hint=f"Give the value itself: --set {variable.name}=VALUE.",
            )
        return value

    def of_header(self, header: PublishedHeader) -> tuple[str, bool]:
        """A header's whole value, empty where it is not sent, and whether it is a secret to be stored."""
        whole = self._given.get(header.input.name, "")
        if whole:
            self._check_choice(header.input, whole)
            return whole, _is_secret(header) and not reference_in(whole)
        if header.input.value is None:
            value = self._value(header.input)
            return value, header.input.is_secret and bool(value) and not reference_in(value)
        values = {name: self._value(header.variables[name]) for name in _parts(header)}
        if not all(values.values()):
            return "", False
        for name, value in values.items():
            if reference_in(value) and header.input.value != f"{{{name}}}":
                raise UsageError(
                    f"{name} is a part of the header {header.input.name}, and a reference stands for a whole header.",
                    hint=f"Store the whole value, and give it by the name {header.input.name}. {_GIVE}",
                )
        text = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), header.input.value)
        is_reference = any(map(reference_in, values.values()))
        if not is_reference and ("${" in text or reference_in(text.strip()) is not None):
            # Parts that are harmless alone: a publisher could have the bridge read a secret of the user's by them.
            raise UsageError(
                f"The value of the header {header.input.name} would read secrets or variables of yours.",
                hint=f"Give the whole value by the name {header.input.name}. {_GIVE}",
            )
        return text, bool(values) and not is_reference and _is_secret(header)

    def _is_missing(self, one: PublishedInput) -> bool:
        return one.is_required and one.name not in self._given and one.value is None and not one.default

    def _check_choice(self, one: PublishedInput, value: str) -> None:
        if one.choices and value and value not in one.choices and reference_in(value) is None:
            raise UsageError(f"{one.name} is one of {', '.join(one.choices)}.", hint=_GIVE)

    def _value(self, one: PublishedInput) -> str:
        if (given := self._given.get(one.name)) is None:
            if one.value is not None:
                return one.value
            given = (self._ask(one).strip() if self._ask is not None else "") or one.default or ""
        self._check_choice(one, given)
        if not given and one.is_required:
            raise _missing(self._server, [one])
        return given


def _parts(header: PublishedHeader) -> list[str]:
    """The variables that a header's value has. Braces that are none of them stay as they are."""
    return [name for name in names_in(header.input.value or "") if name in header.variables]


def _inputs(header: PublishedHeader) -> list[PublishedInput]:
    return [header.variables[name] for name in _parts(header)] if header.input.value is not None else [header.input]


def _is_secret(header: PublishedHeader) -> bool:
    return header.input.is_secret or any(header.variables[name].is_secret for name in _parts(header))


def _missing(server: str, inputs: Sequence[PublishedInput]) -> MissingValues:
    names = dict.fromkeys(f"{one.name} (secret)" if one.is_secret else one.name for one in inputs)
    # The redactor would mask a line such as `X-Api-Key=VALUE`, so the names stand by themselves.
    return MissingValues(f"{server} needs {', '.join(names)}.", hint=_GIVE)
