"""What people may change of the requests: the resource, extra parameters, the ID token.

More cases, without processes, are in `tests/app/test_oauth_request.py`.
"""

import pytest

from tests.support.oauth.site import Site
from tests.support.oauth.user import asked

pytestmark = pytest.mark.anyio


async def test_another_resource_where_one_is_given() -> None:
    async with Site() as site, site.bridge("--resource", "api://1234-abcd") as host:
        await site.begin(host)
        site.authority.ledger.expire_access()
        assert (await host.call("echo")).result
        assert asked(site.person.opened[0])["resource"] == "api://1234-abcd"
        for grant in ("authorization_code", "refresh_token"):
            assert [form["resource"] for form in site.authority.forms(grant)] == ["api://1234-abcd"]


async def test_what_the_flow_owns_cannot_be_given() -> None:
    async with Site() as site, site.bridge("--authorize-param", "state=x") as host:
        assert await host.wait(5) == 2
        assert any("state" in line for line in host.stderr)
