"""Keeps secrets out of every line that the bridge logs, in two ways.

Values known to be secret (header values, the proxy's password, tokens) are registered, and replaced wherever they
appear, also percent-encoded or escaped. Patterns that contain secrets (`Authorization: ...`, `Bearer ...`,
`?code=...`) are replaced even where the value was not registered.
"""

from __future__ import annotations

import binascii
import functools
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from bridge.config import Header

MASK = "***"

# Most shorter values are words such as "on", and masking those would make a log unreadable.
_SHORTEST = 4
_HARMLESS = frozenset(
    (
        *("accept-language", "cache-control", "dnt", "origin", "pragma", "priority", "referer", "user-agent"),
        # Which tools GitHub's server offers (github/github-mcp-server, docs/remote-server.md).
        *("x-mcp-insiders", "x-mcp-readonly", "x-mcp-tools", "x-mcp-toolsets"),
    )
)
_SECRET_WORDS = frozenset(
    (
        *("apikey", "auth", "authorization", "cookie", "credential", "credentials", "key", "passphrase", "passwd"),
        *("password", "pwd", "secret", "session", "sig", "signature", "token"),
    )
)
_HEADERS = r"(?:proxy-)?authorization|(?:set-)?cookie|mcp-session-id|(?:x-)?api-key"
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_SCHEME = "(?:bearer|basic|dpop|digest|negotiate|token)"
_REFERENCE = rf"(?:{_SCHEME}\s+)?\$\{{|(?:keyring|env|file|cmd):[\w./~-]"
"""How what only says where a secret is begins, as the bridge's own hints have it (`config/secret_reference`)."""
_PARAMETERS = (
    "access_token|refresh_token|id_token|token|code|state|code_verifier|client_secret|client_assertion|"
    "api[-_]?key|key|secret|password|passwd|sig|signature|session_?id"
)
_FIELDS = "access_token|refresh_token|id_token|client_secret|code_verifier|device_code|password"
_PROSE = "tokens?|auth|authentication|authorization|challenges?|credentials?|headers?|schemes?"


def is_secret_name(name: str) -> bool:
    """Whether a header, variable, flag or parameter of this name holds a secret by its name, as `X-Api-Key` does."""
    words = re.split(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])", name)
    return not _SECRET_WORDS.isdisjoint(word.lower() for word in words)


def may_be_secret(header: str) -> bool:
    """Whether the value of a header of this name may be a secret."""
    return header.lower() not in _HARMLESS


class Redactor:
    """Replaces secrets in text. One redactor serves every sink of a run; `add` may be called at any time."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Mask `value` from now on, as it is and as URLs and JSON write it. Very short values are left."""
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        spellings = (value, quote(value, safe=""), quote_plus(value), escaped)
        self._secrets.update(spelling for spelling in spellings if len(spelling) >= _SHORTEST)
        if self._secrets:
            # Longest first, so that a secret that contains another one is masked whole.
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def add_headers(self, headers: Iterable[Header], secret: Collection[str] = ()) -> None:
        """Mask the values of all `headers` but those known to be harmless, and the secrets within them.

        A header whose name is in `secret` is not harmless.
        """
        for name, value in headers:
            if not may_be_secret(name) and name not in secret:
                continue
            self.add(value)
            if name.lower() == "cookie":
                for pair in value.split(";"):
                    self.add(pair.partition("=")[2].strip())
                continue
            scheme, _, credentials = value.partition(" ")
            self.add(credentials.strip())
            if scheme.lower() == "basic":
                self.add(_basic_password(credentials))

    def __call__(self, text: str) -> str:
        """Return `text` with every known secret, and every pattern that contains one, masked."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, replacement in _shapes():
            text = pattern.sub(replacement, text)
        return text


def _basic_password(credentials: str) -> str:
    try:
        return binascii.a2b_base64(credentials).decode().partition(":")[2]
    except ValueError:
        return ""


@functools.cache
def _shapes() -> tuple[tuple[re.Pattern[str], str], ...]:
    # Compiled for the first line that is logged, because not every start logs one.
    return tuple(
        (re.compile(pattern, re.IGNORECASE), replacement)
        for pattern, replacement in (
            # "Authorization": "..." as JSON, and (b'Authorization', b'...') as Python shows headers.
            (rf"""\b({_HEADERS})(['"]\s*[:=,]\s*b?){_QUOTED}""", rf"\1\2'{MASK}'"),
            (r"\b((?:set-)?cookie)(\s*:\s*)[^\r\n]+", rf"\1\2{MASK}"),
            (
                rf"\b({_HEADERS})(\s*[:=]\s*)(?!{_REFERENCE})(?:{_SCHEME}\s+)?[^\s,;'\"]+",
                rf"\1\2{MASK}",
            ),
            # The look-ahead tells a token from prose ("Bearer token") and from a challenge's parameter.
            (
                rf"\b(Bearer|DPoP|Basic)(\s+)(?!(?:{_PROSE})(?:[\s,;.:!?)'\"]|$)|\w+=[\"'])[\w.~+/-]{{4,}}=*",
                rf"\1\2{MASK}",
            ),
            (rf"([?&;#]|\b(?=\w+=[^\s&]{{0,200}}&))({_PARAMETERS})=[^\s&;#'\"<>]+", rf"\1\2={MASK}"),
            (rf"""(['"])({_FIELDS})(['"]\s*:\s*){_QUOTED}""", rf'\1\2\3"{MASK}"'),
            (r"(://)[^\s/@'\"]+@", rf"\1{MASK}@"),
        )
    )
