"""Which command lines run another bridge."""

import pytest

from bridge.migrate.old_programs import NotReadable, OldCommand, old_command

URL = "https://mcp.example/mcp"

MCP_REMOTE = [
    ["npx", "mcp-remote", URL],
    ["npx", "-y", "mcp-remote", URL],
    ["npx", "-y", "mcp-remote@latest", URL],
    ["npx", "--yes", "mcp-remote@0.1.38", URL],
    ["npx", "--registry", "https://registry.example", "mcp-remote", URL],
    ["npx", "-y", "--package", "mcp-remote@0.1.1", "mcp-remote", URL],
    ["npx", "-y", "--package=mcp-remote", "--", "mcp-remote", URL],
    ["npx", "-p", "mcp-remote@latest", "mcp-remote", URL],
    ["/usr/local/bin/npx", "mcp-remote", URL],
    ["C:\\Program Files\\nodejs\\npx.cmd", "-y", "mcp-remote", URL],
    ["cmd", "/c", "npx", "-y", "mcp-remote", URL],
    ["cmd.exe", "/d", "/s", "/C", "npx", "mcp-remote", URL],
    ["cmd", "/c", "mcp-remote", URL],
    ["npm", "exec", "--yes", "mcp-remote", "--", URL],
    ["npm", "exec", "--package=mcp-remote", "--", "mcp-remote", URL],
    ["npm", "x", "mcp-remote@1.2.3", URL],
    ["bunx", "mcp-remote", URL],
    ["bunx", "--bun", "mcp-remote@latest", URL],
    ["bun", "x", "mcp-remote", URL],
    ["pnpm", "dlx", "mcp-remote", URL],
    ["pnpm", "--package=mcp-remote", "dlx", "mcp-remote", URL],
    ["pnpx", "mcp-remote@0.15", URL],
    ["yarn", "dlx", "-q", "mcp-remote", URL],
    ["deno", "run", "-A", "npm:mcp-remote@0.15.1", URL],
    ["node", "/opt/node_modules/mcp-remote/dist/proxy.js", URL],
    ["node", "--use-system-ca", "-r", "./x.js", "node_modules/mcp-remote/dist/proxy.js", URL],
    ["node.exe", "C:\\npm\\node_modules\\mcp-remote\\dist\\proxy.js", URL],
    ["node", "/opt/node_modules/.bin/mcp-remote", URL],
    ["/home/me/.nvm/versions/node/v24/bin/mcp-remote", URL],
    ["C:\\Users\\me\\AppData\\Roaming\\npm\\mcp-remote.cmd", URL],
]

OTHERS = [
    ("mcp-stdio", ["mcp-stdio", URL]),
    ("mcp-stdio", ["uvx", "mcp-stdio", URL]),
    ("mcp-stdio", ["uvx", "--from", "mcp-stdio==0.45.2", "mcp-stdio", URL]),
    ("mcp-stdio", ["uvx", "--python", "3.12", "mcp-stdio@latest", URL]),
    ("mcp-stdio", ["uv", "tool", "run", "mcp-stdio", URL]),
    ("mcp-stdio", ["pipx", "run", "mcp-stdio", URL]),
    ("mcp-stdio", ["pipx", "run", "--spec", "mcp-stdio==0.40", "mcp-stdio", URL]),
    ("mcp-stdio", ["python3", "-m", "mcp_stdio", URL]),
    ("mcp-stdio", ["C:\\Python312\\python.exe", "-I", "-m", "mcp_stdio", URL]),
    ("mcp-stdio", ["py", "-3", "-m", "mcp_stdio", URL]),
    ("mcp-proxy", ["mcp-proxy", URL]),
    ("mcp-proxy", ["uvx", "mcp-proxy", URL]),
    ("mcp-proxy", ["uv", "--directory", "/srv", "run", "mcp-proxy", URL]),
    ("mcp-proxy", ["uv", "run", "-m", "mcp_proxy", URL]),
    ("supergateway", ["npx", "-y", "supergateway", "--sse", URL]),
    ("supergateway", ["node", "/opt/supergateway/dist/index.js", "--sse", URL]),
]

NEITHER = [
    [],
    ["npx"],
    ["npx", "-y"],
    ["npx", "-y", "@modelcontextprotocol/server-everything"],
    ["npx", "-y", "@someone/mcp-remote", URL],
    ["npx", "-p", "other", "mcp-remote", URL],
    ["npx", "mcp-remote-control", URL],
    ["npx", "mcp-proxy", "--port", "8080", "npx", "server"],
    ["uvx", "mcp-remote", URL],
    ["uvx", "--from", "mcp-remote", "mcp-remote", URL],
    ["python3", "mcp-remote", URL],
    ["python3", "server.py"],
    ["pnpm", "run", "mcp-remote", URL],
    ["npm", "install", "mcp-remote"],
    ["cat", "mcp-remote"],
    ["sh", "-c", "echo hello"],
    ["docker", "run", "someone/mcp-remote-control"],
    ["cmd", "/c"],
    ["node"],
    ["mcp-remote-bridge", URL],
]

WRAPPED = [
    ("mcp-remote", ["sh", "-c", f"npx -y mcp-remote {URL}"]),
    ("mcp-remote", ["/bin/zsh", "-lc", f"exec npx mcp-remote@latest {URL}"]),
    ("mcp-remote", ["cmd", "/c", f"npx mcp-remote {URL}"]),
    ("mcp-remote", ["cmd", "/c", "npx", "mcp-remote", URL, "--header", "Authorization: Bearer %TOKEN%"]),
    ("mcp-remote", ["powershell.exe", "-Command", f"npx mcp-remote {URL}"]),
    ("mcp-remote", ["env", "A=b", "npx", "mcp-remote", URL]),
    ("mcp-remote", ["wsl", "npx", "mcp-remote", URL]),
    ("mcp-remote", ["npx", "-c", f"mcp-remote {URL}"]),
    ("mcp-proxy", ["docker", "run", "-i", "ghcr.io/sparfenyuk/mcp-proxy:latest", URL]),
    ("mcp-remote-client", ["npx", "-p", "mcp-remote@latest", "mcp-remote-client", URL]),
    ("mcp-remote-client", ["mcp-remote-client", URL]),
    ("mcp-remote-client", ["node", "/opt/mcp-remote/dist/client.js", URL]),
]


@pytest.mark.parametrize("words", MCP_REMOTE, ids=" ".join)
def test_mcp_remote_is_found_however_it_is_started(words: list[str]) -> None:
    assert old_command(words) == OldCommand("mcp-remote", (URL,))


@pytest.mark.parametrize(
    ("program", "words"), OTHERS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_the_other_programs_are_found(program: str, words: list[str]) -> None:
    found = old_command(words)

    assert isinstance(found, OldCommand)
    assert found.program == program
    assert found.arguments[-1] == URL


@pytest.mark.parametrize("words", NEITHER, ids=" ".join)
def test_another_program_is_not_taken_for_one_of_them(words: list[str]) -> None:
    assert old_command(words) is None


@pytest.mark.parametrize(
    ("program", "words"), WRAPPED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_program_that_another_one_wraps_is_named(program: str, words: list[str]) -> None:
    found = old_command(words)

    assert isinstance(found, NotReadable)
    assert found.program == program
    assert found.why.endswith(".")


def test_the_words_of_the_old_program_are_not_those_of_its_runner() -> None:
    words = ["npx", "-y", "--loglevel", "silent", "mcp-remote", URL, "-y", "--header", "A: b"]

    assert old_command(words) == OldCommand("mcp-remote", (URL, "-y", "--header", "A: b"))


def test_the_words_are_not_in_its_repr() -> None:
    assert "secret" not in repr(old_command(["mcp-remote", URL, "--header", "Authorization: secret"]))
