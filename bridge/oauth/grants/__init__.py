"""The grants: the ways in which a client gets tokens from a token endpoint (RFC 6749 1.3), one file each.

| file | grant | `--grant` |
|---|---|---|
| `authorization_code` | a browser brings a code to this machine (RFC 6749 4.1) | `authorization-code` |
| `device_code` | the user confirms a code on any device (RFC 8628) | `device-code` |
| `client_credentials` | a program signs in as itself (RFC 6749 4.4) | `client-credentials` |
| `jwt_bearer` | a program shows an assertion of another issuer (RFC 7523 2.1) | `jwt-bearer` |
| `id_jag` | a company's provider vouches for the user (Enterprise-Managed Authorization) | `id-jag` |
| `refresh_token` | a token is renewed without the user (RFC 6749 6) | always |
| `token_response` | what all of them share: reading the token endpoint's answer (RFC 6749 5) | |

To add a grant: write a file here with its token request, add its row below, write a file in `login/grants` that carries
it out, with its row there, and name it in `config.GRANTS`.
"""

from __future__ import annotations

import msgspec


class GrantType(msgspec.Struct, frozen=True):
    """A row. `value` is the `grant_type` of requests and registrations (RFC 7591 2), `name` is for sentences."""

    value: str
    name: str


AUTHORIZATION_CODE = GrantType("authorization_code", "authorization code grant")
DEVICE_CODE = GrantType("urn:ietf:params:oauth:grant-type:device_code", "device authorization grant")
CLIENT_CREDENTIALS = GrantType("client_credentials", "client credentials grant")
JWT_BEARER = GrantType("urn:ietf:params:oauth:grant-type:jwt-bearer", "JWT bearer grant")
TOKEN_EXCHANGE = GrantType("urn:ietf:params:oauth:grant-type:token-exchange", "token exchange")
REFRESH_TOKEN = GrantType("refresh_token", "refresh token grant")
