"""The name of an entry for a server whose URL is given: what the user calls that server.

| URL | name |
|---|---|
| `https://mcp.linear.app/mcp` | `linear` |
| `https://api.example.co.uk/` | `example` |
| `https://notes.someone.workers.dev/mcp` | `notes` |
| `http://localhost:8000/mcp` | `localhost` |
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bridge.loopback import is_address

# Domains below which each name belongs to somebody else: the first label is the server's own.
_SHARED = (
    *("workers.dev", "pages.dev", "vercel.app", "netlify.app", "onrender.com", "fly.dev", "run.app", "herokuapp.com"),
    *("azurewebsites.net", "azurecontainerapps.io", "github.io", "ngrok.app", "ngrok-free.app", "ngrok-free.dev"),
    *("trycloudflare.com", "hf.space", "railway.app", "deno.dev", "lambda-url.us-east-1.on.aws"),
)
_BEFORE_A_COUNTRY = frozenset(("ac", "co", "com", "edu", "gov", "net", "org"))
_SAY_NOTHING = frozenset(("mcp", "api", "www", "app", "server", "remote", "gateway"))


def name_for(url: str) -> str:
    """A short name for the server at `url`; it may hold characters that a host does not allow."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if is_address(host):
        telling = [part for part in parts.path.split("/") if part and part.lower() not in _SAY_NOTHING]
        return telling[-1] if telling else host
    labels = host.split(".")
    if any(host.endswith(f".{domain}") for domain in _SHARED):
        return labels[0]
    own = labels[:-1] or labels
    if len(own) > 1 and len(labels[-1]) == 2 and own[-1] in _BEFORE_A_COUNTRY:
        own = own[:-1]
    return next((label for label in reversed(own) if label not in _SAY_NOTHING), own[-1])
