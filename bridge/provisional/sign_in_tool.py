"""The tool `sign_in`, the state of a sign-in, and the texts about it, which a model reads and passes on to the user."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from bridge.loopback import is_loopback
from bridge.protocol.sanitize import sentence, shown
from bridge.session.events import SignInShown

NAME = "sign_in"
WAIT_SECONDS = 25.0
"""How long a call of the tool waits. Most hosts allow a call 60 s or more."""

_MOST_REASON = 1000  # Texts and addresses from a server are shortened earlier; the rest is the hint.
_MOST_WARNING = 400
_MOST_WARNINGS = 5
_LONGEST_LINK = 4096
"""Characters. A model is not shown a longer link, for an authorization server can put any text into it."""
_LINK = r"[\x21-\x7e]+"
_CODE = r"[0-9A-Za-z](?:[0-9A-Za-z -]{0,22}[0-9A-Za-z])?"


class SignInStatus:
    """The state of the sign-in to one server. `now` is the time of the event being handled, in seconds.

    `login_command()` is what the user types in a terminal for the same sign-in.
    `is_under_way`: the user is being asked to sign in. `url`, `user_code`, `is_open`, `warnings`: see `SignInShown`;
    `url` is empty while the link is not known. `problem`: why the last sign-in failed. `trouble`: why the server opened
    no session although the user is signed in. `tools`: how many tools the server listed when the host last asked, None
    if the host has not asked. `product`: what users call the host.
    """

    def __init__(self, server_url: str, login_command: Callable[[], str]) -> None:
        parts = urlsplit(server_url)
        self.server_url = server_url
        self._login_command = login_command
        self.server = parts.netloc.rpartition("@")[2] or server_url
        self.now = 0.0
        self.is_under_way = False
        self.url = ""
        self.user_code = ""
        self.is_open = False
        self.warnings: tuple[str, ...] = ()
        self.problem = ""
        self.trouble = ""
        self.needs_change = False
        self.tools: int | None = None
        self.product = "the host"
        self._ends_at = 0.0

    @property
    def is_too_long(self) -> bool:
        """Whether the link is too long to be shown to a model or given to the host."""
        return len(self.url) > _LONGEST_LINK

    @property
    def needs_user(self) -> bool:
        """Whether the user has to open the link: it is known, and no browser shows it."""
        return bool(self.url) and not self.is_open

    @property
    def has_failed(self) -> bool:
        """Whether the last sign-in failed, and no other is in progress."""
        return not self.is_under_way and bool(self.problem or self.trouble)

    def begin(self) -> None:
        """A sign-in begins."""
        self.is_under_way = True
        self.tools = None
        self.url = self.user_code = self.problem = self.trouble = ""
        self.is_open = False
        self.warnings = ()

    def show(self, event: SignInShown) -> None:
        """Take what the user has to do. A link that is not http or https counts as none."""
        self.url = event.url if _is_web_link(event.url) else ""
        self.user_code = event.user_code if re.fullmatch(_CODE, event.user_code) else ""
        self.is_open = event.is_open
        self.warnings = tuple(shown(text, _MOST_WARNING) for text in event.warnings[:_MOST_WARNINGS])
        self._ends_at = self.now + max(0.0, event.ends_in)

    def end(self, problem: str, *, needs_change: bool = False) -> None:
        """The sign-in has ended; `problem` says why it failed, empty where it did not. See `SignInEnded`."""
        self.needs_change = needs_change
        self.is_under_way = self.is_open = False
        self.url = self.user_code = ""
        self.warnings = ()
        self.problem = shown(problem, _MOST_REASON)

    # -- sentences

    def what_to_do(self) -> str:
        """What the user has to do now, or how the last sign-in ended."""
        if not self.is_under_way:
            if self.trouble:
                return f"The user is signed in, but the server did not open a session: {sentence(self.trouble)}"
            if self.problem:
                return f"The last sign-in failed: {sentence(self.problem)}"
            return "No sign-in is in progress."
        warned = "".join(f"Tell the user first: {sentence(text)} " for text in self.warnings)
        if self.is_too_long:
            opened = "A browser was opened with the sign-in page. " if self.is_open else ""
            return (
                f"{warned}{opened}The link is too long to show here. To see it, the user runs this in a terminal:\n"
                f"{self._login_command()}\n"
            )
        if not self.url:
            return "The sign-in is being prepared. There is no link yet."
        code = f" and enters the code {self.user_code}" if self.user_code else ""
        left = self._ends_at - self.now
        time = f" ({_about(left)} left)" if left > 0 else ""
        # On a line of its own, so that no text beside it is taken for part of it.
        link = f"opens this link in a browser{code}{time}:\n{self.url}\n"
        if self.is_open:
            return f"{warned}A browser was opened with the sign-in page. If the page does not appear, the user {link}"
        return f"{warned}To sign in, the user {link}"


def is_safe_link(url: str) -> bool:
    """Whether a host may be asked to open it: https, or http on this machine (MCP, Elicitation, Safe URL Handling)."""
    parts = _split(url)
    return parts is not None and (parts[0] == "https" or is_loopback(parts[1]))


def tool(status: SignInStatus) -> dict[str, object]:
    """The tool, as an entry of a list (MCP, Tools)."""
    return {
        "name": NAME,
        "title": f"Sign in to {status.server}",
        "description": (
            f"{status.server} offers its tools only after the user has signed in. Call this tool: it opens the "
            "sign-in page in the user's browser and waits for the user to finish. If no browser can be opened, it "
            "returns the link: show it to the user, and call this tool again to wait. After the sign-in, the server's "
            "own tools replace this one."
        ),
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {
            "title": f"Sign in to {status.server}",
            "readOnlyHint": False,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": True,
        },
    }


def instructions(status: SignInStatus) -> str:
    """The `instructions` that the host gets in place of the server's own."""
    return (
        f"The user has to sign in to {status.server} before it can be used. "
        f"{status.what_to_do()} The tool {NAME} opens the sign-in page and waits for the user to finish. "
        "After that, the server's own tools, prompts and resources appear."
    )


def still_waiting(status: SignInStatus) -> str:
    """The result of a call that has waited long enough, or that shows the link."""
    if status.is_under_way:
        return f"Waiting for the user to sign in to {status.server}. {status.what_to_do()} Then call {NAME} again."
    return f"The user is not signed in to {status.server} yet. {status.what_to_do()} Call {NAME} again."


def declined(status: SignInStatus) -> str:
    """The result after the user declined to have the host open the link."""
    return (
        f"The user declined to open the sign-in page, and is not signed in to {status.server}. "
        f"{status.what_to_do()} Then call {NAME} again."
    )


def not_asked(status: SignInStatus) -> str:
    """The result after the host answered without asking, as hosts without a user at the screen do."""
    return (
        f"The user was not asked, because {status.product} could not show the question. The user is not signed in to "
        f"{status.server} yet. {status.what_to_do()} Then call {NAME} again."
    )


def asking_in_words(status: SignInStatus, product: str) -> str:
    """The error for a host that is about to give up and never asks for its lists again."""
    return (
        f"{status.server} needs the user to sign in first. {status.what_to_do()} "
        f"After the sign-in, restart this server in {product}."
    )


def asking(status: SignInStatus) -> str:
    """The question with which the host asks the user whether to open the link."""
    code = f" Enter the code {status.user_code} there." if status.user_code else ""
    warned = "".join(f"{sentence(text)} " for text in status.warnings)
    return f"{warned}Sign in to {status.server} to use its tools.{code}"


def done(status: SignInStatus) -> str:
    """The result of a call that waited for the end of the sign-in."""
    return f"The user is signed in to {status.server}. {_of_tools(status)}"


def done_before(status: SignInStatus) -> str:
    """The result of a call that came after the sign-in."""
    return f"The user is already signed in to {status.server}. {_of_tools(status)}"


def _of_tools(status: SignInStatus) -> str:
    """What is known of the server's tools in the host."""
    if status.tools is None:
        host = status.product
        return f"Its tools appear when {host} asks for them again, at the latest after {host} is restarted."
    if status.tools == 0:
        return "The server lists no tools."
    return "Its tool is available now." if status.tools == 1 else f"Its {status.tools} tools are available now."


def failed(status: SignInStatus) -> str:
    """The result of a call whose sign-in failed."""
    if status.trouble:
        why = f"The user is signed in, but {status.server} did not open a session: {sentence(status.trouble)}"
    else:
        why = f"The sign-in to {status.server} failed: {sentence(status.problem)}"
        if status.needs_change:
            return f"{why} Another sign-in fails in the same way until that is changed and {status.product} restarted."
    return f"{why} Call {NAME} again to retry."


def unavailable(status: SignInStatus) -> str:
    """The result of a call of another tool, which was not sent."""
    return (
        f"{status.server} needs the user to sign in, so this call was not sent. {status.what_to_do()} "
        f"Call {NAME}, which opens the sign-in page and waits for the user; then call this tool again."
    )


def unavailable_here(status: SignInStatus) -> str:
    """The same, for a host that does not know the tool `sign_in`."""
    return (
        f"{status.server} needs the user to sign in, so this call was not sent. {status.what_to_do()} "
        "Then call this tool again."
    )


def _about(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes >= 2:
        return f"about {minutes} minutes"
    return "about a minute" if seconds >= 45 else f"about {max(1, round(seconds))} s"


def _is_web_link(url: str) -> bool:
    return _split(url) is not None


def _split(url: str) -> tuple[str, str] | None:
    """Scheme and host of an http or https URL; None for anything else."""
    if not re.fullmatch(_LINK, url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    return (parts.scheme, host) if parts.scheme in {"https", "http"} and host else None
