"""Which processes above this one are launchers: they start a program, wait for it, and are not the host.

| kind | names, without `.exe` | why it stays while the bridge runs |
|---|---|---|
| shells | `sh`, `bash`, `cmd` ... | `cmd /c` always waits, `sh -c` where it cannot exec |
| Node's package runners | `npx`, `npm`, `pnpm` ... | Node has no exec |
| Python's | `uv`, `uvx`, `pipx` ... | Windows has no exec; uv waits everywhere |
| starters of Python on Windows | `py`, `mcp-remote-bridge` | the program in `Scripts` starts `python.exe` and waits |
| what adds something | `sudo`, `timeout`, `op` ... | it adds rights, a limit or secrets to one program |
| any with this process's own arguments | `python` ... | a virtual environment's starts the real one (PEP 405) |

Node and Python themselves are hosts as often, so of those the script's name decides; npm calls itself by its title.
A desktop's or a system's own process starts programs and owns none of them, so nothing follows from its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LAUNCHERS = frozenset(
    [
        "ash",
        "bash",
        "busybox",
        "cmd",
        "csh",
        "dash",
        "fish",
        "ksh",
        "mksh",
        "nu",
        "powershell",
        "pwsh",
        "sh",
        "tcsh",
        "zsh",
        "bunx",
        "corepack",
        "npm",
        "npm-cli",
        "npx",
        "npx-cli",
        "pnpm",
        "pnpx",
        "yarn",
        "yarnpkg",
        "conda",
        "hatch",
        "mamba",
        "micromamba",
        "pdm",
        "pipenv",
        "pipx",
        "pixi",
        "poetry",
        "py",
        "pyw",
        "rye",
        "uv",
        "uvx",
        "mcp-remote-bridge",
        "dbus-run-session",
        "direnv",
        "doas",
        "doppler",
        "dotenv",
        "dotenvx",
        "env",
        "infisical",
        "mise",
        "nice",
        "op",
        "script",
        "stdbuf",
        "su",
        "sudo",
        "time",
        "timeout",
        "xvfb-run",
    ]
)
_OWNERS_OF_NOTHING = frozenset({"explorer", "init", "launchd", "services", "svchost", "systemd", "userinit"})
_INTERPRETERS = r"(node|nodejs|pythonw?[0-9.]*)"
_ENDINGS = (".exe", ".js", ".cjs", ".mjs", ".py", ".cmd")


def is_launcher(name: str, arguments: Sequence[str], own: Sequence[str]) -> bool:
    """Whether the process of this name, with these arguments, only started another.

    `arguments` begin with the program, and are empty where the system does not tell them; `own` are this process's.
    """
    if len(own) > 1 and list(arguments[1:]) == list(own[1:]):
        return True
    program = _plain(name)
    if program in _LAUNCHERS:
        return True
    return re.fullmatch(_INTERPRETERS, program) is not None and not _LAUNCHERS.isdisjoint(_said_to_be(arguments))


def owns_its_children(name: str) -> bool:
    """Whether the end of a process of this name means anything for what it started."""
    return _plain(name) not in _OWNERS_OF_NOTHING


def _said_to_be(arguments: Sequence[str]) -> set[str]:
    """What an interpreter runs: by its title, which replaces the arguments, and by its script or module."""
    title = arguments[0].split() if arguments else []
    rest = [argument for argument in arguments[1:] if argument == "-m" or not argument.startswith("-")]
    script = rest[1:2] if rest[:1] == ["-m"] else rest[:1]
    return {_plain(word) for word in title[:1] + script}


def _plain(name: str) -> str:
    """The bare name of a program, as in the table: no folder, no ending, no sign of a login shell."""
    bare = name.replace("\\", "/").rpartition("/")[2].lower().removeprefix("-")
    for ending in _ENDINGS:
        bare = bare.removesuffix(ending)
    return bare
