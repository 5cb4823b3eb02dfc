"""The pages: whole in themselves, escaped, readable."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.login.page import CONTENT_SECURITY_POLICY, failed_page, refused_page, signed_in_page, warned_page

HOSTILE = '<script>alert(1)</script><img src=x onerror=y>"&amp;\x00\x1b[31m\u202eevil\ud800'
PAGES = {
    "signed in": signed_in_page("mcp.example.com", "Claude Desktop"),
    "failed": failed_page("mcp.example.com", "It was refused.", "Try again."),
    "refused": refused_page(404),
    "warned": warned_page("mcp.example.com", ["It moved."], "https://as.example/in?a=b&c=d"),
    "hostile warning": warned_page(HOSTILE, [HOSTILE, HOSTILE], "https://as.example/in?a='b'&c=d"),
    "hostile": signed_in_page(HOSTILE, HOSTILE),
    "hostile failure": failed_page(HOSTILE, HOSTILE, HOSTILE),
}
VOID = {"meta", "link", "path"}


class Reader(HTMLParser):
    """A page's elements and its visible text; fails where an element is not closed in order."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.title = ""
        self.feed(page.decode())
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "title" in self.open:
            self.title += data
        elif "main" in self.open:
            self.text += data

    def has(self, tag: str) -> bool:
        return any(name == tag for name, _ in self.elements)


def test_success_says_to_what_and_where_to_go_back_to() -> None:
    page = Reader(PAGES["signed in"])
    assert page.title == "Signed in to mcp.example.com"
    assert page.text.split("\n") == [
        *("", "", "Signed in to mcp.example.com.", "You can close this tab and go back to Claude Desktop."),
        *("mcp-remote-bridge", ""),
    ]


@pytest.mark.parametrize(
    ("page", "title", "heading"),
    [
        (signed_in_page("mcp.evil.example", "", called="GitHub (github.com)"), "Signed in to", "."),
        (failed_page("mcp.evil.example", "No.", "", called="GitHub (github.com)"), "Not signed in to", "."),
        (
            warned_page("mcp.evil.example", ["It moved."], "https://as.example/in?", called="GitHub (github.com)"),
            "Before you sign in to",
            ":",
        ),
    ],
    ids=["signed in", "failed", "warned"],
)
def test_the_host_comes_first_and_what_the_server_calls_itself_is_its_own_word(
    page: bytes, title: str, heading: str
) -> None:
    reader = Reader(page)
    assert reader.title == f"{title} mcp.evil.example"
    assert f'\n{title} mcp.evil.example, which calls itself "GitHub (github.com)"{heading}\n' in reader.text


def test_what_a_server_calls_itself_is_short_and_no_link() -> None:
    called = 'X". Sign in\u200b again: https://evil.example/ ' + "now " * 50
    line = Reader(signed_in_page("mcp.example.com", "", called=called)).text.split("\n")[2]
    assert line.startswith("Signed in to mcp.example.com, which calls itself \"X'. Sign in again: [link removed] now")
    assert line.endswith('...".')
    assert len(line) < 120


def test_a_host_without_a_name_is_left_out() -> None:
    assert "\nYou can close this tab.\n" in Reader(signed_in_page("mcp.example.com", "")).text


def test_failure_says_what_went_wrong_and_what_to_do() -> None:
    page = Reader(PAGES["failed"])
    assert page.title == "Not signed in to mcp.example.com"
    assert "Not signed in to mcp.example.com.\nIt was refused.\nTry again.\n" in page.text
    assert "It was refused.\nmcp-remote-bridge" in Reader(failed_page("s", "It was refused.", "")).text


def test_a_warning_stands_before_the_link_that_goes_on() -> None:
    page = Reader(PAGES["warned"])
    assert page.title == "Before you sign in to mcp.example.com"
    told = "Before you sign in to mcp.example.com:\nIt moved.\nIf you did not expect this, close this tab.\n"
    assert told in page.text
    assert "Continue to as.example\n" in page.text
    (link,) = [attributes for name, attributes in page.elements if name == "a"]
    assert link["href"] == "https://as.example/in?a=b&c=d"


def test_failure_says_how_to_try_again() -> None:
    page = Reader(failed_page("s", "It was refused.", "Ask for less.", "To try again, run: x"))
    assert "It was refused.\nAsk for less.\nTo try again, run: x\n" in page.text


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 421, 431, 500, 503, 418])
def test_each_refusal_has_a_page(status: int) -> None:
    assert Reader(refused_page(status)).text.strip()


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_needs_nothing_else(page: bytes) -> None:
    reader = Reader(page)
    assert {name for name, _ in reader.elements} <= {
        *("html", "head", "meta", "title", "link", "style", "body", "main"),
        *("svg", "path", "h1", "b", "bdi", "p", "footer", "a"),
    }
    for tag, attributes in reader.elements:
        assert not any(name.startswith("on") or name in {"src", "style"} for name in attributes)
        if tag == "a":  # Followed by a person only.
            assert page in {PAGES["warned"], PAGES["hostile warning"]}
            assert (attributes.get("href") or "").startswith("https://as.example/in?")
        else:
            assert (attributes.get("href") or "data:").startswith("data:")
    assert len(page) < 8192


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_is_made_for_everybody(page: bytes) -> None:
    reader = Reader(page)
    assert ("html", {"lang": "en"}) in reader.elements
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in reader.elements
    assert reader.title
    assert reader.has("h1")
    assert reader.has("main")
    assert b"prefers-color-scheme: dark" in page


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_policy_allows_the_pages_own_style(page: bytes) -> None:
    style = re.search(rb"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_long_texts_are_cut() -> None:
    page = failed_page("s" * 10_000, "w" * 10_000, "t" * 10_000)
    assert len(page) < 10_000
    assert "w..." in page.decode()


@given(st.text(), st.text(), st.text())
def test_whatever_a_server_says_is_text(server: str, what: str, to_do: str) -> None:
    reader = Reader(failed_page(server, what, to_do))
    assert len(reader.elements) <= len(Reader(PAGES["failed"]).elements)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", reader.text)
    if re.fullmatch(r"[ -~]{1,100}", what):
        assert what.strip() in reader.text


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_from_its_ground() -> None:
    style = PAGES["signed in"].decode()
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for part in (light, dark.split("*", 1)[0]):
        colours = re.findall(r"--(\w+): (#[0-9a-f]{6})", part)
        named = dict(reversed(colours))
        pairs = [("text", "card"), ("soft", "card")]
        marks = [colour for name, colour in colours if name == "mark"]
        washes = [colour for name, colour in colours if name == "wash"]
        assert len(marks) == len(washes) == 2
        grounds = [(named[ink], named[ground]) for ink, ground in pairs] + list(zip(marks, washes, strict=True))
        for ink, ground in grounds:
            low, high = sorted((luminance(ink), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_no_two_pages_of_different_kinds_look_the_same() -> None:
    kinds = [PAGES["signed in"], PAGES["failed"], PAGES["refused"]]
    assert all(one != other for one, other in pairwise(kinds))
