"""Bundles, unpacked and run as a host runs them, and as the format's own program reads them.

The program is npm's `@anthropic-ai/mcpb`. The `uv` form fetches packages at its first start, so its test runs only
where uv is installed and `BRIDGE_TEST_PACKAGES=1` (or CI) allows it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.bundle.bundle import BundleContent, BundleForm, bundle
from bridge.bundle.icon import read_icon
from bridge.cli.bundle_content import ASKED_WITHOUT_URL, questions_of
from scripts.desktop import VARIABLE, may_install
from tests.support.process.bridge_process import ROOT, BridgeProcess, environment
from tests.support.process.node import require_node, require_package
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SECRET = "pl4nted-${s3cret}"

# The configuration that the format's own library makes of a manifest and the user's answers.
CONFIG = """
const [, library, folder, answers] = process.argv;
const { getMcpConfigForManifest } = await import(library);
const { readFileSync } = await import("node:fs");
const made = await getMcpConfigForManifest({
  manifest: JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")), extensionPath: folder, systemDirs: {},
  userConfig: JSON.parse(answers), pathSeparator: "/",
});
console.log(JSON.stringify(made));
"""


def content(form: BundleForm, url: str = "") -> BundleContent:
    """A bundle that asks for a header and everything that may be left empty; without `url`, for that too."""
    required = [word for word, is_needed in ASKED_WITHOUT_URL if is_needed and not url]
    optional = [word for word, is_needed in ASKED_WITHOUT_URL if not is_needed]
    return BundleContent(
        name="example",
        display_name="Example",
        description="An example.",
        author="Example Inc.",
        version="1.0.0",
        form=form,
        fixed={"MCP_BRIDGE_PROTOCOL": "legacy", **({"MCP_BRIDGE_URL": url} if url else {})},
        questions=questions_of([*required, "header:X-Api-Key"], optional),
        icon=read_icon(ROOT / "docs" / "callback-page.png"),
    )


def written(form: BundleForm, folder: Path, url: str = "") -> Path:
    path = folder / "example.mcpb"
    path.write_bytes(bundle(content(form, url)))
    return path


def unpacked(path: Path) -> Path:
    folder = path.with_suffix("")
    with zipfile.ZipFile(path) as read:
        read.extractall(folder)
    return folder


def config_of(folder: Path, answers: Mapping[str, str]) -> dict[str, Any]:
    """What a host makes of the manifest: each reference replaced by the answer, the others left as they are."""
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    for name, value in {"__dirname": folder.as_posix(), **answers}.items():
        key = name if name == "__dirname" else f"user_config.{name}"
        text = text.replace(f"${{{key}}}", json.dumps(value)[1:-1])
    config: dict[str, Any] = json.loads(text)["server"]["mcp_config"]
    return config


@contextlib.asynccontextmanager
async def started(words: Sequence[str], variables: Mapping[str, str], home: Path) -> AsyncIterator[BridgeProcess]:
    """A bundle's program with these variables, and no others of the bridge's."""
    own = {name: value for name, value in environment(home).items() if name != "PYTHONPATH"} | dict(variables)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe, env=own, cwd=home)
    running = BridgeProcess(process)
    try:
        yield running
    finally:
        await running.end()
    running.check()


async def check_that_it_connects(words: Sequence[str], variables: Mapping[str, str], home: Path) -> None:
    async with started(words, variables, home) as host:
        await host.initialize("2025-06-18", deadline=60)
        assert (await host.call("echo")).result
        host.close_stdin()
        assert await host.wait() == 0


@pytest.fixture(scope="module")
def python_form(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle with all packages in it, which takes seconds to make."""
    return unpacked(written("python", tmp_path_factory.mktemp("python-form")))


@pytest.mark.parametrize("nothing", ["", None], ids=["empty", "left-out"])
async def test_the_python_form_connects_with_what_is_inside_it_alone(
    nothing: str | None, python_form: Path, tmp_path: Path
) -> None:
    """`-S`: Python does not look into its own packages."""
    folder = python_form
    async with FaultServer() as server:
        answers = {"url": server.url, "header_x_api_key": SECRET}
        if nothing is not None:
            answers |= dict.fromkeys(("header", "client_id", "client_secret", "scope"), nothing)
        config = config_of(folder, answers)
        assert SECRET not in " ".join(config["args"])
        await check_that_it_connects([sys.executable, "-S", *config["args"]], config["env"], tmp_path)
        assert {request.header("x-api-key") for request in server.http.requests} == {SECRET}


def test_another_python_is_told_which_one_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.bundle.bundle.own_folder", dict)
    folder = unpacked(written("python", tmp_path, "https://example.com/"))
    program = folder / "server" / "mcp-remote-bridge.py"
    text = program.read_text(encoding="utf-8")
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert wanted in text
    program.write_text(text.replace(wanted, "3.99"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=stretched(30), check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("This bundle is for Python 3.99; this is Python 3.")


@pytest.mark.parametrize("form", ["uv", "python"])
def test_the_formats_own_program_takes_it_and_packs_it_again(
    form: BundleForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which packages are inside does not matter to it, and packing all of them takes long.
    monkeypatch.setattr("bridge.bundle.bundle.own_folder", lambda: {"bridge/__init__.py": b""})
    program = require_package("@anthropic-ai/mcpb", "dist/cli/cli.js")

    def mcpb(*words: str) -> str:
        done = subprocess.run(
            [str(require_node()), str(program), *words],
            capture_output=True,
            text=True,
            timeout=stretched(60),
            env=environment(tmp_path),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    path, folder, again = written(form, tmp_path), tmp_path / "unpacked", tmp_path / "again.mcpb"
    mcpb("unpack", str(path), str(folder))
    assert "Manifest schema validation passes!" in mcpb("validate", str(folder))
    mcpb("pack", str(folder), str(again))
    with zipfile.ZipFile(path) as ours, zipfile.ZipFile(again) as theirs:
        assert sorted(theirs.namelist()) == ours.namelist()
    answers = {"url": "https://example.com/", "header_x_api_key": SECRET, "scope": ""}
    library = require_package("@anthropic-ai/mcpb", "dist/index.js")
    words = ["--input-type=module", "--eval", CONFIG, "--", library.as_uri(), folder.as_posix(), json.dumps(answers)]
    done = subprocess.run(
        [str(require_node()), *words], capture_output=True, text=True, timeout=stretched(60), check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == config_of(folder, answers)


async def test_the_uv_form_connects(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None or not may_install(os.environ):
        pytest.skip(f"uv is not installed, or may not fetch packages: install uv, and set {VARIABLE}=1")
    async with FaultServer() as server:
        folder = unpacked(written("uv", tmp_path))
        config = config_of(folder, {"url": server.url, "header_x_api_key": SECRET})
        assert config["command"] == "uv"
        own = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))}
        own |= {"UV_PYTHON": sys.executable, "UV_CACHE_DIR": str(tmp_path / "cache")}
        await check_that_it_connects([uv, *config["args"]], {**own, **config["env"]}, tmp_path)
        assert {request.header("x-api-key") for request in server.http.requests} == {SECRET}
