"""A protected server of either era, and the site around it."""

from __future__ import annotations

from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.oauth.site import Site
from tests.support.servers.fault_era import EraServer


class ProtectedEraServer(ProtectedServer, EraServer):
    """As `EraServer`, behind the check of the token."""


def era_site(*eras: str, site_type: type[Site] = Site) -> Site:
    """A site whose server speaks these eras."""
    authority = Authority()
    server = ProtectedEraServer(authority)
    server.eras = set(eras)
    return site_type(authority, server)
