"""A program shows an assertion of another issuer: read each time, and not sent again once it was refused."""

import time
from pathlib import Path

import pytest

from tests.oauth.test_claims import token
from tests.support.in_process.site import InProcessSite
from tests.support.oauth.grants import JWT_BEARER
from tests.support.oauth.site import LOGIN

pytestmark = pytest.mark.anyio


def assertion(subject: str, **claims: object) -> str:
    return token(iss="https://cloud.example", sub=subject, aud="https://as.example", **claims)


class Workload(InProcessSite):
    """A site with a client that has no secret, and a file in which its platform keeps an assertion."""

    def __init__(self) -> None:
        super().__init__()
        self.authority.add_client("workload")

    @property
    def file(self) -> Path:
        return self.folder / "token.jwt"

    def writes(self, text: str, *, is_good: bool = True) -> None:
        self.file.write_text(text + "\n", encoding="utf-8")
        self.file.chmod(0o600)
        if is_good:
            self.authority.assertions = {text}

    @property
    def words(self) -> tuple[str, ...]:
        return "--grant", "jwt-bearer", "--client-id", "workload", "--assertion", f"file:{self.file}"

    def sent(self) -> list[str]:
        return [form["assertion"] for form in self.authority.forms(JWT_BEARER)]


async def test_the_assertion_is_read_anew_for_each_token() -> None:
    async with Workload() as site:
        first, second = assertion("one"), assertion("two")
        site.writes(first)
        async with site.bridge(*site.words) as host:
            await site.begin(host)
            site.writes(second)
            site.authority.ledger.expire_access()
            assert (await host.call("echo", deadline=LOGIN)).result
        assert site.sent() == [first, second]
        assert site.person.opened == []
        async with site.bridge(*site.words) as host:
            await site.begin(host)
        assert site.sent() == [first, second], "the token is kept"


async def test_a_refused_assertion_is_sent_once_and_said_what_it_is() -> None:
    async with Workload() as site:
        bad = assertion("one", exp=int(time.time()) - 3600)
        site.writes(bad, is_good=False)
        async with site.bridge(*site.words) as host:
            for _ in range(3):
                message = (await site.failed(host)).error["message"]
                assert "the assertion is not good" in message
                assert "audience https://as.example" in message
                assert "expired" in message
            assert site.sent() == [bad]
            site.writes(good := assertion("two"))
            await site.begin(host)
            assert site.sent() == [bad, good]
        assert site.person.opened == []


async def test_an_assertion_that_is_not_there_is_told() -> None:
    async with Workload() as site, site.bridge(*site.words) as host:
        message = (await site.failed(host)).error["message"]
        assert "--assertion" in message
        assert str(site.file) in message
        assert site.sent() == []
