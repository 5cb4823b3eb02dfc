"""The settings of a run: frozen and validated, with the rules for reading their parts.

| file | subject |
|---|---|
| `settings` | the server, headers, times, the log |
| `feature_settings` | what the host gets of the server's tools, prompts and resources |
| `host_names` | host names with letters beyond ASCII, and names of this machine |
| `child_environment` | which environment variables other programs get |
| `signing_in` | OAuth: the client, scopes, the callback, where tokens are stored |
| `secret_reference` | values that say where a secret is; imported only where there is one |
| `header_file` | the file of headers; imported only where there is one |
| `aws_sigv4` | what requests are signed for; imported only where they are |
| `header_command` | the command that prints headers, and what it may print; imported only where there is one |
"""

from bridge.config.child_environment import VARIABLES_PREFIX, NotedEnvironment, child_environment
from bridge.config.feature_settings import MERGE_PAGES, FeatureSettings
from bridge.config.host_names import ascii_host, ascii_url
from bridge.config.settings import (
    LOG_LEVELS,
    OWNED_HEADERS,
    PATIENCE_VARIABLE,
    PROTOCOLS,
    TRANSPORTS,
    EraChoice,
    Header,
    HeaderText,
    Settings,
    Transport,
    check_url,
    checked_header_value,
    merge_headers,
    parse_header,
    parse_seconds,
)
from bridge.config.signing_in import (
    CLIENT_SECRET_VARIABLE,
    GRANTS,
    KEY_ALGORITHMS,
    REFERENCES,
    TOKEN_STORES,
    ClientSecret,
    Grant,
    SignInSettings,
    TokenStore,
    check_metadata_url,
    checked_client_secret,
    client_secret_in,
    parse_authorize_param,
)

__all__ = [
    "CLIENT_SECRET_VARIABLE",
    "GRANTS",
    "KEY_ALGORITHMS",
    "LOG_LEVELS",
    "MERGE_PAGES",
    "OWNED_HEADERS",
    "PATIENCE_VARIABLE",
    "PROTOCOLS",
    "REFERENCES",
    "TOKEN_STORES",
    "TRANSPORTS",
    "VARIABLES_PREFIX",
    "ClientSecret",
    "EraChoice",
    "FeatureSettings",
    "Grant",
    "Header",
    "HeaderText",
    "NotedEnvironment",
    "Settings",
    "SignInSettings",
    "TokenStore",
    "Transport",
    "ascii_host",
    "ascii_url",
    "check_metadata_url",
    "check_url",
    "checked_client_secret",
    "checked_header_value",
    "child_environment",
    "client_secret_in",
    "merge_headers",
    "parse_authorize_param",
    "parse_header",
    "parse_seconds",
]
