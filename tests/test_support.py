"""The page on the tests' fakes names each of them."""

import re
from pathlib import Path

SUPPORT = Path(__file__).parent / "support"


def test_the_page_names_each_file_in_the_part_on_its_folder() -> None:
    text = (SUPPORT / "README.md").read_text(encoding="utf-8")
    parts = re.split(r"^#+ ", text, flags=re.MULTILINE)
    for folder in (SUPPORT, *(path for path in SUPPORT.iterdir() if path.is_dir() and path.name != "__pycache__")):
        heading = "All of it" if folder == SUPPORT else f"`{folder.name}/`"
        (part,) = (part for part in parts if heading in part.partition("\n")[0])
        rows = "".join(line for line in part.splitlines() if line.startswith("|"))
        named = set(re.findall(r"`(\w+)`", rows))
        missing = {path.stem for path in folder.glob("*.py")} - {"__init__"} - named
        assert missing == set(), f"in the part {heading} of tests/support/README.md"
