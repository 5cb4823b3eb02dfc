"""Guards against mix-up attacks (RFC 9700 4.4, RFC 9207 1, MCP 2026-07-28, Mix-Up Attacks).

In its metadata, a hostile authorization server names the authorization endpoint of an honest server and a token
endpoint of its own. The user signs in at the honest server. The code and the verifier then go to the hostile server,
which redeems them. The guards are:

| guard | it works |
|---|---|
| `iss` in the answer is compared (`callback`; RFC 9207 2.4) | if the honest server sends it |
| each issuer has a redirect URI of its own (RFC 9700 4.4.2.2) | if the client is registered dynamically |
| the user is warned (`warning`) before the browser opens the sign-in page | if the metadata does not promise `iss` |
| the user is warned before they enter a code | in the device authorization grant, which has no `iss` |

**The redirect URI.** Its path ends in a digest of the issuer, and the answer is accepted only at that path. So the
bridge's client at the honest server cannot be used in the name of another issuer: the honest server has not registered
that redirect URI for it. The plain redirect URI, without the digest, is used

- for a client that the user registered, and for a Client ID Metadata Document, because their redirect URIs are fixed;
- if the user sets the port, host or path, which is meant for a server that requires exactly that redirect URI;
- if the server refuses to register the longer path;
- for an earlier registration that has it.

This guard fails if the hostile server names the registration endpoint of the honest server too, or registers a client
there with the redirect URI of its own issuer (which can be computed). Then only the warning is left.

**In the device authorization grant** no answer comes back to this machine. A hostile server can pass on the code and
the page of an honest server, and then get the tokens itself. So the site of that page is compared with the issuer's.

**The warning.** Endpoints on another site prove nothing, and large providers have them, so nothing is refused.

| host of an endpoint | on the issuer's site |
|---|---|
| the issuer's own host, or a subdomain of it | yes |
| same registrable domain: the last two labels, or three if the second is a category (`co.uk`, `com.au`) | yes |
| the same, but below a domain where customers get names (`_SHARED`), or the host is an IP address | no |
| a host that the provider documents as its own (`providers`) | yes |
| any other | no |

The Public Suffix List is not used: it is large and changes weekly. A missing category here causes a needless warning;
a missing shared domain leaves out the warning between two customers of that domain.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from bridge.loopback import is_address, is_loopback
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.providers import documents_site

_KINDS = frozenset(("ac", "co", "com", "edu", "gob", "gov", "gouv", "id", "mil", "ne", "net", "nom", "or", "org"))
# Domains whose customers get names below them: hosting, tunnels, and sign-in services.
_SHARED = (
    *("amazonaws.com", "amazoncognito.com", "awsapprunner.com", "cloudfront.net", "on.aws"),
    *("azurewebsites.net", "azure-api.net", "azurecontainerapps.io", "b2clogin.com", "ciamlogin.com", "windows.net"),
    *("appspot.com", "cloudfunctions.net", "firebaseapp.com", "run.app", "web.app"),
    *("fly.dev", "herokuapp.com", "netlify.app", "onrender.com", "pages.dev", "railway.app", "vercel.app"),
    *("deno.dev", "deno.net", "github.io", "gitlab.io", "hf.space", "modal.run", "replit.app", "val.run"),
    *("workers.dev", "supabase.co", "ngrok.app", "ngrok.io", "ngrok-free.app", "trycloudflare.com", "ts.net"),
    *("auth0.com", "authkit.app", "clerk.accounts.dev", "kinde.com", "okta.com", "oktapreview.com", "descope.com"),
    *("fusionauth.io", "myshopify.com", "onelogin.com", "stytch.com", "zitadel.cloud"),
)
_DIGITS = 12
_LONGEST_HOST = 64


def path_for(path: str, issuer: str) -> str:
    """The callback's path for one issuer, below the plain `path`."""
    digest = hashlib.sha256(issuer.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{path.rstrip('/')}/{digest}"


def warning(server: AuthorizationServer, *, code_page: str = "") -> str:
    """The warning before the user signs in at this server; empty if there is none.

    `code_page` is the page where the user enters a code (RFC 8628 3.3), empty if a browser brings the answer.
    """
    if server.iss_parameter_supported and not code_page:
        return ""
    issuer, page, tokens = map(
        _host, (server.issuer, code_page or server.authorization_endpoint, server.token_endpoint)
    )
    # If the sign-in page is on another site, the issuer is the one that would receive the access.
    receiver = next((to for host, to in ((page, issuer), (tokens, tokens)) if not same_site(issuer, host)), "")
    if not receiver:
        return ""
    unproven = "" if code_page else ", and the answer does not have to say which server sent it (RFC 9207)"
    return (
        f"You are about to sign in at {_named(page)}, but the access that you grant there goes to {_named(receiver)}, "
        f"which is another site{unproven}. Continue only if you know that the two belong together."
    )


def same_site(issuer: str, host: str) -> bool:
    """Whether an endpoint's host is on the issuer's site, by the table; both hosts are in lower case."""
    if host == issuer:
        return True
    if is_address(issuer) or is_address(host):
        return False
    shared = any(host.endswith(f".{name}") or host == name for name in _SHARED)
    if (host.endswith(f".{issuer}") and "." in issuer and issuer not in _SHARED) or (
        not shared and _registrable(host) == _registrable(issuer)
    ):
        return True
    return documents_site(issuer, host)


def _host(url: str) -> str:
    host = (urlsplit(url).hostname or "").lower().removesuffix(".")
    return "localhost" if is_loopback(host) else host


def _named(host: str) -> str:
    """A host for a sentence. A long one is cut at its start, because its end says who owns it."""
    return host if len(host) <= _LONGEST_HOST else f"...{host[3 - _LONGEST_HOST :]}"


def _registrable(host: str) -> str:
    labels = host.split(".")
    has_kind = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _KINDS
    return ".".join(labels[-3 if has_kind else -2 :])
