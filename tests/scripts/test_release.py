"""What a release publishes: our own `server.json`, and the workflow that does it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge import PROGRAM, __version__
from bridge.cli.option_table import OPTIONS
from bridge.errors import UsageError
from bridge.registry.resolving import resolved
from bridge.registry.server_json import read_server

ROOT = Path(__file__).parents[2]
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
JOBS = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", WORKFLOW.partition("\njobs:\n")[2], re.MULTILINE))


class TestServerJson:
    """The rules are those of schema 2025-12-11."""

    def test_it_has_what_the_schema_requires_within_its_limits(self) -> None:
        assert SERVER["$schema"].endswith("/2025-12-11/server.schema.json")
        assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
        assert (0 < len(SERVER["description"]) <= 100, 0 < len(SERVER["title"]) <= 100) == (True, True)
        assert SERVER.keys() <= {
            *("$schema", "name", "title", "description", "version", "packages", "repository", "websiteUrl", "icons")
        }

    def test_its_versions_are_the_programs(self) -> None:
        [package] = SERVER["packages"]
        assert (SERVER["version"], package["version"]) == (__version__, __version__)
        assert (package["registryType"], package["identifier"]) == ("pypi", PROGRAM)
        assert package["transport"] == {"type": "stdio"}

    def test_its_variables_are_the_programs_and_secrets_are_marked(self) -> None:
        variables = SERVER["packages"][0]["environmentVariables"]
        assert {one["name"] for one in variables} <= {row.variable for row in OPTIONS}
        secret = {one["name"] for one in variables if one.get("isSecret")}
        assert secret == {"MCP_BRIDGE_HEADER", "MCP_BRIDGE_CLIENT_SECRET"}

    def test_the_readme_that_an_index_shows_names_it(self) -> None:
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        assert re.findall(r"mcp-name: (\S+)", readme) == [SERVER["name"]]

    def test_the_bridge_reads_it_and_sees_that_it_is_no_remote_server(self) -> None:
        read = read_server((ROOT / "server.json").read_bytes(), "here")
        assert (read.name, read.is_package, read.remotes) == (SERVER["name"], True, ())
        with pytest.raises(UsageError, match="is a program to be installed"):
            resolved(read, {}, None)


class TestWorkflow:
    def test_no_action_is_trusted_by_its_tag(self) -> None:
        actions = re.findall(r"uses: (\S+)( # v\d+\.\d+\.\d+)?", WORKFLOW)
        assert len(actions) == WORKFLOW.count("uses:") > 5
        bad = [name for name, tag in actions if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) or not tag]
        assert bad == []

    def test_what_both_workflows_use_has_the_same_commit(self) -> None:
        tests = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
        for name in ("actions/checkout", "actions/setup-python"):
            assert set(re.findall(rf"{name}@\w+", WORKFLOW)) == set(re.findall(rf"{name}@\w+", tests)), name

    def test_each_job_may_do_only_what_it_is_for(self) -> None:
        assert "\npermissions: {}\n" in WORKFLOW
        granted = {
            name: set(re.findall(r"^      ([\w-]+): (read|write)$", text, re.MULTILINE)) for name, text in JOBS.items()
        }
        assert granted == {
            "build": {("contents", "read")},
            "publish": {("id-token", "write")},
            "attach": {("contents", "write"), ("id-token", "write"), ("attestations", "write")},
        }
        assert "environment: pypi" in JOBS["publish"]
        assert "secrets." not in WORKFLOW

    def test_what_is_published_was_built_and_checked_before(self) -> None:
        assert "run: python scripts/package.py dist" in JOBS["build"]
        assert "needs: build" in JOBS["publish"]
        assert "needs: publish" in JOBS["attach"]
        assert "attestations: true" in JOBS["publish"]
        pinned = json.loads((ROOT / "tests" / "counterparts" / "package.json").read_text(encoding="utf-8"))
        assert f"@anthropic-ai/mcpb@{pinned['dependencies']['@anthropic-ai/mcpb']} validate" in JOBS["build"]
        for part in ("checkout", "run: |"):
            assert part not in JOBS["publish"], "nothing else runs where the identity is"
