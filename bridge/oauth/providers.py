"""What authorization servers do that the standards do not say: one table, which the other modules ask.

A provider is recognised in one of two ways, and each column says which:

- **By its issuer.** `hosts` is a pattern of the issuer's host. What the bridge sends or opens follows only from that.
- **By its answer.** A provider's own names for errors and members are understood from any server. GitHub Enterprise
  and Microsoft's national clouds have hosts of their own, and no other server means anything else by those names.

| column | recognised by | what is done |
|---|---|---|
| `console` | issuer | the page where a user registers a client is named when the bridge cannot register one |
| `parameters` | issuer | added to the authorization request, unless the user or the endpoint's own query sets them |
| `admin_consents` | issuer | consent may be the administrator's, so the bridge never asks for the page of consent |
| `client_authentication` | issuer | how a client with a secret authenticates where the metadata lists no method |
| `sites` | issuer | endpoints on these hosts belong to the issuer, so the user is not warned about another site |
| `errors` | answer | an error code that means the same as one of the standard's |
| `reasons` | answer | a word in `error_description` that says more than the error code |
| `members` | answer | a member (or JWT claim) that has another name in the standard |

Three habits are so common that they are understood everywhere without a row: `expires_in` as a string
(`grants/token_response`), scopes separated by something other than a space (`scopes`), and an unencoded "+" in a
callback (`callback`). GitHub answers in a form where it is not asked for JSON, and its `slow_down` names the new
interval; both are read from any server, for neither can mean anything else.

Sources are at the rows. A row without one tells what was seen, not what is documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A row; see the head of this file. `name` is for people who read the table. `hosts` empty: no issuer is its."""

    name: str
    hosts: str = ""
    console: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    admin_consents: bool = False
    client_authentication: str = ""
    sites: tuple[str, ...] = ()
    errors: Mapping[str, str] = {}
    reasons: Mapping[str, str] = {}
    members: Mapping[str, str] = {}


PROVIDERS = (
    Provider(
        name="Google",
        hosts=r"accounts\.google\.com",
        console="https://console.cloud.google.com/apis/credentials",
        # Without it Google gives no refresh token.
        # https://developers.google.com/identity/protocols/oauth2/web-server#offline
        parameters=(("access_type", "offline"),),
        # The token endpoint, by https://accounts.google.com/.well-known/openid-configuration
        sites=(r"oauth2\.googleapis\.com",),
        # The name of a draft of RFC 8628. https://developers.google.com/identity/protocols/oauth2/limited-input-device
        members={"verification_url": "verification_uri"},
    ),
    Provider(
        name="Microsoft Entra",
        hosts=r"login\.microsoftonline\.com",
        console="https://entra.microsoft.com (App registrations)",
        # prompt=consent asks for consent although an administrator has granted it, which users may then not give.
        # https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow
        admin_consents=True,
        # The page for a device code is https://microsoft.com/devicelogin, and "the user declined" has its own name.
        # https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code
        sites=(r"((www|login)\.)?microsoft\.com",),
        # `code_expired` was the name of the first version of that flow.
        errors={"authorization_declined": "access_denied", "code_expired": "expired_token"},
        # Both refuse the parameter `resource` (RFC 8707), under the error code `invalid_request`.
        # https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
        reasons={"AADSTS9010010": "invalid_target", "AADSTS901002": "invalid_target"},
        # https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
        members={"scp": "scope"},
    ),
    Provider(
        name="Amazon Cognito",
        # "User pool endpoints and managed login reference": AWS itself writes the documents on both hosts.
        # https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-userpools-server-contract-reference.html
        hosts=r"cognito-idp\.([a-z0-9-]+)\.amazonaws\.com",
        sites=(r"[a-z0-9-]+\.auth(-fips)?\.[a-z0-9-]+\.amazoncognito\.com",),
    ),
    Provider(
        name="GitHub",
        hosts=r"github\.com",
        console="https://github.com/settings/developers",
        # "client_id" and "client_secret" are required parameters.
        # https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
        client_authentication="client_secret_post",
        # https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/
        #   troubleshooting-oauth-app-access-token-request-errors
        # https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/
        #   refreshing-user-access-tokens
        errors={
            "bad_verification_code": "invalid_grant",
            "bad_refresh_token": "invalid_grant",
            "incorrect_client_credentials": "invalid_client",
        },
    ),
    Provider(name="GitLab", hosts=r"gitlab\.com", console="https://gitlab.com/-/user_settings/applications"),
    Provider(name="Asana", hosts=r"app\.asana\.com", console="https://app.asana.com/0/my-apps"),
    Provider(
        name="Atlassian", hosts=r"auth\.atlassian\.com", console="https://developer.atlassian.com/console/myapps/"
    ),
    Provider(name="Slack", hosts=r"slack\.com", console="https://api.slack.com/apps"),
    # Seen where the authorization server is part of the MCP server.
    Provider(name="several MCP servers", errors={"client_not_found": "invalid_client"}),
)


def client_console(issuer: str) -> str:
    """The page where a user registers a client with this issuer; empty where it is not known."""
    return next((provider.console for provider in _of(_host(issuer)) if provider.console), "")


def authorization_parameters(issuer: str) -> tuple[tuple[str, str], ...]:
    """What is added to an authorization request to this issuer."""
    return tuple(pair for provider in _of(_host(issuer)) for pair in provider.parameters)


def may_ask_for_consent(issuer: str) -> bool:
    """Whether the page of consent may be asked for at this issuer."""
    return not any(provider.admin_consents for provider in _of(_host(issuer)))


def client_authentication(issuer: str) -> str:
    """How a client with a secret authenticates at this issuer; empty where no row says it."""
    named = (provider.client_authentication for provider in _of(_host(issuer)))
    return next((method for method in named if method), "")


def documents_site(issuer_host: str, host: str) -> bool:
    """Whether the issuer's provider documents that endpoints on this other host are its own; both in lower case."""
    return any(re.fullmatch(site, host) for provider in _of(issuer_host) for site in provider.sites)


def standard_error(error: str) -> str:
    """The standard's name for an error code; a code that no row knows stays as it is."""
    return next((provider.errors[error] for provider in PROVIDERS if error in provider.errors), error)


def reason_in(description: str) -> str:
    """The standard's error code that a word of an `error_description` stands for; empty where no row knows any."""
    reasons = (item for provider in PROVIDERS for item in provider.reasons.items())
    return next((error for word, error in reasons if word in description), "")


def member_of(members: Mapping[str, object], name: str) -> object:
    """The member or claim with this name in the standard, else what a provider puts there under another name."""
    others = (own for provider in PROVIDERS for own, standard in provider.members.items() if standard == name)
    return next((value for key in (name, *others) if (value := members.get(key))), None)


def _of(issuer_host: str) -> Iterator[Provider]:
    return (provider for provider in PROVIDERS if provider.hosts and re.fullmatch(provider.hosts, issuer_host))


def _host(issuer: str) -> str:
    return (urlsplit(issuer).hostname or "").lower()
