"""A URL with `{name}` in it, filled with values that cannot lead it elsewhere.

| where the name stands | what the value may be | how it is written |
|---|---|---|
| at the beginning, `{base}/mcp` | an https URL without query and fragment | as it is, without a slash at its end |
| in the host, `https://{tenant}.example.com` | letters, digits, `-`, and `.` between them | as it is |
| after the host's colon | digits | as it is |
| in the path | anything that makes no `.` or `..` of a part | percent-encoded, `/` too |
| in the query | anything | percent-encoded |

So only where the publisher lets the user name the host does a value decide to which host the bridge connects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from bridge.errors import UsageError

LONGEST_URL = 2048

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"


class BadTemplate(UsageError):
    """A URL that cannot be filled, whatever the values are."""


def names_in(template: str) -> list[str]:
    """The names in a template, each once, in their order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def filled_url(template: str, values: Mapping[str, str]) -> str:
    """The URL with these values, one for each of its names. Raises `UsageError`, without any value."""
    if "#" in template or not re.match(r"(?:https?://|\{)", template, re.IGNORECASE):
        raise BadTemplate("The URL of the server.json does not begin with https://, or has a #.")
    host_ends = _host_end(template)
    if "@" in template[:host_ends]:
        raise BadTemplate("The URL of the server.json has a user name.")
    made, end = "", 0
    for found in _PLACEHOLDER.finditer(template):
        made += template[end : found.start()]
        name, value = found[1], values[found[1]]
        if not value or not value.isprintable():
            raise UsageError(f"The value of {name} is empty, or has a character that cannot be shown.")
        made += _written(name, value, made, in_host=found.start() < host_ends)
        end = found.end()
    made += template[end:]
    if "{" in made or "}" in made or len(made) > LONGEST_URL:
        raise BadTemplate("The URL of the server.json has braces without a name, or is too long.")
    if any(part in (".", "..") for part in made.partition("?")[0].lower().replace("%2e", ".").split("/")):
        raise UsageError("A value makes a . or .. of a part of the URL's path.")
    return made


def _host_end(template: str) -> int:
    """Where the host of a template ends; 0 where a value begins the URL."""
    scheme = template.find("://")
    if template.startswith("{") or scheme < 0:
        return 0
    return scheme + 3 + len(re.split(r"[/?\\]", template[scheme + 3 :], maxsplit=1)[0])


def _is_base(value: str) -> bool:
    """Whether a value is an http or https URL to which a path can be added."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    is_plain = bool(parts.hostname) and re.search(r"[?#@\\]", value) is None
    return parts.scheme.lower() in ("http", "https") and is_plain


def _written(name: str, value: str, before: str, *, in_host: bool) -> str:
    if not before:
        if not _is_base(value):
            raise UsageError(f"The value of {name} is not a URL such as https://example.com.")
        return value.rstrip("/")
    if in_host:
        is_port = re.search(r"://[^/]*:\d*$", before) is not None
        if re.fullmatch(r"\d{1,5}" if is_port else _HOST_PART, value, re.ASCII) is None:
            wanted = "a port" if is_port else "a part of a host name: letters, digits, '-' and '.'"
            raise UsageError(f"The value of {name} is not {wanted}.")
        return value
    return quote(value, safe="")
