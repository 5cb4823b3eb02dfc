"""A value in a URL decides no more than the publisher lets it."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import UsageError
from bridge.registry.url_template import filled_url, names_in
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("template", "values", "url"),
    [
        ("https://example.com/mcp", {}, "https://example.com/mcp"),
        ("https://{a}.example.com/{b}?c={c}", {"a": "eu-1", "b": "x y/z", "c": "&d=#"}, None),
        ("https://{h}:{p}/mcp", {"h": "mcp.corp.example", "p": "8443"}, "https://mcp.corp.example:8443/mcp"),
        ("{base}/mcp", {"base": "https://corp.example:1/x/"}, "https://corp.example:1/x/mcp"),
        ("https://e.com/{a}/{a}", {"a": "ü"}, "https://e.com/%C3%BC/%C3%BC"),
    ],
)
def test_a_template_is_filled(template: str, values: dict[str, str], url: str | None) -> None:
    expected = url or "https://eu-1.example.com/x%20y%2Fz?c=%26d%3D%23"
    assert filled_url(template, values) == expected


@pytest.mark.parametrize(
    ("template", "value", "says"),
    [
        ("https://{a}.example.com/", "evil.example/", "not a part of a host name"),
        ("https://{a}.example.com/", "evil.example#", "not a part of a host name"),
        ("https://{a}.example.com/", "me@evil", "not a part of a host name"),
        ("https://{a}.example.com/", "a\\b", "not a part of a host name"),
        ("https://{a}.example.com/", "-a", "not a part of a host name"),
        ("https://{a}.example.com/", "a..b", "not a part of a host name"),
        ("https://{a}.example.com/", "ü", "not a part of a host name"),
        ("https://e.com:{a}/", "80@evil.example", "not a port"),
        ("https://e.com:{a}/", "٣", "not a port"),
        ("https://e.com/x/{a}/mcp", "..", "a . or .. of a part"),
        ("https://e.com/x/.{a}/mcp", ".", "a . or .. of a part"),
        ("{a}/mcp", "javascript:alert(1)", "not a URL"),
        ("{a}/mcp", "https://e.com/?x=", "not a URL"),
        ("{a}/mcp", "https://me@e.com", "not a URL"),
        ("{a}/mcp", "https:evil", "not a URL"),
        ("https://e.com/{a}", "", "is empty"),
        ("https://e.com/{a}", "a\nb", "cannot be shown"),
        ("{a}://e.com/", "file", "not a URL"),
        ("{a}/mcp", "https://[", "not a URL"),
        ("{a}/mcp", "https://e.com?", "not a URL"),
        ("ftp://{a}/", "e", "does not begin with https"),
        ("https://{a}@e.com/", "me", "has a user name"),
        ("https://e.com/#{a}", "x", "has a #"),
        ("https://e.com/{a}}", "x", "braces without a name"),
    ],
)
def test_a_value_or_template_that_leads_elsewhere_is_refused(template: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as said:
        filled_url(template, {"a": value})
    assert not value or len(value) < 4 or value not in str(said.value)


@examples(100)
@given(st.text(), st.text())
def test_no_value_in_the_path_or_query_changes_the_rest(path: str, query: str) -> None:
    try:
        url = filled_url("https://example.com/a/{p}/b?q={q}&r=1", {"p": path, "q": query})
    except UsageError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "example.com", "")
    assert parts.path.split("/")[:2] == ["", "a"]
    assert parts.path.count("/") == 3
    assert parts.query.startswith("q=")
    assert parts.query.count("&") == 1


@examples(100)
@given(st.text())
def test_no_value_in_the_host_leaves_the_domain(value: str) -> None:
    try:
        url = filled_url("https://{a}.example.com/mcp", {"a": value})
    except UsageError:
        return
    parts = urlsplit(url)
    assert (parts.hostname or "").endswith(".example.com")
    assert (parts.path, parts.port, parts.username) == ("/mcp", None, None)


def test_each_name_is_told_once() -> None:
    assert names_in("https://{a}/{b}/{a}") == ["a", "b"]
