"""Whether the user would see a browser that the bridge starts, and what the user can do if none is opened.

| where | a browser that is started here |
|---|---|
| `BROWSER` is set | is what the user wants: over SSH and in containers, editors set it to open the user's own browser |
| an SSH session | opens on the wrong machine, so none is started, unless `DISPLAY` is forwarded (it names a host) |
| a container | is seen if the container has a display, a portal or WSL's browser, so these are tried |
| WSL | is the browser of Windows |
| Linux and others without a display | is seen if there is a portal, so it is tried |
| macOS, Windows, a desktop | is seen |

So only an SSH session is a reason not to try (`why_not_here`). The other cases explain why nothing was found to try
(`place`). The environment, the platform (as `sys.platform`) and the test for files are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bridge import PROGRAM

SSH = "this is an SSH session, and a browser started here would open on the wrong machine"
CONTAINER = "this is a container without a display or desktop portal, so no browser can be opened here"
NO_DISPLAY = "no display and no desktop portal was found, so no browser can be opened here"

_PASTE = (
    "open the link in any browser, and when it ends at a page that cannot be opened, run here: "
    f"{PROGRAM} callback 'ITS ADDRESS'"
)
_SSH_VARIABLES = ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "DEVCONTAINER")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_WSL_VARIABLES = ("WSL_DISTRO_NAME", "WSL_INTEROP")
_WSL_FILES = ("/proc/sys/fs/binfmt_misc/WSLInterop", "/proc/sys/fs/binfmt_misc/WSLInterop-late")


def why_not_here(environ: Mapping[str, str], platform: str, *, names_browser: bool) -> str:
    """Return the clause `SSH` if a browser would open on the wrong machine, so that none may be started; else "".

    `names_browser` says whether the user named a browser (`BROWSER`).
    """
    if names_browser or not is_over_ssh(environ):
        return ""
    display = environ.get("DISPLAY", "")
    is_forwarded = platform not in {"darwin", "win32"} and not display.startswith((":", "/")) and ":" in display
    return "" if is_forwarded else SSH


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether this is an SSH session, so the user is at another machine."""
    return any(environ.get(name) for name in _SSH_VARIABLES)


def place(environ: Mapping[str, str], platform: str, exists: Callable[[str], bool]) -> str:
    """Return the clause `CONTAINER` or `NO_DISPLAY` if it explains why there is no browser to start; else ""."""
    if platform in {"darwin", "win32"} or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ""
    if _in_container(environ, exists):
        return CONTAINER
    if any(environ.get(name) for name in _WSL_VARIABLES) or any(map(exists, _WSL_FILES)):
        return ""
    return NO_DISPLAY


def advice(why: str, redirect_uri: str, host: str = "THIS-HOST", *, at: str | None = None) -> str:
    """What the user can do if no browser is opened, with the commands to type; empty if `why` is empty.

    `why` is a clause: one of those above, or another one, and then `at` is one of those above. `redirect_uri` is where
    the answer comes to; if it is empty, no answer comes to this machine, and any browser will do. `host` is this
    machine's name for SSH.
    """
    if not why:
        return ""
    reason = f"{why[0].upper()}{why[1:]}."
    if not redirect_uri:
        return f"{reason} Open the link in any browser."
    at = why if at is None else at
    port = urlsplit(redirect_uri).port
    tunnel = f"on your own machine run: ssh -L {port}:localhost:{port} {host}, then open the link there"
    ways = {
        "open the link in a browser on this machine": at not in {SSH, CONTAINER, NO_DISPLAY},
        tunnel: at != CONTAINER,
        _PASTE: True,
        "if the server supports it, sign in with a code: --grant device-code": True,
    }
    return f"{reason} Either {'; or '.join(way for way, is_open in ways.items() if is_open)}."


def _in_container(environ: Mapping[str, str], exists: Callable[[str], bool]) -> bool:
    # Flatpak sets this for each program, and opens links on the desktop.
    named = environ.get("container", "") not in {"", "flatpak"}
    return named or any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(map(exists, _CONTAINER_FILES))
