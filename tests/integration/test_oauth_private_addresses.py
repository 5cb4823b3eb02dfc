"""A public server cannot send the bridge to addresses inside; to this machine not even with --allow-private.

The server is public by its name; a proxy brings its name to this machine, and this machine's own addresses are
reached directly, as they would be. What --allow-private opens is in `test_oauth_addresses`, in a network of its own.

More cases, without processes, are in `tests/app/test_oauth_private_addresses.py`.
"""

import pytest

from tests.support.oauth.public_site import public
from tests.support.oauth.site import Site

pytestmark = pytest.mark.anyio


async def test_metadata_on_this_machine_is_refused() -> None:
    async with public(Site) as it:
        inside = f"https://127.0.0.1:{it.site.authority.http.port}/inside"
        it.site.server.metadata_paths = ()
        it.site.server.challenge = {"resource_metadata": inside}
        async with it.bridge() as host:
            await it.site.failed(host)
        assert it.site.authority.http.connections == 0
