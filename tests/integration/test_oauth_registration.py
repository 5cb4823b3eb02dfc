"""Dynamic registration: kept per issuer, made anew once where the server has forgotten it, and its refusals.

More cases, without processes, are in `tests/app/test_oauth_registration.py`.
"""

import pytest

from tests.support.oauth.site import Site
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio


async def test_a_registration_is_kept_for_the_next_sign_in() -> None:
    async with Site() as site:
        await site.sign_in()
        site.authority.ledger.revoke_all()
        await site.sign_in()
        assert len(site.person.opened) == 2
        assert site.registered_once()
        first, second = (asked(url) for url in site.person.opened)
        assert first["client_id"] == second["client_id"]
        assert first["state"] != second["state"]
        assert first["code_challenge"] != second["code_challenge"]
