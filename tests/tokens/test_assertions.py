"""The assertion of a run: read each time, and not sent again once it was refused."""

from pathlib import Path

import pytest

from bridge.config import SignInSettings
from bridge.errors import BridgeError
from bridge.oauth.errors import NeedsChange, Unavailable
from bridge.tokens.assertions import Assertions

pytestmark = pytest.mark.anyio


def of(where: str) -> Assertions:
    return Assertions(SignInSettings(grant="jwt-bearer", client_id="c", assertion=where))


async def test_it_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assertions = of(f"file:{file}")
    for text in ("one", "two"):
        file.write_text(f"{text}\n", encoding="utf-8")
        assert await assertions.read() == text


async def test_one_that_was_refused_is_not_given_again_until_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one", encoding="utf-8")
    assertions = of(f"file:{file}")
    assertions.refused("one", Unavailable("It is down."))
    assert await assertions.read() == "one"
    assertions.refused("one", NeedsChange("It has expired.", hint="Get another."))
    with pytest.raises(NeedsChange, match="It has expired") as refused:
        await assertions.read()
    assert refused.value.hint == "Get another."
    file.write_text("two", encoding="utf-8")
    assert await assertions.read() == "two"


async def test_another_grant_has_none_and_a_missing_one_is_told(tmp_path: Path) -> None:
    assert await Assertions(SignInSettings()).read() == ""
    with pytest.raises(BridgeError, match="--assertion"):
        await of(f"file:{tmp_path / 'missing'}").read()
    with pytest.raises(BridgeError, match="MISSING_VARIABLE"):
        await of("env:MISSING_VARIABLE").read()
