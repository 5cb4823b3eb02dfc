"""Finds another bridge in the command line of a host's entry.

| words | what is found |
|---|---|
| `npx -y mcp-remote@0.1.38 URL`, `bunx`, `pnpm dlx`, `yarn dlx`, `npm exec`, `deno run npm:mcp-remote` | `mcp-remote` |
| `npx --package mcp-remote mcp-remote URL` | `mcp-remote` |
| `node .../mcp-remote/dist/proxy.js URL`, `mcp-remote URL` | `mcp-remote` |
| `cmd /c npx mcp-remote URL` | `mcp-remote` |
| `uvx mcp-proxy URL`, `uv tool run`, `uv run`, `pipx run`, `python -m mcp_proxy` | `mcp-proxy` |
| `sh -c "npx mcp-remote ..."`, `env A=b npx mcp-remote ...`, `docker run mcp-remote` | a reason to leave the entry |
| `npx -p mcp-remote mcp-remote-client URL` | the same: it tries a connection and serves no host |

Two names stand for different programs in the two registries: npm's `mcp-proxy` serves a local program over HTTP and is
no client, and PyPI's `mcp-remote` is another program. Neither is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Program = Literal["mcp-remote", "mcp-stdio", "supergateway", "mcp-proxy"]

NPM_PROGRAMS: tuple[Program, ...] = ("mcp-remote", "supergateway")
PYPI_PROGRAMS: tuple[Program, ...] = ("mcp-stdio", "mcp-proxy")

_TEST_CLIENT = "mcp-remote-client"
_ENDING = re.compile(r"\.(exe|cmd|bat|ps1)$", re.IGNORECASE)
_VERSION = re.compile(r"(\[[^\]]*\])?([@=~<>!].*)?$")
_SCRIPT = re.compile(r"(?:^|[/\\])(mcp-remote|supergateway)[/\\]dist[/\\](proxy|client|index)\.m?js$")
_NODE_PATH = re.compile(r"[/\\]\.bin[/\\](mcp-remote-client|mcp-remote|supergateway)$")
_MENTIONED = re.compile(r"(?<![\w-])(mcp-remote|supergateway|mcp-stdio|mcp-proxy)(?![\w-])")
_REPLACED_BY_CMD = re.compile(r"%[A-Za-z_]\w*%")
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "fish", "ksh", "pwsh", "powershell"))
_WRAPPERS = frozenset(("env", "sudo", "nohup", "wsl", "docker", "podman", "nix", "nix-shell", "mise", "direnv", "op"))


@dataclass(frozen=True, slots=True)
class OldCommand:
    """Another bridge, and the words that it is given. They may hold secrets."""

    program: Program
    arguments: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotReadable:
    """A command line that names another bridge and that cannot be turned into ours; `why` is a whole sentence."""

    program: str
    why: str


@dataclass(frozen=True, slots=True)
class _Runner:
    """A program that runs another: the words before the package, and the options that take the next word.

    `package_options` name the package, and then the next word that is no option names its program.
    """

    before: tuple[tuple[str, ...], ...]
    programs: tuple[Program, ...]
    with_value: frozenset[str] = frozenset()
    package_options: frozenset[str] = frozenset()
    call_options: frozenset[str] = frozenset()
    module_options: frozenset[str] = frozenset()
    is_python: bool = False


_NPM_VALUES = frozenset(
    ("--registry", "--cache", "--userconfig", "--loglevel", "--prefix", "--node-options", "-w", "--workspace")
)
_NPM_PACKAGE = frozenset(("-p", "--package"))
_UV_VALUES = frozenset(
    (
        *("--python", "-p", "--with", "--with-requirements", "--index", "--index-url", "-i", "--extra-index-url"),
        *("--default-index", "--find-links", "-f", "--cache-dir", "--directory", "--project", "--config-file"),
        *("--env-file", "--extra", "--group", "--color", "--constraints", "-c", "--overrides", "--python-preference"),
    )
)
_PYTHON_VALUES = frozenset(("-X", "-W"))
_MODULE = frozenset(("-m",))

# How each is called: npm 11, pnpm 10, Yarn 4, Bun 1.3, Deno 2, uv 0.9, pipx 1.8 (their help), Python's own help.
_RUNNERS: dict[str, _Runner] = {
    "npx": _Runner(((),), NPM_PROGRAMS, _NPM_VALUES, _NPM_PACKAGE, frozenset(("-c", "--call"))),
    "npm": _Runner((("exec",), ("x",)), NPM_PROGRAMS, _NPM_VALUES, _NPM_PACKAGE, frozenset(("-c", "--call"))),
    "bunx": _Runner(((),), NPM_PROGRAMS, frozenset(), _NPM_PACKAGE),
    "bun": _Runner((("x",),), NPM_PROGRAMS, frozenset(), _NPM_PACKAGE),
    "pnpx": _Runner(((),), NPM_PROGRAMS, frozenset(), frozenset(("--package",)), frozenset(("-c", "--shell-mode"))),
    "pnpm": _Runner((("dlx",),), NPM_PROGRAMS, frozenset(("-C", "--dir")), frozenset(("--package",))),
    "yarn": _Runner((("dlx",),), NPM_PROGRAMS, frozenset(), _NPM_PACKAGE),
    "deno": _Runner((("run",), ("x",)), NPM_PROGRAMS, frozenset(("--config", "--import-map", "--cert"))),
    "uvx": _Runner(((),), PYPI_PROGRAMS, _UV_VALUES, frozenset(("--from",))),
    "uv": _Runner((("tool", "run"), ("run",)), PYPI_PROGRAMS, _UV_VALUES, frozenset(("--from",)), frozenset(), _MODULE),
    "pipx": _Runner(
        (("run",),),
        PYPI_PROGRAMS,
        frozenset(("--python", "--pip-args", "--index-url", "-i")),
        frozenset(("--spec",)),
    ),
    "python": _Runner(((),), PYPI_PROGRAMS, _PYTHON_VALUES, module_options=_MODULE, is_python=True),
}


def old_command(words: Sequence[str]) -> OldCommand | NotReadable | None:
    """What other bridge the words of an entry, its command first, run; None where they run something else."""
    given, words = words, _without_cmd(words)
    if not words:
        return None
    if len(words) < len(given) and any(map(_REPLACED_BY_CMD.search, words)):
        return _wrapped("cmd", ["cmd", *words])
    name = _name(words[0])
    if name == "node" or (name in {"bun", "tsx"} and len(words) > 1 and _script(words[1])):
        found = _of_node(words)
    elif name in _RUNNERS or re.fullmatch(r"(python|pypy)[\d.]*|py", name):
        found = _of_runner(name if name in _RUNNERS else "python", words)
    elif name in (*NPM_PROGRAMS, *PYPI_PROGRAMS, _TEST_CLIENT):
        found = _of_program(name, words[1:])
    else:
        found = None
    return found or _wrapped(name, words)


def _without_cmd(words: Sequence[str]) -> list[str]:
    """The words without `cmd /c`, in which a host on Windows wraps programs that are scripts."""
    words = list(words)
    if not words or _name(words[0]) != "cmd":
        return words
    rest = words[1:]
    while rest and re.fullmatch(r"/[a-z]", rest[0], re.IGNORECASE):
        is_command = rest.pop(0).lower() in {"/c", "/k"}
        if is_command and len(rest) != 1:
            return rest
    return words  # `cmd /c "npx mcp-remote ..."` is one text, which only cmd can split.


def _of_runner(name: str, words: Sequence[str]) -> OldCommand | NotReadable | None:
    runner = _RUNNERS[name]
    place = _after_command(runner, words)
    package = ""
    while 0 < place < len(words):
        word = words[place]
        option, equals, value = word.partition("=")
        next_word = words[place + 1] if place + 1 < len(words) else ""
        if word in runner.call_options:
            return _wrapped(name, words, always=True)
        if word in runner.module_options:
            return _of_program(next_word.replace("_", "-"), words[place + 2 :], runner.programs)
        if option in runner.package_options:
            package = value if equals else next_word
        elif not word.startswith("-"):
            return _of_package(runner, package, words[place:])
        takes_next = not equals and (option in runner.package_options or option in runner.with_value)
        place += 2 if takes_next else 1
    return None


def _of_package(runner: _Runner, package: str, words: Sequence[str]) -> OldCommand | NotReadable | None:
    """What a runner runs; `package` is what its options name, and the first of `words` a package or a program in it."""
    program, rest = _package(words[0]), list(words[1:])
    if runner.is_python or (package and _package(package) not in (program, program.removesuffix("-client"))):
        return None
    if rest[:1] == ["--"]:
        rest = rest[1:]
    return _of_program(program, rest, runner.programs)


def _after_command(runner: _Runner, words: Sequence[str]) -> int:
    """The place after the runner's own command, as in `pnpm dlx`; 0 if there is none."""
    if () in runner.before:
        return 1
    place = 1
    while place < len(words) and words[place].startswith("-"):
        place += 2 if "=" not in words[place] and words[place] in runner.with_value else 1
    for before in runner.before:
        if tuple(words[place : place + len(before)]) == before:
            return place + len(before)
    return 0


def _of_node(words: Sequence[str]) -> OldCommand | NotReadable | None:
    place = 1
    while place < len(words) and words[place].startswith("-"):
        with_value = words[place] in {"-r", "--require", "--import", "--loader", "--experimental-loader"}
        place += 2 if with_value else 1
    if place >= len(words):
        return None
    program = _script(words[place])
    return _of_program(program, words[place + 1 :]) if program else None


def _script(path: str) -> str:
    """The program whose file this is; empty for any other."""
    if found := _SCRIPT.search(path):
        return _TEST_CLIENT if (found[1], found[2]) == ("mcp-remote", "client") else found[1]
    found = _NODE_PATH.search(path)
    return found[1] if found else ""


def _of_program(
    name: str, arguments: Sequence[str], programs: Sequence[Program] = (*NPM_PROGRAMS, *PYPI_PROGRAMS)
) -> OldCommand | NotReadable | None:
    if name == _TEST_CLIENT:
        return NotReadable(name, "mcp-remote-client only tries a connection. It serves no host.")
    for program in programs:
        if name == program:
            return OldCommand(program, tuple(arguments))
    return None


def _wrapped(name: str, words: Sequence[str], *, always: bool = False) -> NotReadable | None:
    """The reason to leave a command line in which another program, such as a shell, runs the old one."""
    if not (always or name in _SHELLS or name in _WRAPPERS or name == "cmd"):
        return None
    mentioned = next((found[1] for word in words[1:] if (found := _MENTIONED.search(word))), "")
    if not mentioned:
        return None
    return NotReadable(
        mentioned, f"{name} runs {mentioned} here, and what {name} does besides cannot be read from the entry."
    )


def _name(word: str) -> str:
    return _ENDING.sub("", re.split(r"[/\\]", word)[-1]).lower()


def _package(word: str) -> str:
    """The name in `mcp-remote@1.2`, `mcp-proxy==0.8` or `npm:mcp-remote`. Another owner's package keeps its slash."""
    if word.startswith("@"):
        return word
    return _VERSION.sub("", word.removeprefix("npm:")).lower().replace("_", "-")
