"""The commands, one row each: what `--help` says of them, and where they are. `commands` makes click's commands of it.

A command's module is imported only when the command is used, so `--help` needs no more than this table.
"""

from __future__ import annotations

from typing import NamedTuple

from bridge import PROGRAM

HOSTS, SIGN_IN, SERVERS, OTHER = "Set up a host", "Sign in", "Your servers by name", "Other"
"""The headings of `--help`."""

NAME_OR_URL, NAME = "NAME_OR_URL", "NAME"
"""How help shows an argument that is a server's URL or name, and one that is a server in the user's file."""


class CommandRow(NamedTuple):
    """One command. `module` is its file here, `attribute` its name there; `examples` follow the program's name."""

    name: str
    group: str
    summary: str
    examples: tuple[str, ...]
    module: str
    attribute: str


_URL = "https://mcp.example.com/mcp"

# fmt: off
COMMAND_ROWS: tuple[CommandRow, ...] = (
    CommandRow("install", HOSTS, "Put a server into a host's configuration.",
        (f"install claude-desktop {_URL}", "install cursor github --dry-run"), "install", "install"),
    CommandRow("uninstall", HOSTS, "Take a server out of a host's configuration.",
        ("uninstall claude-desktop example",), "uninstall", "uninstall"),
    CommandRow("hosts", HOSTS, "List the hosts on this machine and their servers.",
        ("hosts", "hosts --json"), "hosts", "hosts"),
    CommandRow("migrate", HOSTS, "Let entries of mcp-remote and others run this bridge.",
        ("migrate", "migrate claude-desktop", "migrate --undo"), "migrate", "migrate"),
    CommandRow("bundle", HOSTS, "Make an .mcpb that Claude Desktop installs.",
        (f"bundle {_URL} --name example -o example.mcpb",), "bundle", "bundle"),
    CommandRow("login", SIGN_IN, "Sign in to a server.",
        (f"login {_URL}", f"login {_URL} --grant device-code"), "login", "login"),
    CommandRow("logout", SIGN_IN, "Sign out of a server.",
        (f"logout {_URL}", "logout --all"), "logout", "logout"),
    CommandRow("status", SIGN_IN, "List your sign-ins and the running bridges.",
        ("status", "status --json"), "status", "status"),
    CommandRow("callback", SIGN_IN, "Finish a sign-in whose browser is on another machine.",
        ("callback",), "callback", "callback"),
    CommandRow("add", SERVERS, "Add a server to your file.",
        (f"add example {_URL}",), "add", "add"),
    CommandRow("remove", SERVERS, "Remove a server from your file.",
        ("remove example",), "remove", "remove"),
    CommandRow("edit", SERVERS, "Open your file in an editor.",
        ("edit",), "edit", "edit"),
    CommandRow("list", SERVERS, "List the servers in your file.",
        ("list", "list --json"), "servers", "list_servers"),
    CommandRow("show", SERVERS, "Show the settings of a server in your file.",
        ("show example",), "servers", "show_server"),
    CommandRow("config", SERVERS, "Find and check your file.",
        ("config path", "config check", "config check --json"), "config", "config"),
    CommandRow("secret", SERVERS, "Store a secret in the system's keyring.",
        ("secret set example-key",), "secret", "secret"),
    CommandRow("tools", SERVERS, "Show or accept changes of pinned tools.",
        ("tools show example", "tools accept example"), "tools", "tools"),
    CommandRow("run", OTHER, "Connect a host to a server. This word may be left out.",
        (_URL, "example", f"{_URL} --header 'X-Api-Key: ${{API_KEY}}'"), "program", "run"),
    CommandRow("client-metadata", OTHER, "Print an OAuth client metadata document.",
        ("client-metadata https://client.example.com/bridge.json",), "program", "client_metadata"),
    CommandRow("completion", OTHER, "Print what makes your shell complete words.",
        ("completion bash >> ~/.bashrc", "completion zsh >> ~/.zshrc",
         f"completion fish > ~/.config/fish/completions/{PROGRAM}.fish",
         "completion powershell >> $PROFILE"), "completion", "completion"),
    CommandRow("version", OTHER, "Print the version, and what it runs on.",
        ("--version", "version --json"), "version", "version"),
)
"""All commands, in the order of the help."""
# fmt: on

EXAMPLES = (f"install claude-desktop {_URL}", f"login {_URL}", _URL)
"""What the help of the whole program shows."""
