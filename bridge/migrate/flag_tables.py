"""What other bridges' flags become, one table for each program.

| rule | what becomes of the flag |
|---|---|
| `SAME` | our option `ours`, with the same value |
| `FIXED` | the words in `ours` |
| `CHOICE` | the words that `choices` has for the value; an empty text is our default |
| `NOT_NEEDED` | nothing: the bridge does it anyway, or it says nothing to a host. `note` says which |
| `NO_COUNTERPART` | the entry is left as it is. `note` says why |
| any other | what the function of that name in `old_commands` makes of it |

The sources are the programs themselves, as the registries had them on 2026-12-01: npm `mcp-remote` 0.15.1 (it has all
flags of the versions since 0.0.22), PyPI `mcp-stdio` 0.45.2, npm `supergateway` 4.0.0, PyPI `mcp-proxy` 0.13.0.
`docs/from-mcp-remote.md` shows these tables; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bridge.migrate.old_programs import Program

Rule = Literal[
    "same",
    "fixed",
    "choice",
    "not-needed",
    "no-counterpart",
    "url",
    "header",
    "header-file",
    "header-pair",
    "bearer",
    "host",
    "resource",
    "authorize-parameter",
    "client-information",
    "client-metadata",
    "certificates",
    "user",
    "password",
]

SAME: Rule = "same"
FIXED: Rule = "fixed"
CHOICE: Rule = "choice"
NOT_NEEDED: Rule = "not-needed"
NO_COUNTERPART: Rule = "no-counterpart"

MANY = 99
"""`takes` of a flag whose value is every word up to the next flag."""


class FlagRow(msgspec.Struct, frozen=True):
    """One flag. `takes` is how many words follow it; `optional` means that they may be missing."""

    names: tuple[str, ...]
    rule: Rule
    takes: int = 0
    ours: str = ""
    choices: Mapping[str, str] = {}
    note: str = ""
    optional: bool = False


class ProgramTable(msgspec.Struct, frozen=True):
    """The flags of one program. `takes_equals`: `--flag=value` means the same as two words.

    `first_counts`: of a flag that is given twice the first counts, else the last. `variables` are those that the
    program reads itself, by the rule that its value falls under. `default` are the words of ours that stand for what
    the program does where no flag says otherwise.
    """

    program: Program
    source: str
    flags: tuple[FlagRow, ...]
    takes_equals: bool = True
    first_counts: bool = False
    has_port: bool = False
    variables: Mapping[str, FlagRow] = {}
    default: str = ""
    default_unless: tuple[str, ...] = ()


_OWN_PAGE = "the browser shows the bridge's own page"
_TIMEOUT = "the bridge waits for an answer as long as the host does; --request-timeout sets a limit"
_STREAM = "the bridge keeps a quiet stream open, and finds a dead connection by TCP keep-alive"
_SERVES = "it is about serving a local program, which the bridge does not do"
_TOKENS = "the bridge renews tokens ahead of time by itself"
_PRINTS = "with it the program prints something and ends, so the entry connects nothing"
_CREDENTIALS = (
    "write it by hand: --grant client-credentials with --client-id, --client-secret and --token-endpoint, for it can "
    "be seen from all three flags together only"
)

# fmt: off
_MCP_REMOTE: tuple[FlagRow, ...] = (
    FlagRow(("--header",), "header", 1, "--header"),
    FlagRow(("--header-file",), "header-file", 1, "--header-file"),
    FlagRow(("--allow-http",), FIXED, ours="--allow-http"),
    FlagRow(("--transport",), CHOICE, 1, "--transport", {
        "http-only": "--transport http", "sse-only": "--transport sse", "http-first": "", "sse-first": ""}),
    FlagRow(("--protocol",), CHOICE, 1, "--protocol", {"legacy": "--protocol legacy", "auto": ""}),
    FlagRow(("--debug",), FIXED, ours="--log-level debug"),
    FlagRow(("--silent",), FIXED, ours="--silent"),
    FlagRow(("--connect-timeout",), SAME, 1, "--connect-timeout"),
    FlagRow(("--auth-timeout",), SAME, 1, "--login-timeout"),
    FlagRow(("--host",), "host", 1, "--callback-host"),
    FlagRow(("--callback-path",), SAME, 1, "--callback-path"),
    FlagRow(("--resource",), "resource", 1, "--resource"),
    FlagRow(("--disable-resource-parameter",), FIXED, ours="--resource none"),
    FlagRow(("--authorize-param",), "authorize-parameter", 1, "--authorize-param"),
    FlagRow(("--static-oauth-client-info",), "client-information", 1, "--client-id, --client-secret"),
    FlagRow(("--static-oauth-client-metadata",), "client-metadata", 1, "--scope"),
    FlagRow(("--client-metadata-url",), SAME, 1, "--client-metadata-url"),
    FlagRow(("--device-code",), FIXED, ours="--grant device-code"),
    FlagRow(("--use-id-token",), FIXED, ours="--use-id-token"),
    FlagRow(("--enable-proxy",), NOT_NEEDED, note="the bridge always uses the proxy that the variables name"),
    FlagRow(("--headers-timeout",), NOT_NEEDED, 1, note=_TIMEOUT),
    FlagRow(("--body-timeout",), NOT_NEEDED, 1, note=_STREAM),
    FlagRow(("--keep-alive",), NOT_NEEDED, note="the bridge opens a session again that the server has dropped"),
    FlagRow(("--ping-interval",), NOT_NEEDED, 1, note="the bridge opens a session again that the server has dropped"),
    FlagRow(("--ipv4",), NOT_NEEDED, note="the bridge tries IPv4 and IPv6 side by side (RFC 8305)"),
    FlagRow(("--auth-success-url",), NOT_NEEDED, 1, note=_OWN_PAGE),
    FlagRow(("--ignore-tool",), SAME, 1, "--ignore-tool"),
    FlagRow(("--disable-cookies",), NO_COUNTERPART, note="the bridge always returns the server's cookies"),
    FlagRow(("--client-credentials",), FIXED, ours="--grant client-credentials"),
    FlagRow(("--token-endpoint",), SAME, 1, "--token-endpoint"),
    FlagRow(("--help", "-h", "--version"), NO_COUNTERPART, note=_PRINTS),
)

_MCP_STDIO: tuple[FlagRow, ...] = (
    FlagRow(("-H", "--header"), "header", 1, "--header"),
    FlagRow(("--bearer-token",), "bearer", 1, "--header"),
    FlagRow(("--oauth",), NOT_NEEDED, note="the bridge signs in where the server requires it"),
    FlagRow(("--oauth-device",), FIXED, ours="--grant device-code"),
    FlagRow(("--client-id",), SAME, 1, "--client-id"),
    FlagRow(("--client-metadata-url",), SAME, 1, "--client-metadata-url"),
    FlagRow(("--oauth-scope",), SAME, 1, "--scope"),
    FlagRow(("--oauth-resource",), SAME, 1, "--resource"),
    FlagRow(("--no-resource-indicator",), FIXED, ours="--resource none"),
    FlagRow(("--oauth-use-id-token",), FIXED, ours="--use-id-token"),
    FlagRow(("--oauth-timeout",), SAME, 1, "--login-timeout"),
    FlagRow(("--transport",), CHOICE, 1, "--transport", {
        "streamable-http": "--transport http", "sse": "--transport sse"}),
    FlagRow(("--protocol-era",), CHOICE, 1, "--protocol", {
        "legacy": "--protocol legacy", "modern": "--protocol modern", "auto": ""}),
    FlagRow(("--timeout-connect",), SAME, 1, "--connect-timeout"),
    FlagRow(("--timeout-read",), SAME, 1, "--request-timeout"),
    FlagRow(("--mcp-param-headers",), CHOICE, 1, choices={"modern": ""}),
    FlagRow(("--oauth-refresh-leeway",), NOT_NEEDED, 1, note=_TOKENS),
    FlagRow(("--no-proactive-refresh",), NOT_NEEDED, note=_TOKENS),
    FlagRow(("--oauth-eager",), NOT_NEEDED, note="the bridge answers the host while the user signs in"),
    FlagRow(("--sse-read-timeout", "--listen-read-timeout"), NOT_NEEDED, 1, note=_STREAM),
    FlagRow(("--max-message-size",), NOT_NEEDED, 1, note="the bridge has limits of its own for what it holds"),
    FlagRow(("--no-tcp-keepalive",), NOT_NEEDED, note=_STREAM),
    FlagRow(("--no-cancel-filter", "--no-normalize-arguments"), NOT_NEEDED,
            note="the bridge passes messages as they are"),
    FlagRow(("--no-oauth-reauth",), NO_COUNTERPART, note="the bridge signs in again where a refresh token has ended"),
    FlagRow(("--check", "--test", "--help", "-h", "--version", "-V"), NO_COUNTERPART, note=_PRINTS),
)

_SUPERGATEWAY: tuple[FlagRow, ...] = (
    FlagRow(("--streamableHttp", "--streamable-http"), "url", 1, "--transport http"),
    FlagRow(("--sse",), "url", 1, "--transport sse"),
    FlagRow(("--header",), "header", MANY, "--header"),
    FlagRow(("--oauth2Bearer", "--oauth2-bearer"), "bearer", 1, "--header"),
    FlagRow(("--logLevel", "--log-level"), CHOICE, 1, "--log-level", {
        "debug": "--log-level debug", "info": "", "none": "--silent"}),
    FlagRow(("--outputTransport", "--output-transport"), CHOICE, 1, choices={"stdio": ""}),
    FlagRow(("--protocolVersion", "--protocol-version"), NOT_NEEDED, 1, note="the host says which revision it speaks"),
    FlagRow(("--port", "--baseUrl", "--ssePath", "--messagePath", "--streamableHttpPath", "--sessionTimeout"),
            NOT_NEEDED, 1, note=_SERVES),
    FlagRow(("--cors", "--healthEndpoint"), NOT_NEEDED, MANY, note=_SERVES),
    FlagRow(("--stateful",), NOT_NEEDED, note=_SERVES),
    FlagRow(("--help", "--version"), NO_COUNTERPART, note=_PRINTS),
)

_MCP_PROXY: tuple[FlagRow, ...] = (
    FlagRow(("-H", "--headers"), "header-pair", 2, "--header"),
    FlagRow(("--transport",), CHOICE, 1, "--transport", {
        "streamablehttp": "--transport http", "sse": "--transport sse"}),
    FlagRow(("--username",), "user", 1, "--header"),
    FlagRow(("--password",), "password", 1, "--header"),
    FlagRow(("--verify-ssl",), "certificates", 1, "--ca-file", optional=True),
    FlagRow(("--log-level",), CHOICE, 1, "--log-level", {
        "DEBUG": "--log-level debug", "INFO": "", "WARNING": "--log-level warning", "ERROR": "--log-level error",
        "CRITICAL": "--log-level error"}),
    FlagRow(("--debug",), FIXED, ours="--log-level debug"),
    FlagRow(("--no-debug",), NOT_NEEDED, note="that is how it is"),
    FlagRow(("-e", "--env"), NOT_NEEDED, 2, note=_SERVES),
    FlagRow(("--cwd", "--port", "--host", "--sse-port", "--sse-host", "--named-server-config", "--expose-header"),
            NOT_NEEDED, 1, note=_SERVES),
    FlagRow(("--named-server",), NOT_NEEDED, 2, note=_SERVES),
    FlagRow(("--allow-origin",), NOT_NEEDED, MANY, note=_SERVES),
    FlagRow(("--pass-environment", "--no-pass-environment", "--stateless", "--no-stateless"), NOT_NEEDED, note=_SERVES),
    FlagRow(("--no-verify-ssl",), NO_COUNTERPART,
            note="the bridge always checks certificates; --ca-file FILE trusts those of a private authority"),
    FlagRow(("--digest",), NO_COUNTERPART, note="the bridge does not know digest authentication"),
    FlagRow(("--client-id", "--client-secret", "--token-url"), NO_COUNTERPART, 1, note=_CREDENTIALS),
    FlagRow(("--help", "-h", "--version"), NO_COUNTERPART, note=_PRINTS),
)

_NODE: dict[str, FlagRow] = {
    "NODE_EXTRA_CA_CERTS": FlagRow(("NODE_EXTRA_CA_CERTS",), SAME, 1, "--ca-file"),
    "NODE_TLS_REJECT_UNAUTHORIZED": FlagRow(("NODE_TLS_REJECT_UNAUTHORIZED",), NO_COUNTERPART, 1, choices={"1": ""},
            note="the bridge always checks certificates; --ca-file FILE trusts those of a private authority"),
}

TABLES: dict[Program, ProgramTable] = {
    "mcp-remote": ProgramTable(
        "mcp-remote", "npm, 0.15.1", _MCP_REMOTE, takes_equals=False, first_counts=True, has_port=True,
        variables=_NODE),
    "mcp-stdio": ProgramTable("mcp-stdio", "PyPI, 0.45.2", _MCP_STDIO, variables={
        "MCP_BEARER_TOKEN": FlagRow(("MCP_BEARER_TOKEN",), "bearer", 1, "--header"),
        "MCP_OAUTH_CLIENT_ID": FlagRow(("MCP_OAUTH_CLIENT_ID",), SAME, 1, "--client-id"),
    }),
    "supergateway": ProgramTable("supergateway", "npm, 4.0.0", _SUPERGATEWAY, variables=_NODE),
    "mcp-proxy": ProgramTable("mcp-proxy", "PyPI, 0.13.0", _MCP_PROXY, variables={
        "API_ACCESS_TOKEN": FlagRow(("API_ACCESS_TOKEN",), "bearer", 1, "--header"),
        "SSE_URL": FlagRow(("SSE_URL",), "url", 1, ""),
    }, default="--transport sse", default_unless=("--transport",)),
}
"""The table of each program."""
# fmt: on
