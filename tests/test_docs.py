"""What the pages tell people to type is what the program takes, and what they quote is what it says."""

import re
from pathlib import Path

import pytest

from bridge import PROGRAM
from bridge.config import PATIENCE_VARIABLE, SignInSettings
from bridge.oauth.prompt_backoff import PAUSE
from tests.cli.command_lines import parsed

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *DOCS.glob("*.md")]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shell_lines(text: str) -> list[str]:
    """The lines to type that begin with the program."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    # Square brackets and dots stand for what the user chooses.
    return [line for line in lines if line.startswith(PROGRAM) and "[OPTIONS]" not in line and " ..." not in line]


COMMAND_LINES = sorted({(page.name, line) for page in PAGES for line in shell_lines(text_of(page))})


@pytest.mark.parametrize("page", sorted({page for page, _ in COMMAND_LINES}))
def test_every_command_line_on_a_page_is_taken(page: str) -> None:
    refused = {}
    for line in [line for of, line in COMMAND_LINES if of == page]:
        try:
            parsed(line)
        except Exception as problem:
            refused[line] = problem
    assert refused == {}


def test_the_pages_with_command_lines_are_found() -> None:
    assert {"README.md", "troubleshooting.md", "sign-in.md", "options.md", "configuration.md"} <= {
        page for page, _ in COMMAND_LINES
    }


def test_every_message_that_troubleshooting_quotes_is_one_of_the_bridges() -> None:
    quoted = re.findall(r"^> (.+)$", text_of(DOCS / "troubleshooting.md"), re.MULTILINE)
    said = text_of(DOCS / "messages.md")
    assert len(quoted) > 8
    assert [words for words in quoted if words not in said] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", text_of(page)):
        headings = re.findall(r"^#+ (.+)$", text_of((page.parent / target) if target else page), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = text_of(DOCS / "README.md")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_the_defaults_that_are_told_are_those_of_the_program() -> None:
    sign_in, options = text_of(DOCS / "sign-in.md"), text_of(DOCS / "options.md")
    settings = SignInSettings()
    assert f"`--answer-within SECONDS` after its start (default {settings.answer_within:g})" in sign_in
    assert f"long a sign-in waits for you (default {settings.login_timeout:g})" in sign_in
    assert f"Default: {PAUSE:g}, doubled each time" in options
    assert f"| `{PATIENCE_VARIABLE}` |" in options
