"""The run under Wine: what it says where it cannot be, what is put together, and what its table leaves out."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from scripts import wine, wine_python
from scripts.environment import ROOT, SetupError
from tests.support.systems import wine_rows


@pytest.mark.parametrize("name", wine_rows.REASONS)
def test_each_row_names_a_test(name: str) -> None:
    file, _, function = name.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function.partition('[')[0]}\(", source, re.MULTILINE)


def test_the_script_and_the_tests_mean_the_same_variable() -> None:
    assert wine.WINE == wine_rows.VARIABLE


# -- what is missing


@pytest.mark.parametrize(
    ("system", "machine", "version", "says"),
    [
        ("darwin", "x86_64", (3, 11), "needs Linux on x86-64"),
        ("linux", "aarch64", (3, 11), "needs Linux on x86-64"),
        ("linux", "x86_64", (3, 14), "Python 3.11, 3.12, 3.13 only"),
    ],
)
def test_what_stands_in_the_way_is_said(system: str, machine: str, version: tuple[int, int], says: str) -> None:
    assert says in (wine.what_is_missing(system, machine, version) or "")


def test_where_all_is_there_nothing_is_said() -> None:
    assert wine.what_is_missing("linux", "x86_64", (3, 11)) is None


@pytest.mark.parametrize("allowed", ["0", "1"])
def test_packages_are_installed_where_that_is_asked_for_and_else_named(
    allowed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed: list[str] = []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BRIDGE_TEST_PACKAGES", allowed)
    monkeypatch.setattr(wine, "install_packages", lambda packages, timeout: installed.extend(packages))
    with pytest.raises(SetupError, match=r"sudo apt-get install .* wine gcc-mingw-w64-x86-64$"):
        wine.provide_programs()
    assert installed == (["wine", "gcc-mingw-w64-x86-64"] if allowed == "1" else [])


# -- what runs


def test_without_arguments_the_chosen_tests_run_and_they_are_there() -> None:
    words = wine.command([], 2, [ROOT / "tests" / "test_config.py"])
    assert words[:2] == ["-m", "pytest"]
    assert "--timeout=600" in words
    assert words[-5:] == [*wine.TESTS, "tests/test_config.py"]
    assert all((ROOT / place).exists() for place in wine.TESTS)


def test_arguments_are_pytests() -> None:
    assert wine.command(["-x", "tests/store"], 2, [ROOT / "tests" / "test_config.py"])[-2:] == ["-x", "tests/store"]


def test_the_smoke_test_has_the_command_that_was_made_and_the_rows_that_wine_shows() -> None:
    words = wine.command(["--smoke"], 2, [])
    assert words[:2] == ["scripts/smoke.py", "--program"]
    assert words[2].endswith("\\.work\\wine\\python\\mcp-remote-bridge.exe")
    assert tuple(words[3:]) == wine.ROWS
    assert wine.command(["--smoke", "eof"], 2, [])[3:] == ["eof"]


def test_windows_folders_are_those_of_wine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wine, "HOME", tmp_path)
    told = wine.wine_variables({"APPDATA": "/a", "HTTPS_PROXY": "http://p", "PATH": "/bin", "WINEPREFIX": "/mine"})
    assert {"APPDATA", "LOCALAPPDATA", "USERPROFILE", "HTTPS_PROXY"} & set(told) == set()
    assert (told["PATH"], told["HOME"], told["WINEPREFIX"]) == ("/bin", str(tmp_path), str(wine_python.PREFIX))


# -- what is put together


def test_packages_are_those_of_the_project_without_tools() -> None:
    project = {"dependencies": ["click>=8"], "optional-dependencies": {"test": ["pytest>=9", "ruff>=0.17", "mypy"]}}
    wanted = wine_python.packages(project)
    assert wanted[:2] == ["click>=8", "pytest>=9"]
    assert {"pywin32", "colorama", "distlib"} <= set(wanted)
    assert not [text for text in wanted if text.startswith(("ruff", "mypy"))]


def test_the_wheels_files_are_laid_as_an_installation_has_them(tmp_path: Path) -> None:
    wheel, python = tmp_path / "a.whl", tmp_path / "python"
    (python / "DLLs").mkdir(parents=True)
    members = [
        "deploy_libs/python311.dll",
        "deploy_libs/_ssl.pyd",
        "panda3d/core.pyd",
        "deploy_libs/../evil.dll",
        "deploy_libs/_wmi.pyd",
    ]
    with zipfile.ZipFile(wheel, "w") as packed:
        for member in members:
            packed.writestr(member, member)
    wine_python.lay_windows_files(wheel, python)
    assert sorted(path.relative_to(python).as_posix() for path in python.rglob("*.*")) == [
        "DLLs/_ssl.pyd",
        "python311.dll",
    ]


def test_a_wheel_without_them_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as packed:
        packed.writestr("panda3d/core.pyd", "")
    with pytest.raises(SetupError, match="holds no deploy_libs/"):
        wine_python.lay_windows_files(tmp_path / "a.whl", tmp_path)


@pytest.mark.parametrize("before", ["", "+base[   1]  0000 "], ids=["2.40", "2.42"])
def test_the_names_of_a_dll_become_forwarders(before: str) -> None:
    listing = (
        "Export Address Table -- Ordinal Base 1\n\t[   0] +base[   1] 221a4c Export RVA\n\n"
        "[Ordinal/Name Pointer] Table\n"
        f"\t[   0] {before}PyAIter_Check\n\t[   1] {before}_Py_write\n\nThe Function Table"
    )
    names = wine_python.exported(listing)
    assert names == ["PyAIter_Check", "_Py_write"]
    assert wine_python.forwarders(names, "python311").splitlines() == [
        "LIBRARY python3.dll",
        "EXPORTS",
        "  PyAIter_Check = python311.PyAIter_Check",
        "  _Py_write = python311._Py_write",
    ]


def test_a_command_is_the_launcher_its_python_and_what_runs() -> None:
    made = wine_python.command_file(b"MZ launcher", "Z:\\a b\\python.exe")
    head, _, packed = made.partition(b"\r\n")
    assert head == b'MZ launcher#!"Z:\\a b\\python.exe"'
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert b"bridge.cli.main" in archive.read("__main__.py")


def test_wine_names_a_path_from_its_root() -> None:
    assert wine_python.windows_path(Path("/work tree/bridge")) == "Z:\\work tree\\bridge"
