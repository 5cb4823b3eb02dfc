"""The set-up every script starts with: when an environment is taken or remade, and what a person is told."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import Environment, SetupError
from tests.support.waits import stretched

PYPROJECT = """
[build-system]
requires = ["hatchling"]

[project]
name = "thing"
dependencies = ["click"]

[tool.ruff]
line-length = 100
"""


class Maker:
    """Stands in for making an environment, which takes a minute and a network."""

    def __init__(self) -> None:
        self.made: list[tuple[str, list[str], list[str], bool]] = []
        self.fails = False

    def __call__(
        self,
        made: Environment,
        extras: Sequence[str],
        requirements: Sequence[str],
        *,
        project: bool,
        held: int,
    ) -> None:
        # Whoever makes one holds its lock, and hands it on to what it runs.
        assert held > 2
        self.made.append((made.folder.name, list(extras), list(requirements), project))
        made.python.parent.mkdir(parents=True, exist_ok=True)
        if self.fails:
            raise SetupError("no network")
        made.python.touch()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "__init__.py").write_text('__version__ = "1"\n')
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "WORK", tmp_path / ".work")
    return tmp_path


@pytest.fixture
def maker(root: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    stand_in = Maker()
    monkeypatch.setattr(environment, "_make", stand_in)
    return stand_in


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_finished_environment_is_taken_as_it_is(root: Path, maker: Maker) -> None:
    first = environment.environment("test", extras=["test"])
    second = environment.environment("test", extras=["test"])
    assert first == second == Environment(root / ".work" / "venv-test")
    assert maker.made == [("venv-test", ["test"], [], True)]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pyproject.toml", '"click"', '"click", "httpcore"'),
        ("pyproject.toml", '"hatchling"', '"hatchling>=1.27"'),
        ("bridge/__init__.py", '"1"', '"2"'),
    ],
)
def test_a_change_of_what_is_installed_remakes_it(root: Path, maker: Maker, file: str, old: str, new: str) -> None:
    environment.environment("test")
    edit(root / file, old, new)
    environment.environment("test")
    assert len(maker.made) == 2


def test_a_change_of_a_linter_setting_does_not(root: Path, maker: Maker) -> None:
    environment.environment("test")
    edit(root / "pyproject.toml", "line-length = 100", "line-length = 110")
    environment.environment("test")
    assert len(maker.made) == 1


def test_other_extras_or_requirements_remake_it(maker: Maker) -> None:
    environment.environment("bench", extras=["test"])
    environment.environment("bench", extras=["demo"])
    environment.environment("bench", requirements=["peer==1"], project=False)
    environment.environment("bench", requirements=["peer==2"], project=False)
    assert len(maker.made) == 4


def test_one_without_the_project_does_not_look_at_it(root: Path, maker: Maker) -> None:
    environment.environment("peer", requirements=["peer==1"], project=False)
    edit(root / "pyproject.toml", '"click"', '"httpcore"')
    environment.environment("peer", requirements=["peer==1"], project=False)
    assert len(maker.made) == 1


def test_one_that_was_never_finished_is_remade(maker: Maker) -> None:
    maker.fails = True
    with pytest.raises(SetupError, match="no network"):
        environment.environment("test")
    maker.fails = False
    environment.environment("test")
    environment.environment("test")
    assert len(maker.made) == 2


def test_one_whose_interpreter_is_gone_is_remade(maker: Maker) -> None:
    environment.environment("test").python.unlink()
    environment.environment("test")
    assert len(maker.made) == 2


def holder(root: Path, code: str) -> subprocess.Popen[bytes]:
    """Start a process that takes the lock, says so, and goes on with `code`."""
    take = (
        "import sys; from pathlib import Path; from scripts import environment\n"
        f"environment.WORK = Path({str(root / '.work')!r})\n"
        "with environment.lock('thing') as held:\n"
        "    print('held', flush=True)\n"
        f"    {code}\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", take],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    assert started.stdout.readline().strip() == b"held"
    return started


def test_the_lock_keeps_another_process_out_and_falls_with_its_holder(root: Path) -> None:
    with holder(root, "sys.stdin.read(1)") as other:
        try:
            with pytest.raises(SetupError, match="thing"), environment.lock("thing", patience=0):
                pytest.fail("both hold it")
        finally:
            other.kill()
        other.wait(stretched(10))
        with environment.lock("thing", patience=5):
            assert (root / ".work" / "thing.lock").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock that a child takes over")
def test_a_step_that_outlives_its_script_keeps_the_lock(root: Path) -> None:
    began, end = root / "began", root / "end"
    step = (
        "import pathlib, time\n"
        f"pathlib.Path({str(began)!r}).touch()\n"
        "deadline = time.monotonic() + 30\n"
        f"while not pathlib.Path({str(end)!r}).exists() and time.monotonic() < deadline: time.sleep(0.02)\n"
    )
    run = f"environment.run_step([sys.executable, '-c', {step!r}], doing='wait', timeout=30, held=held)"
    with holder(root, run) as other:
        try:
            deadline = time.monotonic() + stretched(10)
            while not began.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            other.kill()
            other.wait(stretched(10))
            with pytest.raises(SetupError, match="thing"), environment.lock("thing", patience=0):
                pytest.fail("the step is still at work")
        finally:
            other.kill()
            end.touch()
        with environment.lock("thing", patience=10):
            pass


def test_nothing_leads_an_installation_elsewhere() -> None:
    variables = {
        "PIP_USER": "1",
        "PYTHONPATH": "/elsewhere",
        "PIP_INDEX_URL": "https://example.com",
        "PATH": "/bin",
    }
    assert environment.clean_variables(variables) == {"PIP_INDEX_URL": "https://example.com", "PATH": "/bin"}


class TestWithoutEnsurepip:
    """Debian has `ensurepip`, which a virtual environment needs, in a package of its own."""

    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"

    def test_root_installs_it_and_says_so(self) -> None:
        steps, words = environment.missing_venv_advice(is_root=True, has_sudo=True, has_apt=True)
        assert [step[:2] for step in steps] == [["apt-get", "update"], ["apt-get", "install"]]
        assert steps[-1][-1] == self.package
        assert self.package in words

    def test_so_does_who_may_become_root_without_a_password(self) -> None:
        steps, words = environment.missing_venv_advice(is_root=False, has_sudo=True, has_apt=True)
        assert [step[:4] for step in steps] == [
            ["sudo", "-n", "apt-get", "update"],
            ["sudo", "-n", "apt-get", "install"],
        ]
        assert "sudo" in words

    def test_anybody_else_is_told_the_one_command(self) -> None:
        steps, words = environment.missing_venv_advice(is_root=False, has_sudo=False, has_apt=True)
        assert steps == []
        commands = [line for line in words.splitlines() if line.startswith("    ")]
        assert commands == [
            "    sudo apt-get update && sudo apt-get install -y --no-install-recommends " + self.package
        ]

    def test_a_system_without_apt_gets_no_apt_command(self) -> None:
        steps, words = environment.missing_venv_advice(is_root=True, has_sudo=True, has_apt=False)
        assert steps == []
        assert "apt" not in words
        assert "ensurepip" in words

    def test_nothing_of_a_working_environment_is_thrown_away_for_it(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The advice comes before the first change."""
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        monkeypatch.setattr("shutil.which", lambda _name: None)
        kept = root / ".work" / "venv-test" / "kept"
        kept.parent.mkdir(parents=True)
        kept.touch()
        with pytest.raises(SetupError, match="ensurepip"):
            environment.environment("test")
        assert kept.exists()


def test_an_old_python_is_told_which_one_it_needs() -> None:
    assert environment.too_old((3, 11)) is None
    assert environment.too_old((4, 0)) is None
    words = environment.too_old((3, 10))
    assert words is not None
    assert "3.11 or newer" in words
    assert "3.10" in words


def test_a_script_that_lacks_something_says_so_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_arguments: Sequence[str]) -> int:
        raise SetupError("the network is missing")

    assert environment.run_script(main) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip() == "the network is missing"


def test_a_failed_step_shows_what_it_said_and_what_it_was(root: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('no such package'); sys.exit(3)"]
    with pytest.raises(SetupError) as raised:
        environment.run_step(command, timeout=stretched(60), doing="install")
    assert "no such package" in str(raised.value)
    assert "Could not install" in str(raised.value)
    environment.run_step(command, timeout=stretched(60), doing="install", must_succeed=False)


def test_the_stamp_is_whole_or_not_there(tmp_path: Path) -> None:
    assert not environment.stamped(tmp_path, "abc")
    environment.stamp(tmp_path, "abc")
    assert environment.stamped(tmp_path, "abc")
    assert not environment.stamped(tmp_path, "abcd")
    assert json.dumps(sorted(file.name for file in tmp_path.iterdir())) == '["stamp"]'
