"""What CONTRIBUTING and the pages in docs/ name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
NAMES = {
    "bridge/cli/option_table.py": ("OPTIONS",),
    "bridge/cli/settings.py": ("settings_of",),
    "bridge/cli/command_table.py": ("COMMAND_ROWS",),
    "bridge/inventory/command_line.py": ("COMMANDS = ",),
    "bridge/config/settings.py": ("class Settings",),
    "bridge/config/signing_in.py": ("class SignInSettings", "Grant = ", "GRANTS = "),
    "bridge/protocol/mcp.py": ("_REVISIONS = ", "class Features", "def features("),
    "bridge/protocol/hosts.py": ("HOSTS = ",),
    "bridge/oauth/providers.py": ("PROVIDERS = ",),
    "bridge/oauth/grants/__init__.py": ("class GrantType",),
    "bridge/login/grants/__init__.py": ("FLOWS",),
    "bridge/login/grants/flow.py": ("class GrantFlow",),
    "bridge/inventory/host_table.py": ("HOSTS: ",),
    "bridge/inventory/entry_shapes.py": ("class EntryShape",),
}
"""What CONTRIBUTING tells people to look for, and where."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?<![/\w])((?:bridge|tests|scripts|docs)/[\w./-]*[\w/])", text)
    missing = {name for name in named if not (ROOT / name).exists() and "NAME" not in name}
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing |= {name for name in linked if not (page.parent / name).exists()}
    assert missing == set()


def test_every_name_that_contributing_tells_to_look_for_is_where_it_says() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path, names in NAMES.items():
        code = (ROOT / path).read_text(encoding="utf-8")
        for name in names:
            assert name in code, (path, name)
            assert re.search(r"\w+", name.removeprefix("class ").removeprefix("def "))[0] in told  # type: ignore[index]


def test_the_loop_of_work_names_every_script_that_writes_a_page() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for script in ("messages.py --write", "options_page.py --write", "error_kinds.py --write", "check.py", "test.py"):
        assert f"python3 scripts/{script}" in told
