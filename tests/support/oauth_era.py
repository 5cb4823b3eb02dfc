"""A protected server of either era, and the site around it."""

from __future__ import annotations

from tests.support.fault_era import EraServer
from tests.support.oauth_authority import Authority
from tests.support.oauth_server import ProtectedServer
from tests.support.oauth_site import Site


class ProtectedEraServer(ProtectedServer, EraServer):
    """As `EraServer`, behind the check of the token."""


def era_site(*eras: str) -> Site:
    """A site whose server speaks these eras."""
    authority = Authority()
    server = ProtectedEraServer(authority)
    server.eras = set(eras)
    return Site(authority, server)
