"""The settings of a run: frozen and validated, with the rules for reading their parts.

| file | subject |
|---|---|
| `settings` | the server, headers, times, the log |
| `host_names` | host names with letters beyond ASCII, and names of this machine |
| `child_environment` | which environment variables other programs get |
| `signing_in` | OAuth: the client, scopes, the callback, where tokens are stored |
"""

from bridge.config.child_environment import VARIABLES_PREFIX, NotedEnvironment, child_environment
from bridge.config.host_names import ascii_host, ascii_url
from bridge.config.settings import (
    LOG_LEVELS,
    OWNED_HEADERS,
    PATIENCE_VARIABLE,
    PROTOCOLS,
    TRANSPORTS,
    EraChoice,
    Header,
    Settings,
    Transport,
    merge_headers,
    parse_header,
    parse_seconds,
    read_header_file,
)
from bridge.config.signing_in import (
    CLIENT_SECRET_VARIABLE,
    GRANTS,
    TOKEN_STORES,
    ClientSecret,
    Grant,
    SignInSettings,
    TokenStore,
    check_metadata_url,
    parse_authorize_param,
    read_client_secret,
)

__all__ = [
    "CLIENT_SECRET_VARIABLE",
    "GRANTS",
    "LOG_LEVELS",
    "OWNED_HEADERS",
    "PATIENCE_VARIABLE",
    "PROTOCOLS",
    "TOKEN_STORES",
    "TRANSPORTS",
    "VARIABLES_PREFIX",
    "ClientSecret",
    "EraChoice",
    "Grant",
    "Header",
    "NotedEnvironment",
    "Settings",
    "SignInSettings",
    "TokenStore",
    "Transport",
    "ascii_host",
    "ascii_url",
    "check_metadata_url",
    "child_environment",
    "merge_headers",
    "parse_authorize_param",
    "parse_header",
    "parse_seconds",
    "read_client_secret",
    "read_header_file",
]
