"""The page of the hosts is what the table says."""

from bridge.inventory.host_table import HOSTS
from scripts.hosts_page import COMMAND, PAGE, page


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), COMMAND


def test_each_host_has_a_section_with_its_files_and_an_entry() -> None:
    text = page()
    for row in HOSTS:
        _, _, section = text.partition(f"## {row.name}\n")
        section = section.partition("\n## ")[0]
        assert f"install {row.key} URL" in section
        assert "https://mcp.example.com/mcp" in section
        assert row.source in section
        for paths in row.files.values():
            assert all(f"`{path}`" in section for path in paths)
