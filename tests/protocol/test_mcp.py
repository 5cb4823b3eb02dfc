"""The revisions of MCP and what each can do."""

import ast
from pathlib import Path

import pytest

import bridge
from bridge.protocol import mcp
from scripts.syntax import nodes_of


def test_revisions_are_listed_newest_first() -> None:
    assert mcp.MODERN_VERSIONS == ("2026-07-28",)
    assert mcp.LEGACY_VERSIONS == ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
    assert (mcp.LATEST_MODERN, mcp.LATEST_LEGACY) == ("2026-07-28", "2025-11-25")


@pytest.mark.parametrize(
    ("ability", "versions"),
    [
        ("is_modern", {"2026-07-28"}),
        ("has_audio", {"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"}),
        ("has_resource_links", {"2026-07-28", "2025-11-25", "2025-06-18"}),
        ("has_content_lists", {"2026-07-28", "2025-11-25"}),
        ("has_url_elicitation", {"2026-07-28", "2025-11-25"}),
        ("has_elicitation_complete", {"2025-11-25"}),
        ("has_tasks", {"2025-11-25"}),
    ],
)
def test_an_ability_belongs_to_the_revisions_that_have_it(ability: str, versions: set[str]) -> None:
    known = (*mcp.MODERN_VERSIONS, *mcp.LEGACY_VERSIONS)
    assert {version for version in known if getattr(mcp.features(version), ability)} == versions


@pytest.mark.parametrize("version", ["", "2023-01-01", "2099-01-01"])
def test_an_unknown_revision_counts_as_the_oldest(version: str) -> None:
    assert mcp.features(version) == mcp.features("2024-11-05")


def test_no_other_module_names_a_revision() -> None:
    root = Path(bridge.__file__).parent
    naming = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in nodes_of(path.read_text("utf-8"))
        if isinstance(node, ast.Constant) and node.value in (*mcp.MODERN_VERSIONS, *mcp.LEGACY_VERSIONS)
    }
    assert naming == {"protocol/mcp.py"}
