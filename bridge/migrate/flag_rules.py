"""What becomes of a flag by each rule of `flag_tables`."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import msgspec

from bridge.config.signing_in import OWNED_PARAMETERS
from bridge.migrate.flag_tables import CHOICE, FIXED, NO_COUNTERPART, NOT_NEEDED, SAME, FlagRow, Rule
from bridge.migrate.translation import MOVES, Draft, NewOption, StaticClient

_CALLBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_WHOLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = re.compile(r"([A-Za-z0-9_-]+):\s*(.*)", re.DOTALL)
# Members of a client's metadata (RFC 7591 2) that say nothing which decides whether a sign-in works.
_ABOUT_THE_CLIENT = frozenset(
    (
        *("client_uri", "logo_uri", "tos_uri", "policy_uri", "contacts", "software_version", "grant_types"),
        *("response_types", "token_endpoint_auth_method"),
    )
)


def apply(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    """Add to `draft` what becomes of one flag."""
    _RULES[row.rule](draft, row, flag, values)


def _same(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    if not values[0].strip():
        _not_needed(draft, row, flag, values, "it is empty")
        return
    draft.add(row.ours, values[0])
    draft.say(f"{flag} {values[0]}", f"{row.ours} {values[0]}", row.note)


def _fixed(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.add(row.ours)
    draft.say(flag, row.ours, row.note)


def _choice(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    [value] = values
    if value in row.choices:
        ours = row.choices[value]
        draft.add(ours)
        draft.say(f"{flag} {value}", ours, "" if ours else "that is what the bridge does")
    elif draft.table.first_counts:
        _not_needed(draft, row, flag, values, f"{draft.table.program} does not know this value and ignores it")
    else:
        draft.refuse(f"{flag} has a value that has no counterpart here.")


def _not_needed(draft: Draft, row: FlagRow, flag: str, values: list[str], why: str = "") -> None:
    draft.say(flag, "", why or row.note)


def _no_counterpart(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.say(flag, "", f"no counterpart: {row.note}")
    draft.refuse(f"{flag} has no counterpart: {row.note}.")


def _url(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.urls.append(values[0])
    draft.add(row.ours)
    draft.say(f"{flag} URL", f"URL {row.ours}")


def _header(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    for text in values:
        found = _HEADER.fullmatch(text)
        if found is None:
            draft.refuse(f"The value of {flag} is not of the form 'Name: value'.")
            continue
        draft.add_header(found[1], found[2], f"{flag} '{found[1]}: ...'", text)


def _header_file(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    _same(draft, row, flag, values)
    with suppress(OSError, UnicodeError):
        for line in draft.read(values[0]).splitlines():
            if not line.lstrip().startswith("#") and (found := _HEADER.fullmatch(line.strip())):
                draft.hashed_headers[found[1]] = found[2]


def _header_pair(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.add_header(values[0], values[1], f"{flag} {values[0]} ...")


def _bearer(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.raw.append(values[0])
    draft.add_header("Authorization", f"Bearer {values[0]}", f"{flag} ...")


def _host(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    if values[0] in _CALLBACK_HOSTS:
        _same(draft, row, flag, values)
    else:
        draft.refuse(f"{flag} {values[0]}: the bridge takes the browser's return on this machine only.")


def _resource(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    if "--disable-resource-parameter" in draft.words:
        _not_needed(draft, row, flag, values, "--disable-resource-parameter overrides it")
    else:
        _same(draft, row, flag, [values[0].strip() or "none"])


def _authorize_parameter(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    name, equals, value = values[0].partition("=")
    name = name.strip()
    draft.params[name] = value
    if not equals or not name:
        draft.refuse(f"The value of {flag} is not of the form name=value.")
    elif name in {"scope", "resource"}:
        draft.add(f"--{name}", value)
        draft.say(f"{flag} {name}=...", f"--{name} {value}")
    elif name.lower() in OWNED_PARAMETERS:
        draft.refuse(f"{flag} {name}=...: the bridge sets this parameter itself.")
    else:
        draft.add(flag, f"{name}={value}")
        draft.say(f"{flag} {name}=...", f"{flag} {name}=...")


def _client_information(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    members = _json(draft, flag, values[0])
    if members is None:
        return
    client_id, secret = members.get("client_id"), members.get("client_secret") or ""
    if not isinstance(client_id, str) or not isinstance(secret, str):
        draft.refuse(f"{flag} has no client_id, or one of its members is not a text.")
        return
    client_id = _WHOLE.sub(lambda found: draft.environ.get(found[1], found[0]), client_id)
    if "${" in client_id:
        draft.refuse(f"The client_id in {flag} needs a variable that the entry does not set.")
        return
    draft.client = StaticClient(client_id, secret)
    draft.add("--client-id", client_id)
    draft.say(f"{flag}: client_id", f"--client-id {client_id}")
    if not secret:
        return
    if whole := _WHOLE.fullmatch(secret):
        draft.add("--client-secret", f"env:{whole[1]}")
        draft.say(f"{flag}: client_secret", f"--client-secret env:{whole[1]}")
    elif "${" in secret:
        draft.refuse(f"The client_secret in {flag} is only in part a variable.")
    else:
        draft.options.append(NewOption("--client-secret", "", secret=secret, named_after="client-secret"))
        draft.say(f"{flag}: client_secret", "--client-secret keyring:NAME", MOVES)


def _client_metadata(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    members = _json(draft, flag, values[0])
    for name, value in (members or {}).items():
        if name == "scope" and isinstance(value, str):
            _same(draft, row, f"{flag}: scope", [value])
        elif name in _ABOUT_THE_CLIENT:
            draft.say(f"{flag}: {name}", "", "the bridge says that of itself")
        else:
            draft.refuse(f"{flag} sets {name[:40]}, which has no counterpart: the bridge registers its own.")


def _certificates(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    value = (values or ["true"])[0]
    if value.lower() in {"1", "true", "yes", "on"}:
        _not_needed(draft, row, flag, values, "the bridge always checks certificates")
    elif value.lower() in {"0", "false", "no", "off"}:
        draft.refuse(f"{flag} {value} has no counterpart: the bridge always checks certificates.")
    else:
        _same(draft, row, flag, [value])


def _name_of_user(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.user = (values[0], draft.user[1])


def _password(draft: Draft, row: FlagRow, flag: str, values: list[str]) -> None:
    draft.raw.append(values[0])
    draft.user = (draft.user[0], values[0])
    if "${" in values[0]:
        draft.refuse(f"{flag} is a variable, and the header that it becomes part of is encoded.")


def _json(draft: Draft, flag: str, text: str) -> dict[str, object] | None:
    """The object in a flag's value, or in the file that it names as `@PATH`."""
    try:
        if text.startswith("@"):
            text = draft.read(text[1:])
        members = msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
    except (OSError, UnicodeError, RecursionError, msgspec.MsgspecError):
        draft.refuse(f"The value of {flag} cannot be read as JSON.")
        return None
    if not isinstance(members, dict):
        draft.refuse(f"The value of {flag} is not a JSON object.")
        return None
    return members


_RULES: dict[Rule, Callable[[Draft, FlagRow, str, list[str]], None]] = {
    SAME: _same,
    FIXED: _fixed,
    CHOICE: _choice,
    NOT_NEEDED: _not_needed,
    NO_COUNTERPART: _no_counterpart,
    "url": _url,
    "header": _header,
    "header-file": _header_file,
    "header-pair": _header_pair,
    "bearer": _bearer,
    "host": _host,
    "resource": _resource,
    "authorize-parameter": _authorize_parameter,
    "client-information": _client_information,
    "client-metadata": _client_metadata,
    "certificates": _certificates,
    "user": _name_of_user,
    "password": _password,
}
