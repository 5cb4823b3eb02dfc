"""Where members of a JSON text are: the parser's values, with their places."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.documents.json_places import comments_of, line_and_column, members_of

TEXT = """\
// first
{
  "a": {"b": [1, {"c": "}"},], /* "x": 1 */ "b": null}, "d\\u0065": "// no",
}
"""


def test_every_value_has_the_place_of_its_name_and_its_own() -> None:
    found = {member.path: member for member in members_of(TEXT)}
    assert set(found) == {(), ("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1), ("a", "b", 1, "c"), ("de",)}
    name, value = found["de",].name_at, found["de",]
    assert TEXT[name:].startswith('"d\\u0065"')
    assert TEXT[value.start : value.end] == '"// no"'
    assert line_and_column(TEXT, name) == (3, 57)
    assert line_and_column(TEXT, 0) == (1, 1)
    assert found["a", "b", 0].name_at == found["a", "b", 0].start


def test_members_of_one_name_are_both_found_and_are_in_the_same_object() -> None:
    twins = [member for member in members_of(TEXT) if member.path == ("a", "b")]
    assert [TEXT[one.start : one.end] for one in twins] == ['[1, {"c": "}"},]', "null"]
    assert len({one.within for one in twins}) == 1


def test_comments_are_told_apart_from_texts_that_look_like_them() -> None:
    assert [TEXT[begin:end] for begin, end in comments_of(TEXT)] == ["// first", '/* "x": 1 */']


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_each_place_holds_what_the_parser_finds_there(value: Any, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    members = members_of(text)
    for member in members:
        at = value
        for step in member.path:
            at = at[step]
        assert json.loads(text[member.start : member.end]) == at
        assert member.is_container == isinstance(at, dict | list)
    assert len(members) == _count(value)


def _count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))
