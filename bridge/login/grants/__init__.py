"""Signing in by a grant: the steps between the choice of an authorization server and the tokens, one file each.

| file | grant |
|---|---|
| `authorization_code` | a browser opens the sign-in page and brings the answer to a callback on this machine |
| `device_code` | the user opens a page on any device and enters a code there |
| `client_credentials` | the bridge signs in as its client, without a user |
| `jwt_bearer` | the bridge shows an assertion, without a user |
| `id_jag` | the company's provider vouches for the user, who is not asked |
| `flow` | what all of them are given, and what each of them offers |

`FLOWS` has a row for each value of `--grant`. To add a grant, see `oauth/grants`.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.config import Grant
from bridge.login.grants.authorization_code import AuthorizationCodeFlow
from bridge.login.grants.client_credentials import ClientCredentialsFlow
from bridge.login.grants.device_code import DeviceCodeFlow
from bridge.login.grants.flow import GrantFlow, Services
from bridge.login.grants.id_jag import IdJagFlow
from bridge.login.grants.jwt_bearer import JwtBearerFlow

FLOWS: dict[Grant, Callable[[Services], GrantFlow]] = {
    "authorization-code": AuthorizationCodeFlow,
    "device-code": DeviceCodeFlow,
    "client-credentials": ClientCredentialsFlow,
    "jwt-bearer": JwtBearerFlow,
    "id-jag": IdJagFlow,
}
