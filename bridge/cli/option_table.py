"""The options of a run, one row each. `options` makes click's options of them; `plain` reads them without click.

| kind | what the user writes | the value |
|---|---|---|
| `TEXT` | any text | the text |
| `LINES` | any text, repeatable; in the variable each line is one | a tuple of texts |
| `COMMAND` | a command; in the user's file also an array of words | the text, or a tuple of words |
| `FILE` | a path; `~` at its beginning is the user's home | a `Path` |
| `INTEGER` | a whole number | an int |
| `CHOICE` | one of `choices`, in upper or lower case | the choice as it stands in the row |
| `SECONDS` | a positive number | a float |
| `SECONDS_OR_NEVER` | a number; 0: no limit | a float, None for no limit |
| `FLAG` | nothing; in the variable a word such as 1 or 0 | a bool |

The default is what the user would have to write for the same effect; None means that there is no value. All but
`--config` may also stand in the user's file of servers (`server_values`), under their `key`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.config import (
    GRANTS,
    KEY_ALGORITHMS,
    LOG_LEVELS,
    MERGE_PAGES,
    PROTOCOLS,
    TOKEN_STORES,
    TRANSPORTS,
    VARIABLES_PREFIX,
)

Kind = Literal["text", "lines", "command", "file", "integer", "choice", "seconds", "seconds or never", "flag"]

TEXT: Kind = "text"
LINES: Kind = "lines"
COMMAND: Kind = "command"
FILE: Kind = "file"
INTEGER: Kind = "integer"
CHOICE: Kind = "choice"
SECONDS: Kind = "seconds"
SECONDS_OR_NEVER: Kind = "seconds or never"
FLAG: Kind = "flag"

CONFIG_OPTION, CONFIG_VARIABLE = "--config", "MCP_BRIDGE_CONFIG"
"""What names the user's file of servers. It is the one option that cannot stand in that file."""

COMPLETION_VARIABLE = "_MCP_REMOTE_BRIDGE_COMPLETE"
"""What a shell sets to ask for the words that may come next. Click makes its name of the program's."""

SERVER, NETWORK, SIGN_IN = "The server", "Network and certificates", "Sign-in"
FEATURES = "What the host gets"
CLIENT, LOG, NAMES = "OAuth client and request", "Log", "Your servers by name"
"""The headings of the options, in the order of the help."""

PREFIX = VARIABLES_PREFIX
"""How the names of the variables begin."""


class OptionRow(msgspec.Struct, frozen=True):
    """One option. `name` is as the user writes it, `--connect-timeout`; `metavar` is how help shows the value.

    `group` is the heading in the help under which it stands.
    """

    name: str
    kind: Kind
    group: str
    help: str
    metavar: str | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name among the values, `connect_timeout`."""
        return self.name[2:].replace("-", "_")

    @property
    def variable(self) -> str:
        """The variable that sets it as well, `MCP_BRIDGE_CONNECT_TIMEOUT`."""
        return f"{PREFIX}{self.key.upper()}"


# fmt: off
CALLBACK_OPTIONS: tuple[OptionRow, ...] = (
    OptionRow("--callback-port", INTEGER, CLIENT, metavar="PORT",
            help="Listen for the browser's return on this port. Default: a free one, always the same."),
    OptionRow("--callback-host", TEXT, CLIENT, default="localhost", metavar="HOST",
            help="The host name in the redirect URI: localhost, 127.0.0.1 or [::1]. Default: localhost."),
    OptionRow("--callback-path", TEXT, CLIENT, default="/callback", metavar="PATH",
            help="The path in the redirect URI. Default: /callback."),
)
"""The options that make the redirect URI."""

OPTIONS: tuple[OptionRow, ...] = (
    OptionRow("--header", LINES, SERVER, metavar="'NAME: VALUE'",
            help="Send this header with every request. ${VAR} in the value is replaced from the environment."
                 " VALUE may also be keyring:NAME, file:PATH or cmd:COMMAND. Repeatable."),
    OptionRow("--header-file", FILE, SERVER, metavar="FILE", help="Read headers from FILE, one per line."),
    OptionRow("--header-command", COMMAND, SERVER, metavar="COMMAND",
            help="Send the headers that COMMAND prints; it runs again when they expire. shell:COMMAND uses a shell."),
    OptionRow("--aws-sigv4", TEXT, SERVER, metavar="SERVICE/REGION",
            help="Sign each request for AWS. Needs the Python package botocore beside the bridge."),
    OptionRow("--transport", CHOICE, SERVER, choices=TRANSPORTS, default="auto",
            help="http: Streamable HTTP; sse: the older HTTP+SSE. Default: auto, which tries both."),
    OptionRow("--protocol", CHOICE, SERVER, choices=PROTOCOLS, default="auto",
            help="The MCP revisions the server speaks. modern: 2026-07-28; legacy: earlier ones."
                 " Default: auto, which asks the server."),
    OptionRow("--connect-timeout", SECONDS, SERVER, default="10", metavar="SECONDS",
            help="Give up an attempt to connect after this time. Default: 10."),
    OptionRow("--request-timeout", SECONDS_OR_NEVER, SERVER, default="0", metavar="SECONDS",
            help="Cancel a request that makes no progress for this time. Default: 0, never."),
    OptionRow("--tool-timeout", SECONDS_OR_NEVER, SERVER, default="0", metavar="SECONDS",
            help="Cancel the call of a tool that takes this time in all, progress or not. Default: 0, never."),
    OptionRow("--keep-alive", SECONDS_OR_NEVER, SERVER, default="0", metavar="SECONDS",
            help="After this time of silence, tell the host that its call goes on, and send an idle server a ping."
                 " Default: 0, never."),
    OptionRow("--no-cache", FLAG, SERVER,
            help="Store no answers of the server, and use no stored ones."),
    OptionRow("--merge-pages", CHOICE, FEATURES, choices=MERGE_PAGES, default="auto",
            help="Read all pages of a list before the host gets it. Default: auto, which does that for hosts"
                 " that read only the first."),
    OptionRow("--tools", LINES, FEATURES, metavar="PATTERN",
            help="Show the host only the tools whose names match, such as 'get_*'. Repeatable."),
    OptionRow("--hide-tools", LINES, FEATURES, metavar="PATTERN",
            help="Hide the tools whose names match. Repeatable."),
    OptionRow("--ignore-tool", LINES, FEATURES, metavar="PATTERN",
            help="As mcp-remote has it: --hide-tools, where only * is special and capitals do not count."),
    OptionRow("--read-only", FLAG, FEATURES,
            help="Show only tools that say that they only read."),
    OptionRow("--pin-tools", FLAG, FEATURES,
            help="Keep each tool as it was first seen, until you accept a change (see tools)."),
    OptionRow("--prompts", LINES, FEATURES, metavar="PATTERN",
            help="Show only the prompts whose names match. Repeatable."),
    OptionRow("--hide-prompts", LINES, FEATURES, metavar="PATTERN",
            help="Hide the prompts whose names match. Repeatable."),
    OptionRow("--resources", LINES, FEATURES, metavar="PATTERN",
            help="Show only the resources whose URIs match. Repeatable."),
    OptionRow("--hide-resources", LINES, FEATURES, metavar="PATTERN",
            help="Hide the resources whose URIs match. Repeatable."),
    OptionRow("--max-result", INTEGER, FEATURES, metavar="BYTES",
            help="Save a larger result of a tool to a private file; the host gets its beginning and the path."),
    OptionRow("--pass-through", FLAG, FEATURES,
            help="Mend nothing: pass every tool, list, call and result as it came."),
    OptionRow("--allow-http", FLAG, NETWORK,
            help="Allow plain http:// to another machine. Everything sent can be read on the way."),
    OptionRow("--allow-private", FLAG, NETWORK,
            help="Let a public server send you to a private network to sign in."),
    OptionRow("--ca-file", FILE, NETWORK, metavar="FILE",
            help="Also trust the certificate authorities in this PEM file."),
    OptionRow("--client-cert", FILE, NETWORK, metavar="FILE", help="Present this PEM certificate to the server."),
    OptionRow("--client-cert-key", FILE, NETWORK, metavar="FILE",
            help="The private key of --client-cert, if it is in a separate file."),
    OptionRow("--grant", CHOICE, SIGN_IN, choices=GRANTS, default="authorization-code",
            help="How to sign in. authorization-code: in a browser on this machine; device-code: in a browser"
                 " on any device, with a code; client-credentials: without a user, as --client-id;"
                 " jwt-bearer: without a user, with --assertion;"
                 " id-jag: with an ID token of the company's provider. Default: authorization-code."),
    OptionRow("--no-browser", FLAG, SIGN_IN, help="Show the sign-in link, but open no browser."),
    OptionRow("--answer-within", SECONDS_OR_NEVER, SIGN_IN, default="2", metavar="SECONDS",
            help="While you have not signed in, answer the host after this time with the tool sign_in."
                 " Default: 2. 0: let the host wait."),
    OptionRow("--login-timeout", SECONDS, SIGN_IN, default="300", metavar="SECONDS",
            help="Wait this long for a sign-in. Default: 300."),
    OptionRow("--scope", TEXT, SIGN_IN, metavar="'A B'", help="Request these scopes. Default: those the server names."),
    OptionRow("--profile", TEXT, SIGN_IN, default="default", metavar="NAME",
            help="Keep a separate sign-in to the same server under this name."),
    OptionRow("--token-store", CHOICE, SIGN_IN, choices=TOKEN_STORES, default="auto",
            help="Where to keep tokens. Default: auto, which is the system keyring, or a private file"
                 " where there is none."),
    OptionRow("--use-id-token", FLAG, SIGN_IN, help="Send the ID token, not the access token."),
    OptionRow("--client-id", TEXT, CLIENT, metavar="ID",
            help="Sign in as this OAuth client, which you registered with the provider."),
    OptionRow("--client-secret", TEXT, CLIENT, metavar="WHERE",
            help="The secret of --client-id: keyring:NAME, env:NAME, file:PATH or cmd:COMMAND. Needs --issuer."),
    OptionRow("--client-key", FILE, CLIENT, metavar="FILE",
            help="Authenticate --client-id by this private key (private_key_jwt): PEM or JWK."),
    OptionRow("--client-key-alg", CHOICE, CLIENT, choices=KEY_ALGORITHMS, metavar="ALG",
            help="Sign with this algorithm. Default: RS256, ES256, ES384, ES512 or EdDSA, as the key is."),
    OptionRow("--client-key-id", TEXT, CLIENT, metavar="ID",
            help="The id under which the provider knows --client-key. Default: a JWK's own."),
    OptionRow("--assertion", TEXT, CLIENT, metavar="WHERE",
            help="The assertion of --grant jwt-bearer, read each time: file:PATH, env:NAME, keyring:NAME or"
                 " cmd:COMMAND."),
    OptionRow("--idp-id-token", TEXT, CLIENT, metavar="WHERE",
            help="With --grant id-jag: the ID token of the company's provider, read each time, as --assertion is."),
    OptionRow("--idp-token-endpoint", TEXT, CLIENT, metavar="URL",
            help="With --grant id-jag: where the company's provider exchanges it."),
    OptionRow("--idp-client-id", TEXT, CLIENT, metavar="ID",
            help="With --grant id-jag: the client at the company's provider."),
    OptionRow("--client-metadata-url", TEXT, CLIENT, metavar="URL",
            help="Sign in as the OAuth client whose metadata document is at URL (see client-metadata)."),
    OptionRow("--issuer", TEXT, CLIENT, metavar="URL",
            help="Sign in at this authorization server only: where --client-id is registered."),
    OptionRow("--token-endpoint", TEXT, CLIENT, metavar="URL",
            help="Ask here for tokens, without reading any metadata. For a grant without a user."),
    OptionRow("--resource", TEXT, CLIENT, metavar="URL|none",
            help="Send this resource indicator, or none. Default: the one the server names."),
    OptionRow("--authorize-param", LINES, CLIENT, metavar="NAME=VALUE",
            help="Add this parameter to the authorization request. Repeatable."),
    *CALLBACK_OPTIONS,
    OptionRow("--log-level", CHOICE, LOG, choices=LOG_LEVELS, default="info",
            metavar="LEVEL",
            help="How much to log on stderr and in the log file: error, warning, info or debug. Default: info."),
    OptionRow("--log-file", FILE, LOG, metavar="FILE",
            help="Append the log, with times, to FILE. Its folder must exist."),
    OptionRow("--silent", FLAG, LOG, help="Log only errors on stderr."),
    OptionRow(CONFIG_OPTION, FILE, NAMES, metavar="FILE",
            help="Look server names up in FILE. Default: what `config path` prints."),
)
"""All options of a run, in the order of the help."""
# fmt: on
