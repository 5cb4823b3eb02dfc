"""What the command `bundle` puts into a bundle: the fixed settings, which everyone can read, and the questions.

A bundle is handed out, so no secret may be in it:

| on the command line | becomes |
|---|---|
| an option with a value, `--scope read` | a fixed variable |
| `--header 'X-Team: blue'` | the same |
| a header that looks like a secret; a literal `--client-secret` | an error that says how to ask for it |
| a header with `${NAME}`, `--client-secret env:NAME` | a fixed variable; its value is on the user's machine |
| an option that names a file or a command on this machine | an error |
| `--ask WHAT`, `--ask-optional WHAT` | a question (`bundle/questions`) |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bridge import PROGRAM
from bridge.bundle.questions import AnswerType, Question, asked_twice, header_question
from bridge.cli import option_table
from bridge.cli.option_table import CONFIG_OPTION, FILE, FLAG, LINES, OPTIONS, OptionRow
from bridge.cli.settings import SECRET_MEMBER, URL_VARIABLE, settings_of
from bridge.config import parse_header
from bridge.config.secret_reference import reference_in
from bridge.errors import UsageError
from bridge.process.redact import Redactor

URL_QUESTION = "url"
HEADER_COMMAND = "header_command"
ASKED_WITHOUT_URL = (("url", True), ("header", False), ("client-id", False), ("client-secret", False), ("scope", False))
"""What a bundle without a URL asks, and whether it needs an answer."""

_TYPES: dict[str, AnswerType] = {
    option_table.INTEGER: "number",
    option_table.SECONDS: "number",
    option_table.SECONDS_OR_NEVER: "number",
    FLAG: "boolean",
    FILE: "file",
}
_WORDS = {"id": "ID", "url": "URL", "ca": "CA", "http": "HTTP"}
_DESCRIPTIONS = {
    "url": "The address of the remote MCP server, such as https://example.com/mcp.",
    "header": 'A header for every request, such as "Authorization: Bearer TOKEN". Leave it empty to use the browser.',
    "client-id": "The OAuth client that you registered with the provider. Leave it empty where none is needed.",
    "client-secret": "The secret of that OAuth client.",
    "scope": "The scopes to request, with spaces between them. Leave it empty for those that the server names.",
}
_SECRET_NAME = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[A-Za-z0-9_.~+/=-]{20,}")


def fixed_variables(url: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The variables that are the same for everyone who gets the bundle. `options` are those of the command line.

    Raises `UsageError` for what cannot be used, and for what looks like a secret or names a file on this machine.
    """
    rows = [row for row in OPTIONS if row.key in options and row.name != CONFIG_OPTION]
    for row in rows:
        _check_public(row, options[row.key])
    checked = {row.key: options[row.key] for row in rows if row.key not in (SECRET_MEMBER, "header")}
    settings_of([url or "https://example.com/"], checked, {})
    if url and Redactor()(url) != url:
        raise UsageError(
            "The URL has what looks like a secret, and everyone who gets the bundle could read it.",
            hint="Leave the URL out, so that the bundle asks for it.",
        )
    fixed = {URL_VARIABLE: url} if url else {}
    return fixed | {row.variable: _as_variable(row, options[row.key]) for row in rows}


def questions_of(asked: Sequence[str], optional: Sequence[str]) -> tuple[Question, ...]:
    """The questions for the words of `--ask` and `--ask-optional`. Raises `UsageError`."""
    questions = [
        *(_question(word, is_required=True) for word in asked),
        *(_question(word, is_required=False) for word in optional),
    ]
    if key := asked_twice(questions):
        raise UsageError(f"The bundle asks for {key} twice.", hint="Name it once, with --ask or --ask-optional.")
    return tuple(questions)


def name_of(url: str) -> str:
    """A name for a bundle with this URL, made of its host; the program's own without a URL."""
    host = (urlsplit(url).hostname or "") if url else ""
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:64].rstrip("-") or PROGRAM


def _question(word: str, *, is_required: bool) -> Question:
    kind, colon, header = word.partition(":")
    if kind == "header" and colon:
        parse_header(f"{header.strip()}: x", {})
        return header_question(header.strip(), is_required=is_required)
    named = {row.name[2:]: row for row in OPTIONS if row.name != CONFIG_OPTION and row.name != "--header-file"}
    row = named.get(word)
    if row is None and word != URL_QUESTION:
        raise UsageError(
            "--ask names something that a bundle cannot ask for.",
            hint=f"It takes url, header:NAME, or an option without its dashes, such as client-id. "
            f"{PROGRAM} run --help lists the options.",
        )
    return Question(
        key=word.replace("-", "_"),
        title=_title(word),
        description=_DESCRIPTIONS.get(word) or (row.help if row is not None else ""),
        variable=URL_VARIABLE if row is None else row.variable,
        type="string" if row is None else _TYPES.get(row.kind, "string"),
        is_secret=word in ("header", "client-secret"),
        is_required=is_required,
    )


def _title(word: str) -> str:
    title = " ".join(_WORDS.get(part, part) for part in word.split("-"))
    return title[:1].upper() + title[1:]


def _check_public(row: OptionRow, value: Any) -> None:
    """Raise `UsageError` for a value that may not be handed out."""
    if row.kind == FILE:
        raise UsageError(
            f"{row.name} names a file on this machine, which others do not have.",
            hint=f"Let the bundle ask for their own file: --ask-optional {row.name[2:]}.",
        )
    if row.key == HEADER_COMMAND:
        raise UsageError(
            f"A word of {row.name} could be secret, and everyone who gets the bundle could read it.",
            hint="Let the bundle ask for it: --ask header-command.",
        )
    if row.key == SECRET_MEMBER and not _is_elsewhere(value):
        raise UsageError(
            "The secret of --client-secret would be in the bundle, and everyone who gets it could read it.",
            hint="Let the bundle ask for it: --ask client-secret.",
        )
    for text in value if row.kind == LINES else ():
        name, mark, rest = text.partition(":" if row.key == "header" else "=")
        if row.key == "header":
            parse_header(f"{name}: x" if _is_elsewhere(rest.strip()) else text, {})
        if mark and not _is_elsewhere(rest.strip()) and _looks_secret(name, rest.strip()):
            how = f"--ask 'header:{name.strip()}'" if row.key == "header" else "--ask authorize-param"
            raise UsageError(
                f"The value of {name.strip()} looks like a secret, and everyone who gets the bundle could read it.",
                hint=f"Let the bundle ask for it: {how}.",
            )


def _is_elsewhere(value: str) -> bool:
    """Whether the value says where the secret is, on the machine of the one who gets the bundle."""
    return "${" in value or reference_in(value) is not None


def _looks_secret(name: str, value: str) -> bool:
    line = f"{name}: {value}"
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value)) or Redactor()(line) != line


def _as_variable(row: OptionRow, value: Any) -> str:
    match row.kind:
        case option_table.LINES:
            return "\n".join(value)
        case option_table.FLAG:
            return "1" if value else "0"
        case _:
            return "0" if value is None else str(value)
