"""How deeply JSON may be nested: exactly to the limit, whatever is in its strings."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.protocol import nesting
from bridge.protocol.nesting import MAX_NESTING, is_too_deep

TEXTS = st.text(alphabet='[]{}"\\ax\u00e9', max_size=6)
SCALARS = st.none() | st.integers(0, 9) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=25
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that they have borders."""
    for name, size in {"_BLOCK": 4, "_SLICE": 5, "_SHORT": 16}.items():
        monkeypatch.setattr(nesting, name, size)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from strings_in(one)


@pytest.mark.usefixtures("small")
@given(VALUES)
def test_it_is_the_depth_that_counts_unless_a_string_hides_it(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    is_deep = depth_of(value) > 3
    closes = any(bracket in string for string in strings_in(value) for bracket in "]}")
    assert is_too_deep(text, 3) == is_deep or (is_deep and closes), "nothing is refused wrongly"
    assert is_too_deep(bytearray(text), 3) == is_too_deep(text, 3)


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"[": ', b"}, 1]")])
def test_the_limit_is_the_last_depth_that_is_taken(start: bytes, end: bytes) -> None:
    levels = 2 if start.startswith(b"[{") else 1
    for depth in (MAX_NESTING // levels, MAX_NESTING // levels + 1, 50_000):
        text = start * depth + b"1" + end * depth
        assert is_too_deep(text) == (depth * levels > MAX_NESTING)
        assert is_too_deep(b'["' + b"x" * 100_000 + b'",' + text + b"]") == (depth * levels >= MAX_NESTING)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"a": [1, 2], "b": {"c": "d"}}] * 10_000).encode(),
        json.dumps([json.dumps([[[1]]] * 10_000)]).encode(),
        json.dumps(["\x1b[31mred\x1b[0m \\" * 10_000]).encode(),
        json.dumps(["[" * 100_000, '\\"{' * 9_999]).encode(),
    ],
    ids=["many objects", "JSON in a string", "coloured text", "nothing but brackets"],
)
def test_many_brackets_are_not_deep(text: bytes) -> None:
    assert not is_too_deep(text)
    deep = b"[" * MAX_NESTING + text + b"]" * MAX_NESTING
    assert is_too_deep(deep)
