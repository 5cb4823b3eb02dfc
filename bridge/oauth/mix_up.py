"""Keeping authorization servers apart: mix-up (RFC 9700 4.4, RFC 9207 1, MCP 2026-07-28, Mix-Up Attacks).

A hostile authorization server names the authorization endpoint of an honest one in its metadata, and a token endpoint
of its own. The user signs in at the honest one, whose code, and with it the verifier, then go to the hostile one, which
redeems them. What stands against it:

| guard | whom it helps |
|---|---|
| `iss` in the answer is compared (`callback`; RFC 9207 2.4) | wherever the honest server sends it |
| each issuer has a redirect URI of its own (RFC 9700 4.4.2.2) | where clients are registered dynamically |
| the user is warned (`warning`) before the tab goes on | where endpoints are on other sites and no `iss` is promised |
| the same, before the code is typed in | by a code (RFC 8628), where no `iss` ever comes |

**The redirect URI.** The path ends in a digest of the issuer, and the answer is taken at that path only. So a client
that the bridge has at the honest server cannot be used in the name of another issuer: the honest server does not know
that redirect URI for it. A client that the user registered, and a Client ID Metadata Document, have the redirect URIs
that stand there, so theirs is the plain one. So it is where the user sets the port, the host or the path, which is done
for a server that wants exactly that redirect URI. A server that does not register the longer path gets the plain one,
and a registration from before goes on with the one that it has. It does not help where the hostile server names the
honest one's registration endpoint too, or registers a client of its own there with the redirect URI of its issuer,
which can be computed: then the honest server knows that redirect URI, and the warning stands alone.

**By a code** nothing comes back to this machine. A hostile server shows the code and the page of the honest one, and
has the tokens, for it is asked for them: so the page's site is what is compared.

**The warning.** Endpoints on another site are no proof of anything, so nothing is refused: large providers do it.

| host of an endpoint | the issuer's site |
|---|---|
| the issuer's own, or below it | yes |
| of the same registrable domain: the last two labels, three where the second is a kind (`co.uk`, `com.au`) | yes |
| the same, below a name where anyone gets a name (`_SHARED`), or a host that is an address | no |
| a host that the provider documents as its own (`providers`) | yes |
| any other | no |

The Public Suffix List is not consulted: it is large and changes weekly, and what is missing here costs a warning too
many, or, for hosts of one provider of such names that is not listed, one too few.
"""

from __future__ import annotations

import hashlib
import ipaddress
from urllib.parse import urlsplit

from bridge.loopback import is_loopback
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.providers import documents_site

_KINDS = frozenset(("ac", "co", "com", "edu", "gob", "gov", "gouv", "id", "mil", "ne", "net", "nom", "or", "org"))
# Where anyone may have a name: hosting, tunnels, and sign-in services with a name for each customer.
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
    """The path of the callback for one issuer, below the plain `path`."""
    digest = hashlib.sha256(issuer.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{path.rstrip('/')}/{digest}"


def warning(server: AuthorizationServer, *, code_page: str = "") -> str:
    """What the user has to know before signing in there; empty where there is nothing.

    `code_page` is the page where a code is typed in (RFC 8628 3.3), empty where a browser brings the answer.
    """
    if server.iss_parameter_supported and not code_page:
        return ""
    issuer, page, tokens = map(
        _host, (server.issuer, code_page or server.authorization_endpoint, server.token_endpoint)
    )
    # Where the page is another's, the issuer is who may be after what is allowed there.
    receiver = next((to for host, to in ((page, issuer), (tokens, tokens)) if not same_site(issuer, host)), "")
    if not receiver:
        return ""
    unproven = "" if code_page else ", and the answer need not say who sent it (RFC 9207)"
    return (
        f"You are about to sign in at {_named(page)}, and what you allow there goes to {_named(receiver)}, another "
        f"site{unproven}; go on only if you know that the two belong together."
    )


def same_site(issuer: str, host: str) -> bool:
    """Whether an endpoint's host is taken for the issuer's, by the table; both are hosts in lower case."""
    if host == issuer:
        return True
    if _is_address(issuer) or _is_address(host):
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
    """For a sentence: of a long one the end, which tells whose it is."""
    return host if len(host) <= _LONGEST_HOST else f"...{host[3 - _LONGEST_HOST :]}"


def _registrable(host: str) -> str:
    labels = host.split(".")
    has_kind = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _KINDS
    return ".".join(labels[-3 if has_kind else -2 :])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
