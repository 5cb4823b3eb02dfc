"""When it cannot work: the host's error says which step, which URL, what came, and what to do.

More cases, without processes, are in `tests/app/test_oauth_refused.py`.
"""

import pytest

from tests.support.oauth.site import Site

pytestmark = pytest.mark.anyio


async def test_a_token_that_is_refused_all_the_same_is_told_with_its_claims() -> None:
    async with Site() as site, site.bridge() as host:
        site.authority.claims = {
            "iss": site.authority.issuer,
            "aud": "https://another.example/api",
            "sub": "planted-subject",
            "email": "planted@mail.example",
        }
        site.planted |= {"planted-subject": "sub", "planted@mail.example": "email"}
        site.server.refuses_all = True
        answer = await site.failed(host, 60)
        message = answer.error["message"]
        assert "https://another.example/api" in message
        assert site.server.url in message
        assert 1 <= len(site.person.opened) <= 2
