"""What an index and a type checker are told of the package."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_package_says_that_it_is_typed() -> None:
    """hatchling packs every file of the folder that git does not ignore."""
    assert (ROOT / "bridge" / "py.typed").read_bytes() == b""
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert (wheel["packages"], wheel.keys() - {"core-metadata-version"}) == (["bridge"], {"packages"})
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert not any("typed" in pattern for pattern in ignored)


def test_an_index_is_told_of_addresses_and_they_are_whole() -> None:
    urls = PROJECT["project"]["urls"]
    assert urls
    assert all(url.startswith("https://") for url in urls.values())


def test_everything_that_is_packed_exists() -> None:
    for name in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        assert (ROOT / name.removeprefix("/")).exists(), name
