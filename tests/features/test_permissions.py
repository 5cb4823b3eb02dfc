"""What the user's patterns hide is neither listed nor used."""

import fnmatch
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.app.features import features_in_front
from bridge.config import Settings
from bridge.config.feature_settings import FeatureSettings
from bridge.errors import UsageError
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.features.permissions import Pattern, Permissions, Rule
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, Make, names
from tests.support.cuts import unhurried
from tests.support.examples import multiplied

TOOLS: list[dict[str, Any]] = [
    {"name": "get_issue", "annotations": {"readOnlyHint": True}},
    {"name": "list_issues", "annotations": {"readOnlyHint": True, "destructiveHint": True}},
    {"name": "delete_issue", "annotations": {"destructiveHint": True}},
    {"name": "close", "annotations": {"readOnlyHint": "yes"}},
    {"name": "plain"},
]


def serve(method: str, params: dict[str, Any]) -> Any:
    """A server with some of everything, which says what it was asked for."""
    lists: dict[str, Any] = {
        "tools/list": {"tools": [{**tool, "inputSchema": {"type": "object"}} for tool in TOOLS]},
        "prompts/list": {"prompts": [{"name": "greet"}, {"name": "leave"}]},
        "resources/list": {"resources": [{"name": "a", "uri": "file:///a"}, {"name": "b", "uri": "secret:///b"}]},
        "resources/templates/list": {
            "resourceTemplates": [
                {"name": "f", "uriTemplate": "file:///{path}"},
                {"name": "s", "uriTemplate": "secret:///{x}"},
            ]
        },
    }
    return lists.get(method, {"content": [], "messages": [], "contents": [], "completion": {"values": []}})


def rules(kind: str = "tool", show: Sequence[str] = (), hide: Sequence[str] = (), *, read_only: bool = False) -> Make:
    def make(context: FeatureContext) -> Sequence[FeaturePart]:
        rule = Rule(
            kind, [Pattern(f"--{kind}s", one) for one in show], [Pattern(f"--hide-{kind}s", one) for one in hide]
        )
        return (Permissions(context, [rule], is_read_only=read_only),)

    return make


@pytest.mark.parametrize("eras", PAIRS)
def test_only_the_tools_that_match_are_listed_and_can_be_called(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(serve, rules(show=["get_*", "*_issue*"], hide=["delete_*"]), eras=eras)
    assert names(book.ask(1, "tools/list")) == ["get_issue", "list_issues"]
    assert "result" in book.ask(2, "tools/call", name="get_issue", arguments={})
    book.asked.clear()
    hidden = book.ask(3, "tools/call", name="delete_issue", arguments={})["error"]
    assert hidden["message"].startswith("The tool delete_issue is hidden by --hide-tools delete_*. To use it, change")
    assert hidden["data"]["kind"] == "hidden"
    other = book.ask(4, "tools/call", name="plain", arguments={})["error"]["message"]
    assert other.startswith("The tool plain is not among those that --tools allows. To use it")
    assert book.methods() == []


@pytest.mark.parametrize("eras", PAIRS)
def test_with_read_only_a_tool_must_say_that_it_only_reads(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(serve, rules(read_only=True), eras=eras)
    refused = book.ask(1, "tools/call", name="close", arguments={})["error"]["message"]
    assert refused.startswith("The tool close does not say that it only reads, and --read-only is set.")
    assert "tools/list" in book.methods()  # It had to be read first.
    assert "tools/call" not in book.methods()
    assert names(book.ask(2, "tools/list")) == ["get_issue"]
    assert "result" in book.ask(3, "tools/call", name="get_issue", arguments={})
    unknown = book.ask(4, "tools/call", name="new", arguments={})["error"]["message"]
    assert unknown.startswith("The tool new is not in the server's list, and --read-only is set.")


def test_prompts_are_hidden_by_name() -> None:
    book = FeaturePlaybook(serve, rules("prompt", hide=["leave"]))
    assert [prompt["name"] for prompt in book.ask(1, "prompts/list")["result"]["prompts"]] == ["greet"]
    assert "error" in book.ask(2, "prompts/get", name="leave")
    assert "error" in book.ask(3, "completion/complete", ref={"type": "ref/prompt", "name": "leave"}, argument={})
    assert "result" in book.ask(4, "completion/complete", ref={"type": "ref/prompt", "name": "greet"}, argument={})
    assert "result" in book.ask(5, "prompts/get", name="greet")


def test_resources_are_hidden_by_their_uris_and_templates_by_theirs() -> None:
    book = FeaturePlaybook(serve, rules("resource", show=["file:///*"]))
    assert [one["name"] for one in book.ask(1, "resources/list")["result"]["resources"]] == ["a"]
    assert [one["name"] for one in book.ask(2, "resources/templates/list")["result"]["resourceTemplates"]] == ["f"]
    for id_, (method, uri, is_open) in enumerate(
        [
            ("resources/read", "file:///x/y", True),
            ("resources/read", "secret:///b", False),
            ("resources/subscribe", "secret:///b", False),
            ("resources/subscribe", "file:///a", True),
        ],
        start=10,
    ):
        assert ("result" in book.ask(id_, method, uri=uri)) is is_open, (method, uri)
    refers = {"type": "ref/resource", "uri": "secret:///{x}"}
    assert "error" in book.ask(20, "completion/complete", ref=refers, argument={})


def test_a_tool_without_a_name_is_not_shown_where_names_count() -> None:
    book = FeaturePlaybook(lambda *_: {"tools": [{"name": 5}, {}, 7, {"name": "x"}]}, rules(hide=["y"]))
    assert book.ask(1, "tools/list")["result"]["tools"] == [{"name": "x"}]


def test_a_list_of_which_nothing_is_hidden_keeps_its_bytes() -> None:
    book = FeaturePlaybook(serve, rules(hide=["no such"]))
    (post,) = book.posts(book.host(book.line(1, "tools/list")))
    odd = b'{"jsonrpc":"2.0","id":1,"result":{ "tools" : [ {"name":"a", "x":1e400} ] }}'
    assert bytes(book.told(book.answers(post.exchange, odd))[0].line) == odd


def test_a_pattern_that_matches_nothing_is_told_once_with_what_is_near() -> None:
    book = FeaturePlaybook(serve, rules(show=["get_isue", "get_issue"], hide=["zzz"]))
    for id_ in (1, 2):
        book.ask(id_, "tools/list")
    assert book.warnings() == [
        "--tools get_isue matches no tool of this server; near it are get_issue, delete_issue, list_issues",
        "--hide-tools zzz matches no tool of this server",
    ]


def test_a_pattern_may_match_on_a_later_page() -> None:
    def pages(_: str, params: dict[str, Any]) -> Any:
        return {"tools": [{"name": "late"}]} if params.get("cursor") else {"tools": [{"name": "a"}], "nextCursor": "x"}

    book = FeaturePlaybook(pages, rules(show=["late"]), merges_pages=False)
    book.ask(1, "tools/list")
    assert names(book.ask(2, "tools/list", cursor="x")) == ["late"]
    assert book.warnings() == []


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("delete*", "DELETE_all", True),
        ("*[x]?", "a[X]?", True),
        ("*[x]?", "ax1", False),
        ("a.b", "axb", False),
    ],
)
def test_ignore_tool_reads_patterns_as_mcp_remote_does(text: str, name: str, matches: bool) -> None:
    assert Pattern("--ignore-tool", text).matches(name) is matches


@settings(parent=unhurried, max_examples=multiplied(100))
@given(st.text("ab*?[]!-", max_size=8), st.text("ab[]!-", max_size=8))
def test_other_patterns_are_the_globs_of_a_shell(text: str, name: str) -> None:
    assert Pattern("--tools", text).matches(name) is fnmatch.fnmatchcase(name, text)


def test_a_hostile_name_costs_one_pass_for_each_star() -> None:
    pattern = Pattern("--tools", "*a*a*a*a*a*a*a*a*b")
    assert not pattern.matches("a" * 20_000)
    assert not Pattern("--ignore-tool", "*a*a*a*a*a*a*a*a*b").matches("A" * 20_000)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"tools": ("",)}, "A pattern of --tools is empty."),
        ({"hide_resources": ("x" * 1001,)}, "A pattern of --hide-resources has more than 1000 characters."),
        ({"prompts": ("x",) * 1001}, "--prompts was given more than 1000 times."),
        ({"pass_through": True, "read_only": True}, "--pass-through passes everything, and --read-only does not."),
        ({"pass_through": True, "hide_tools": ("x",)}, "--pass-through passes everything, and --hide-tools does not."),
    ],
)
def test_settings_that_cannot_be_used_are_refused(features: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        FeatureSettings(**features)


def test_the_settings_of_a_run_make_the_rules() -> None:
    own = FeatureSettings(tools=("get_*", "list_*"), ignore_tool=("LIST*",), hide_prompts=("leave",))
    book = FeaturePlaybook(serve, front=features_in_front(Settings("https://mcp.example/mcp", features=own)))
    assert names(book.ask(1, "tools/list")) == ["get_issue"]
    assert "is hidden by --ignore-tool LIST*" in book.ask(2, "tools/call", name="list_issues")["error"]["message"]
    assert "is hidden by --hide-prompts leave" in book.ask(3, "prompts/get", name="leave")["error"]["message"]


@pytest.mark.parametrize("eras", PAIRS)
def test_a_hidden_resource_cannot_be_subscribed_to(eras: tuple[str, str]) -> None:
    book = FeaturePlaybook(serve, rules("resource", hide=["secret:*"]), eras=eras)
    uris = ["file:///a", "secret:///b"]
    if eras[0] == "modern":
        filters = {"resourcesListChanged": True, "resourceSubscriptions": uris}
        book.serve(book.host(book.line(1, "subscriptions/listen", notifications=filters)))
    else:
        for id_, uri in enumerate(uris, start=1):
            book.serve(book.host(book.line(id_, "resources/subscribe", uri=uri)))
    asked = msgspec.json.encode(book.asked).decode()
    assert "file:///a" in asked
    assert "secret:///b" not in asked


def test_a_pattern_for_resources_that_matches_none_is_named_once_both_lists_are_known() -> None:
    def plain(method: str, params: dict[str, Any]) -> Any:
        return {"resourceTemplates": []} if method == "resources/templates/list" else serve(method, params)

    def warned(server: Any) -> list[str]:
        book = FeaturePlaybook(server, rules("resource", hide=["nothing:*", "secret:*"]))
        book.ask(1, "resources/list")
        assert not [report for report in book.reports if report.level == "warning"]
        book.ask(2, "resources/templates/list")
        return [report.text for report in book.reports if report.level == "warning"]

    (said,) = warned(plain)
    assert said.startswith("--hide-resources nothing:* matches no resource of this server")
    assert warned(serve) == []


@pytest.mark.parametrize("hints", [(True, False), (False, True)])
def test_with_read_only_each_of_two_tools_of_one_name_must_say_so(hints: tuple[bool, bool]) -> None:
    both = [{"name": "a", "annotations": {"readOnlyHint": hint}} for hint in hints]
    book = FeaturePlaybook(lambda *_: {"tools": both}, rules(read_only=True))
    assert book.ask(1, "tools/list")["result"]["tools"] == []
    assert "error" in book.ask(2, "tools/call", name="a", arguments={})
