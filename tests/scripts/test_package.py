"""What a release consists of: `scripts/package.py`, and the page that says what its packages are for."""

import re
import tomllib
from pathlib import Path

import pytest

from scripts import package as package_script
from scripts.environment import SetupError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_page_on_packages_names_each_that_is_required() -> None:
    page = (ROOT / "docs" / "decisions" / "packages.md").read_text(encoding="utf-8")
    first, _, _ = page.partition("\n## ")  # Later tables have packages that were tried and not taken.
    rows = re.findall(r"^\| ([a-z][\w., -]*?) \|", first, re.MULTILINE)
    named = {name for row in rows if row != "package" for name in row.split(", ")}
    assert named == {re.split(r"[\[<>=;]", line)[0].strip() for line in PROJECT["project"]["dependencies"]}


def test_the_build_uses_the_backend_that_an_installation_uses() -> None:
    [backend] = PROJECT["build-system"]["requires"]
    assert backend in package_script.TOOLS


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_script, "environment", lambda *_, **__: None)
    (tmp_path / "kept").touch()
    with pytest.raises(SetupError, match="is not empty"):
        package_script.package(tmp_path)
    assert (tmp_path / "kept").exists()


def test_a_misspelt_option_builds_nothing() -> None:
    with pytest.raises(SetupError, match="usage:"):
        package_script.main(["--help"])
