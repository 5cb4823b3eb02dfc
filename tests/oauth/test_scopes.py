"""Which scopes are asked for, and what is said of those granted (RFC 6749 3.3, MCP Scope Selection Strategy)."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.oauth.scopes import OFFLINE, choose, clean, missing, remark, split, union
from tests.support.cuts import unhurried

SCOPES = st.lists(
    st.sampled_from(["a", "b:c", "https://x.example/d", "é", "", 'q"', "back\\slash", OFFLINE, "x" * 257])
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a", ("a",)),
        ("b a b", ("b", "a")),
        ("  a   b ", ("a", "b")),
        ('a " b\\c é d\te f', ("a", "f")),
        ("a,b", ("a,b",)),
        ("https://www.googleapis.com/auth/drive.readonly", ("https://www.googleapis.com/auth/drive.readonly",)),
    ],
)
def test_a_list_of_scopes_is_split(text: str, expected: tuple[str, ...]) -> None:
    assert split(text) == expected


def test_scopes_have_bounds() -> None:
    assert clean(["x" * 256, "y" * 257]) == ("x" * 256,)
    assert len(clean(f"s{number}" for number in range(10_000))) == 200


@unhurried
@given(SCOPES, SCOPES)
def test_a_union_holds_each_scope_once_and_in_order(one: list[str], other: list[str]) -> None:
    both = union(one, other)
    assert both == clean([*one, *other])
    assert set(both) == set(clean(one)) | set(clean(other))
    assert split(" ".join(both)) == both


@pytest.mark.parametrize(
    ("pinned", "challenged", "resource", "expected"),
    [
        ("p q", ("c",), ("r",), ("p", "q")),
        (None, ("c", "d"), ("r",), ("c", "d")),
        (None, (), ("r", "s"), ("r", "s")),
        (None, (), (), ()),
        (None, (), None, ()),
        ("", ("c",), ("r",), ()),
        (None, ('"',), ("r",), ("r",)),
    ],
    ids=["option", "challenge", "metadata", "empty-list", "omitted", "empty-option", "no-scope-in-challenge"],
)
def test_the_first_that_is_there_is_asked_for(
    pinned: str | None, challenged: Sequence[str], resource: Sequence[str] | None, expected: tuple[str, ...]
) -> None:
    assert choose(pinned, challenged, resource, None) == expected


@pytest.mark.parametrize("server", [None, (), ("openid", "profile", "email")])
def test_the_authorization_servers_own_scopes_are_never_asked_for(server: Sequence[str] | None) -> None:
    assert choose(None, (), None, server) == ()
    assert choose(None, ("c",), None, server) == ("c",)


@pytest.mark.parametrize(
    ("challenged", "resource", "expected"),
    [(("c",), ("r",), ("c", OFFLINE)), ((), ("r",), ("r", OFFLINE)), ((OFFLINE, "c"), None, (OFFLINE, "c"))],
)
def test_offline_access_is_added_where_the_server_lists_it(
    challenged: Sequence[str], resource: Sequence[str] | None, expected: tuple[str, ...]
) -> None:
    assert choose(None, challenged, resource, ("openid", OFFLINE)) == expected


def test_offline_access_is_added_neither_to_a_pin_nor_to_nothing() -> None:
    assert choose("p", (), None, (OFFLINE,)) == ("p",)
    assert choose(None, (), None, (OFFLINE,)) == ()


@pytest.mark.parametrize(
    ("wanted", "granted", "asked", "expected"),
    [
        (("a", "b"), "a", "a b", ("b",)),
        (("a", "b"), "b a c", "a b", ()),
        (("a", "b"), None, "a", ("b",)),
        (("a",), "", "a", ("a",)),
        (("a", "a"), "", "", ("a",)),
        ((), "a", "a", ()),
    ],
)
def test_what_is_missing_is_named(
    wanted: Sequence[str], granted: str | None, asked: str, expected: tuple[str, ...]
) -> None:
    assert missing(wanted, granted, asked) == expected


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("a b", None),
        ("a b", "a b"),
        ("a b", "b a"),
        ("a b", "c b a"),
        ("", "a"),
        ("", ""),
        (f"a {OFFLINE}", "a"),
        (OFFLINE, ""),
    ],
)
def test_nothing_is_said_where_all_was_granted(asked: str, granted: str | None) -> None:
    assert remark(asked, granted) == ""


@pytest.mark.parametrize(
    "granted", ["repo,gist", "repo, gist", "gist;repo", "repo+gist", "repo|gist", "repo,gist,user"]
)
def test_another_delimiter_is_named(granted: str) -> None:
    said = remark("repo gist", granted)
    assert "something other than a space" in said
    assert "did not grant" not in said
    assert granted in said


def test_another_delimiter_does_not_hide_a_scope_that_was_dropped() -> None:
    said = remark("repo gist user", "repo,gist")
    assert "something other than a space" in said
    assert "did not grant user," in said


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("orgs:write", "org:write"),
        ("org:write", "orgs:write"),
        ("files.read", "files:read"),
        ("Files:Read", "files:read"),
        ("read_users", "read-user"),
    ],
)
def test_a_scope_under_another_name_is_paired(asked: str, granted: str) -> None:
    said = remark(f"{asked} a", f"{granted} a")
    assert f"'{granted}' for '{asked}'" in said
    assert "did not grant" not in said


def test_a_similar_name_does_not_hide_a_scope_that_was_dropped() -> None:
    said = remark("orgs:write repo", "org:write")
    assert "'org:write' for 'orgs:write'" in said
    assert "did not grant repo," in said


@pytest.mark.parametrize("granted", ["read", "", "read write"])
def test_scopes_that_were_dropped_are_named(granted: str) -> None:
    said = remark("read admin", granted)
    assert "did not grant" in said
    assert "admin" in said
    assert f"granted '{granted}'" in said
    assert "under other names" not in said


def test_scopes_alike_in_nothing_but_letters_are_not_paired() -> None:
    assert "under other names" not in remark("files:read", "files:write")


@unhurried
@given(SCOPES, st.text(max_size=400))
def test_a_remark_is_one_line_of_bounded_length(asked: list[str], granted: str) -> None:
    """What the server granted comes cleaned of what is not printable (`grants`); its length does not."""
    granted = "".join(character for character in granted if character.isprintable()) * 20
    said = remark(" ".join(clean(asked)), granted)
    assert "\n" not in said
    assert len(said) < 3000
