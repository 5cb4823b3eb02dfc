"""`scripts/debian.py`: what it needs and says, and what of this machine reaches the system that the tests run in."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import debian
from scripts.environment import SetupError
from tests.support.waits import stretched

ROOT = Path(__file__).parents[2]
ALL = {"debootstrap", "unshare", "setpriv", "chroot", "mount"}


def test_the_arguments_after_the_suite_are_pytests() -> None:
    suite, folder, rest = debian.options(["trixie", "-x", "tests/translate"])
    assert (suite, folder.name, rest) == ("trixie", "debian", ["-x", "tests/translate"])
    assert debian.options(["forky", "--under", "/srv/systems", "-x"]) == ("forky", Path("/srv/systems"), ["-x"])


@pytest.mark.parametrize("wrong", [[], ["-x"], ["../trixie"], ["trixie", "--under"]], ids=" ".join)
def test_what_was_misspelt_says_how_it_is_used(wrong: list[str]) -> None:
    with pytest.raises(SetupError, match=r"^usage: python3 scripts/debian\.py SUITE"):
        debian.options(wrong)


@pytest.mark.parametrize(
    ("platform", "is_root", "there", "says"),
    [
        ("darwin", True, ALL, "needs Linux"),
        ("linux", False, ALL, "sudo python3"),
        ("linux", True, ALL - {"debootstrap"}, "apt-get install debootstrap"),
        ("linux", True, ALL - {"unshare"}, "needs unshare, from util-linux"),
    ],
)
def test_what_stands_in_the_way_is_said(platform: str, is_root: bool, there: set[str], says: str) -> None:
    missing = debian.what_is_missing(platform, is_root=is_root, which=lambda name: name if name in there else None)
    assert missing is not None
    assert says in missing


def test_where_all_is_there_nothing_is_said() -> None:
    assert debian.what_is_missing("linux", is_root=True, which=lambda name: name) is None


def test_only_what_the_networks_programs_are_told_passes_in() -> None:
    given = {
        "PIP_CERT": "/etc/ca.crt",
        "npm_config_cafile": "/etc/ca.crt",
        "https_proxy": "http://p:1",
        "CI": "true",
        "PATH": "/home/me/bin",
        "HOME": "/home/me",
        "SECRET_TOKEN": "x",
        "MCP_BRIDGE_URL": "http://h",
        "BRIDGE_TEST_SLOWNESS": "3",
        "PYTHONPATH": "/home/me",
    }
    passed = debian.passed_variables(given)
    assert {name: passed[name] for name in ("PIP_CERT", "npm_config_cafile", "https_proxy", "CI")} == {
        name: given[name] for name in ("PIP_CERT", "npm_config_cafile", "https_proxy", "CI")
    }
    assert (passed["BRIDGE_TEST_SLOWNESS"], passed["BRIDGE_TEST_PACKAGES"]) == ("3", "1")
    assert (passed["HOME"], "me" in passed["PATH"]) == ("/root", False)
    assert {"SECRET_TOKEN", "MCP_BRIDGE_URL", "PYTHONPATH"} & set(passed) == set()


def test_folders_that_settings_name_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("packages/simple", "wheels"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(debian, "_FOR_PACKAGES", (tmp_path.parts[1],))
    text = (
        f"extra-index-url = file://{tmp_path}/packages/simple https://h.example{tmp_path}\nfind-links = {tmp_path}/none"
    )
    top = str(Path(*tmp_path.parts[:3]))
    assert debian.named_folders([text]) == [top]
    assert debian.named_folders([f"https://h.example{tmp_path}/wheels", "/usr/lib", "nothing"]) == []


def test_the_commit_is_laid_out_afresh_and_the_environments_stay(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    (tmp_path / ".work" / "venv-test").mkdir(parents=True)
    (tmp_path / "left" / "over").mkdir(parents=True)
    (tmp_path / "bridge").symlink_to("left")
    debian.lay_commit(tmp_path)
    assert (tmp_path / "bridge" / "__init__.py").is_file()
    assert (tmp_path / ".work" / "venv-test").is_dir()
    assert not (tmp_path / "left").exists()
    assert not (tmp_path / "commit.tar").exists()


@pytest.mark.skipif(
    sys.platform != "linux"
    or os.geteuid() != 0
    or debian.what_is_missing("linux", is_root=True, which=shutil.which) is not None,
    reason="this needs root, and util-linux",
)
def test_a_run_that_is_killed_leaves_no_mount_and_no_process(tmp_path: Path) -> None:
    """With a stand-in for `chroot`: what is there afterwards is the matter, not what runs inside."""
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_in = programs / "chroot"
    stand_in.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    stand_in.chmod(0o755)
    root = tmp_path / "root"
    for name in ("dev", "proc", "sys"):
        (root / name).mkdir(parents=True)
    marker = f"marker-{os.getpid()}"
    inside = (
        f"print(open('/proc/self/mountinfo').read().count({str(root)!r}), flush=True); import time; time.sleep(600)"
    )
    program = (
        "import sys; from pathlib import Path; from scripts.debian import run;"
        "sys.exit(run(Path(sys.argv[1]), [], sys.argv[2:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root), sys.executable, "-c", inside, marker],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) >= 3, "it has mounts"
        running.kill()
    deadline = time.monotonic() + stretched(10)
    while running_with(marker):
        assert time.monotonic() < deadline, "what ran inside is still there"
        time.sleep(0.02)
    assert str(root) not in Path("/proc/self/mountinfo").read_text()


def running_with(marker: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in place.read_bytes():
                found.append(place.parent.name)
        except OSError:
            continue
    return found
