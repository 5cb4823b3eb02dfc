"""Which ancestors of this process are launchers: they start a program and wait for it, and are not the host.

| kind | names, without `.exe` | why it keeps running beside the bridge |
|---|---|---|
| shells | `sh`, `bash`, `cmd` ... | `cmd /c` always waits, `sh -c` if it cannot exec |
| Node's package runners | `npx`, `npm`, `pnpm` ... | Node has no exec |
| Python's package runners | `uv`, `uvx`, `pipx` ... | Windows has no exec; uv always waits |
| Python's launchers on Windows | `py`, `mcp-remote-bridge` | the program in `Scripts` starts `python.exe` and waits |
| wrappers | `sudo`, `timeout`, `op` ... | it gives rights, a limit or secrets to one program |
| any program with this process's arguments | `python` ... | a virtual environment's starts the real one (PEP 405) |

Node and Python may also be hosts, so for them the script's name decides; npm sets the title of its process.
A process of the desktop or the system starts programs without owning them, so its end means nothing for the bridge. The
same holds for an interactive shell: a program started there with `nohup` must go on.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge import PROGRAM

_SHELLS = {"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "nu", "sh", "tcsh", "zsh"}
_POWERSHELLS = {"powershell", "pwsh"}
_NODES = {"bunx", "corepack", "npm", "npm-cli", "npx", "npx-cli", "pnpm", "pnpx", "yarn", "yarnpkg"}
_PYTHONS = {"conda", "hatch", "mamba", "micromamba", "pdm", "pipenv", "pipx", "pixi", "poetry", "rye", "uv", "uvx"}
_STARTERS = {"py", "pyw", PROGRAM}
_WRAPPERS = {"dbus-run-session", "direnv", "doas", "doppler", "dotenv", "dotenvx", "env", "infisical", "mise", "nice"}
_WRAPPERS |= {"op", "script", "stdbuf", "su", "sudo", "time", "timeout", "xvfb-run"}
_LAUNCHERS = frozenset({"cmd"} | _SHELLS | _POWERSHELLS | _NODES | _PYTHONS | _STARTERS | _WRAPPERS)
_OWNERS_OF_NOTHING = frozenset({"explorer", "init", "launchd", "services", "svchost", "systemd", "userinit"})
_INTERPRETERS = frozenset({"node", "nodejs", "python", "pythonw"})
# Options that a terminal adds to its interactive shell, each with a value.
_INTERACTIVE_OPTIONS = frozenset({"--init-file", "--rcfile", "--init-command", "-C"})
_ENDINGS = (".exe", ".js", ".cjs", ".mjs", ".py", ".cmd")


def is_launcher(name: str, arguments: Sequence[str], own: Sequence[str]) -> bool:
    """Whether a process with this name and these arguments is a launcher.

    `arguments` begin with the program, and are empty if the system does not show them; `own` are this process's.
    """
    if len(own) > 1 and list(arguments[1:]) == list(own[1:]):
        return True
    program = _plain(name)
    if program in _LAUNCHERS:
        return True
    is_interpreter = program.rstrip("0123456789.") in _INTERPRETERS
    return is_interpreter and not _LAUNCHERS.isdisjoint(_programs_in(arguments))


def owns_its_children(name: str, arguments: Sequence[str]) -> bool:
    """Whether the programs that a process started should end with it."""
    program = _plain(name)
    return program not in _OWNERS_OF_NOTHING and not (arguments and _is_interactive(program, arguments[1:]))


def _is_interactive(program: str, options: Sequence[str]) -> bool:
    """Whether it is a shell that runs neither a command from its arguments nor a script."""
    if program == "cmd":
        return not any(option.lower().startswith("/c") for option in options)
    if program in _POWERSHELLS:
        said = [option.lower() for option in options]
        runs_one = any(option.startswith(("-c", "-f", "-e")) or not option.startswith("-") for option in said)
        return "-noexit" in said or not runs_one
    if program not in _SHELLS:
        return False
    before = ""
    for option in options:
        is_one = before in _INTERACTIVE_OPTIONS or option in _INTERACTIVE_OPTIONS
        runs_one = option[:1] not in {"-", "+"} or option.startswith("--command") or _has_letter_c(option)
        if runs_one and not is_one:
            return False
        before = option
    return True


def _has_letter_c(option: str) -> bool:
    return option[:1] == "-" and option[1:].isalpha() and "c" in option


def _programs_in(arguments: Sequence[str]) -> set[str]:
    """What an interpreter runs, by its process title, which replaces the arguments, and by its script or module."""
    title = arguments[0].split() if arguments else []
    rest = [argument for argument in arguments[1:] if argument == "-m" or not argument.startswith("-")]
    script = rest[1:2] if rest[:1] == ["-m"] else rest[:1]
    return {_plain(word) for word in title[:1] + script}


def _plain(name: str) -> str:
    """The name of a program as in the table: without folder, file extension, and the `-` of a login shell."""
    bare = name.replace("\\", "/").rpartition("/")[2].lower().removeprefix("-")
    for ending in _ENDINGS:
        bare = bare.removesuffix(ending)
    return bare
