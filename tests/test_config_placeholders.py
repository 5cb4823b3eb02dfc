"""References to variables in the user's file of servers."""

import pytest

from bridge.config.placeholders import expand
from bridge.errors import UsageError

SECRET = "pl4nted-s3cret"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain $A {A}", "plain $A {A}"),
        ("${A}", "a"),
        ("x${env:A}y${A}", "xaya"),
        ("${A:-other}", "a"),
        ("${NONE:-other}", "other"),
        ("${env:EMPTY:-o:-t}", "o:-t"),
        ("${NONE:-}", ""),
        ("${NESTED}", "${A}"),
    ],
)
def test_a_reference_becomes_the_variable_or_its_default(text: str, expanded: str) -> None:
    assert expand(text, {"A": "a", "EMPTY": "", "NESTED": "${A}"}) == expanded


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${NONE}", "NONE is needed, and it is not set"),
        ("x${env:EMPTY}", "EMPTY is needed, and it is empty"),
        (f"${{input:{SECRET}}}", "is not one that the bridge replaces"),
        (f"${{1:-{SECRET}}}", "is not one that the bridge replaces"),
    ],
)
def test_what_cannot_be_replaced_is_told_without_its_text(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        expand(text, {"EMPTY": ""})
    assert says in str(raised.value)
    assert SECRET not in str(raised.value)
