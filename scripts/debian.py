"""Run the tests on a Debian release's Python: `python3 scripts/debian.py SUITE [--under FOLDER] [pytest arguments]`.

SUITE is a release as Debian's mirrors name it: trixie (Python 3.13), forky (3.14). debootstrap puts a minimal system
of it together under `.work/debian` or FOLDER, once; the last commit is laid into it, and `scripts/test.py` runs there
as on a fresh machine that has python3 and git. This needs Linux, root, and debootstrap.

The run has mounts and processes of its own, in namespaces. The kernel ends them with it, however it ends, so no mount
is ever left behind. The network is this machine's, and what pip, npm and certificates are told here holds there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.environment import ROOT, WORK, SetupError, lock, remove, run_script, run_step, stamp, stamped

USAGE = "usage: python3 scripts/debian.py SUITE [--under FOLDER] [pytest arguments]"
PACKAGES = "python3,git,ca-certificates"
"""What the README asks of a machine, and the certificates that pip needs."""

BUILD_LIMIT = 1200.0
LOCK_PATIENCE = 4 * 3600.0
"""Seconds to wait for another run in the same system."""
SUMMARY_PATIENCE = 90.0
"""Seconds that an interrupted run gets to say what failed."""

_SCRIPTS = Path("/usr/share/debootstrap/scripts")
_CHECKOUT = "root/checkout"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_SETTINGS = ("/etc/resolv.conf", "/etc/hosts", f"/{_CERTIFICATES}", "/etc/pip.conf", "/etc/xdg/pip", "/etc/npmrc")
_OWN_SETTINGS = (".config/pip", ".pip", ".npmrc")
_VARIABLES = re.compile(
    r"(PIP|NPM_CONFIG|npm_config|GIT_SSL|BRIDGE_TEST|SSL_CERT)_\w+|\w+_(?i:proxy)|NODE_EXTRA_CA_CERTS|CURL_CA_BUNDLE"
    r"|REQUESTS_CA_BUNDLE|CI|TERM|COLUMNS"
)
_FOR_PACKAGES = ("home", "mnt", "opt", "srv")
_PATH = re.compile(r"(?<![\w/:])(?:file://)?(/[\w.+/-]+)")

# The first process of the run: it mounts, starts the tests, passes a wish to end on to them, and takes over what they
# leave behind. `env` has the interrupt heeded again, which a shell's background ignores.
_FIRST = """
root=$1; shift
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind -o ro /sys "$root/sys"
while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind -o ro "$1" "$root$1"; shift; done
shift
env --default-signal=INT chroot "$root" "$@" &
tests=$!
trap 'kill -TERM "$tests"' TERM
status=0
while kill -0 "$tests" 2>/dev/null; do wait "$tests" && status=0 || status=$?; done
exit "$status"
"""


def main(arguments: Sequence[str]) -> int:
    """Make the system if it is not there, lay the commit into it, and run the tests; returns their exit code."""
    suite, folder, rest = options(arguments)
    missing = what_is_missing(sys.platform, is_root=sys.platform != "win32" and os.geteuid() == 0, which=shutil.which)
    if missing:
        raise SetupError(missing)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / suite
    with lock(f"debian-{suite}", LOCK_PATIENCE):
        make(root, suite)
        copy_settings(root, Path.home())
        lay_commit(root / _CHECKOUT)
        variables = passed_variables(os.environ)
        words = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        words += ["sh", "-c", f'cd /{_CHECKOUT} && python3 --version && exec python3 scripts/test.py "$@"', "sh", *rest]
        return run(root, named_folders([*variables.values(), *settings_text(Path.home())]), words)


def options(arguments: Sequence[str]) -> tuple[str, Path, list[str]]:
    """Return the suite, the folder the systems are in, and what is for pytest. Raises `SetupError`."""
    if not arguments or not re.fullmatch(r"[a-z]+", arguments[0]):
        raise SetupError(USAGE)
    suite, *rest = arguments
    if rest[:1] != ["--under"]:
        return suite, WORK / "debian", rest
    if len(rest) < 2:
        raise SetupError(USAGE)
    return suite, Path(rest[1]).absolute(), rest[2:]


def what_is_missing(platform: str, *, is_root: bool, which: Callable[[str], str | None]) -> str | None:
    """Say what stands in the way here, and what to do about it; nothing where it can be done."""
    if platform != "linux":
        return "This needs Linux: a Debian system is run in a folder."
    if not is_root:
        return f"This needs root, for a Debian system is run in a folder: sudo python3 {' '.join(sys.argv)}"
    if which("debootstrap") is None:
        return "This needs debootstrap: apt-get install debootstrap"
    programs = [name for name in ("unshare", "setpriv", "chroot", "mount") if which(name) is None]
    return f"This needs {', '.join(programs)}, from util-linux and coreutils." if programs else None


def make(root: Path, suite: str) -> None:
    """Put a minimal system together in `root`, unless that was done. Raises `SetupError`."""
    content = f"{suite} {PACKAGES}"
    if stamped(root, content):
        return
    print(f"Preparing Debian {suite} in {root} (once; a minute or two).", flush=True)
    remove(root)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root)]
    if not (_SCRIPTS / suite).exists():
        # A release that is younger than this debootstrap is put together as the development release is.
        command += [mirror(), str(_SCRIPTS / "sid")]
    run_step(command, timeout=BUILD_LIMIT, doing=f"put Debian {suite} together (is the network there?)")
    stamp(root, content)


def mirror() -> str:
    """Return the mirror that this machine's own packages come from. Raises `SetupError`."""
    listing = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(listing, capture_output=True, text=True, timeout=60, check=False).stdout
    for origin, release, uri in (line.split() for line in said.splitlines() if line.count(" ") == 2):
        if origin == "Debian" and "security" not in release:
            return uri
    raise SetupError("This machine's debootstrap is too old for that release, and apt-get names no Debian mirror.")


def copy_settings(root: Path, home: Path) -> None:
    """Copy what this machine tells the network's programs."""
    places = {Path(name): root / name.lstrip("/") for name in _SETTINGS}
    places |= {home / name: root / "root" / name for name in _OWN_SETTINGS}
    for source, target in places.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)


def lay_commit(checkout: Path) -> None:
    """Lay the last commit out as a fresh checkout; only the environments under `.work` stay from the run before."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    if changed.stdout.strip():
        print("What is not committed is left out.", flush=True)
    checkout.mkdir(parents=True, exist_ok=True)
    for entry in checkout.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            if entry.name != WORK.name:
                remove(entry)
        else:
            entry.unlink()
    packed = checkout / "commit.tar"
    run_step(["git", "archive", f"--output={packed}", "HEAD"], timeout=120, doing="pack the last commit")
    run_step(["tar", "-xf", str(packed), "-C", str(checkout)], timeout=120, doing="lay the commit out")
    packed.unlink()


def passed_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the run: a plain machine's, and what the network's programs are told here."""
    plain = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    # It is a system for nothing else, so its packages are nobody's.
    plain["BRIDGE_TEST_PACKAGES"] = "1"
    return plain | {name: value for name, value in environ.items() if _VARIABLES.fullmatch(name)}


def settings_text(home: Path) -> Iterator[str]:
    """Yield the text of pip's settings here."""
    for place in (*map(Path, _SETTINGS), *(home / name for name in _OWN_SETTINGS)):
        for file in (place, place / "pip.conf"):
            if file.is_file() and file.suffix != ".crt":
                yield file.read_text(encoding="utf-8", errors="replace")


def named_folders(texts: Iterable[str]) -> list[str]:
    """Return the folders of this machine that settings name, such as one with packages; its system's own are not meant.

    An index and its files are beside one another, so it is two levels: of `/srv/packages/simple`, `/srv/packages`.
    """
    named = {Path(match[1]) for text in texts for match in _PATH.finditer(text)}
    return sorted({str(Path(*path.parts[:3])) for path in named if path.parts[1] in _FOR_PACKAGES and path.is_dir()})


def run(root: Path, folders: Sequence[str], words: Sequence[str]) -> int:
    """Run `words` in the system, with `folders` of this machine in their places; returns the exit code.

    Where this script is killed the kernel kills the first process of the run, and all that is in there goes with it.
    """
    inside = ["sh", "-e", "-c", _FIRST, "sh", str(root), *folders, "--", *words]
    namespaces = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    with (
        subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *namespaces, *inside], stdin=subprocess.DEVNULL) as process,
        passed_on(process.pid),
    ):
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal has told the tests as well: they say what failed.
            try:
                process.wait(SUMMARY_PATIENCE)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
            raise


@contextlib.contextmanager
def passed_on(namespaces: int) -> Iterator[None]:
    """Pass wishes to end on to the first process of the run, the only child of the one that made its namespaces."""

    def tell(number: int, frame: object) -> None:
        children = Path(f"/proc/{namespaces}/task/{namespaces}/children").read_text(encoding="ascii").split()
        for child in children:
            os.kill(int(child), signal.SIGTERM)

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(run_script(main))
