"""References to environment variables in the texts of the user's configuration file.

| text | becomes |
|---|---|
| `${NAME}`, `${env:NAME}` | the variable, which must not be empty |
| `${NAME:-text}`, `${env:NAME:-text}` | the variable; the text where it is not set or empty, as in a shell |
| any other `${...}` | an error |

Headers of the file are not expanded here: `parse_header` does that for headers from everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.errors import UsageError

WHOLE = r"\$\{(?:env:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}"
"""A text that is nothing but the value of a variable."""
NAMED = r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)"
"""The name of a variable, where a text refers to one."""

_ANY = r"\$\{([^}]*)\}"
_KNOWN = r"(?:env:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?"


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its references replaced. Raises `UsageError`, which names a variable that is missing."""
    return re.sub(_ANY, lambda found: _value(found, environ), text)


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    known = re.fullmatch(_KNOWN, found[1], re.DOTALL)
    if known is None:
        # It is not shown, because a default in it may be a secret.
        raise UsageError(
            "A ${...} is not one that the bridge replaces.", hint="Write ${NAME}, ${env:NAME} or ${NAME:-default}."
        )
    name, default = known["name"], known["default"]
    if value := environ.get(name, ""):
        return value
    if default is not None:
        return default
    state = "empty" if name in environ else "not set"
    raise UsageError(
        f"The environment variable {name} is needed, and it is {state}.",
        hint=f"Set it, in a host in the env of the entry that runs the bridge, or write ${{{name}:-default}}.",
    )
