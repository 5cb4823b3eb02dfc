"""`constraints.txt` is in step with `pyproject.toml`, whole for every system, and leads nowhere."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
ENTRIES = re.findall(r"^([\w.-]+)==([^\s;\\]+)((?:.*\\\n)+.*)", TEXT, re.MULTILINE)
PINNED = {(canonicalize_name(name), version) for name, version, _ in ENTRIES}
"""Two versions of one package, where systems need different ones."""
NAMES = {name for name, _ in PINNED}
CALENDAR = {"cryptography"}
"""What has a new major version every few months, and no upper bound."""

SYSTEMS = [
    {"sys_platform": system, "platform_system": name, "os_name": kind, "python_version": version}
    | {"python_full_version": f"{version}.0", "extra": ""}
    for system, name, kind in (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
    for version in ("3.11", "3.12", "3.13", "3.14")
]


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    for wanted in WANTED:
        pins = [version for name, version in PINNED if name == canonicalize_name(wanted.name)]
        assert any(map(wanted.specifier.contains, pins)), wanted


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_every_dependency_is_bounded_below_and_above(wanted: Requirement) -> None:
    above = [] if wanted.name in CALENDAR and "!= 'darwin'" in str(wanted.marker).replace('"', "'") else ["<"]
    assert sorted(bound.operator for bound in wanted.specifier) == [*above, ">="]


def test_every_pin_has_hashes_and_nothing_else_is_there() -> None:
    hashes = "".join(rest for _, _, rest in ENTRIES)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}(\s|$)", rest) for _, _, rest in ENTRIES)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", hashes)) == TEXT.count("--hash")
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.match(r"[\w.-]+==|    --hash=", line)] == []


def test_no_address_of_an_index_is_in_it() -> None:
    assert re.search(r"://|^--|^-[a-z]", TEXT, re.MULTILINE) is None


def test_what_a_pinned_package_needs_is_pinned_too() -> None:
    """Were one missing, nothing could be installed, since each needs its hashes; as far as they are installed here."""
    for name, version in PINNED:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # Of another system, or of an older Python.
            continue
        if metadata.version(name) != version:
            continue
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate(system) for system in SYSTEMS):
                assert canonicalize_name(need.name) in NAMES, f"{name} needs {need}"


def test_the_readme_says_how_to_install_with_it() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 'pipx install --backend uv --pip-args="--constraint constraints.txt" .' in readme
    assert "pip install --require-hashes -r constraints.txt" in readme
