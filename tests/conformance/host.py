"""The client the conformance suite launches: a host, with the bridge between it and the suite's server.

`python -m tests.conformance.host <server-url>`. The suite names scenario and revision in the environment.
`MCP_BRIDGE_TEST_HOST_ERA` chooses a legacy or modern host, `MCP_BRIDGE_TEST_COMMAND` another bridge to try.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conformance.eras import Host, LegacyHost, ModernHost, RefusedError
from tests.conformance.wire import BRIDGE, Message, Pipe, PipeError, private_environment
from tests.support.process.fork_server import command_to_fork
from tests.support.waits import stretched

ERA_VARIABLE = "MCP_BRIDGE_TEST_HOST_ERA"
COMMAND_VARIABLE = "MCP_BRIDGE_TEST_COMMAND"
DEADLINE = stretched(12.0)
QUIT_PATIENCE = stretched(3.0)
MAX_PAGES = 20

SECRET_VARIABLE = "MCP_BRIDGE_TEST_CLIENT_SECRET"
METADATA_URL = "https://conformance-test.local/client-metadata.json"
"""Where the suite says this client's metadata document is. It need not be there, and is not."""

SAMPLES: Message = {
    "array": [],
    "boolean": True,
    "integer": 2,
    "null": None,
    "number": 2.5,
    "object": {},
    "string": "west",
}

Behaviour = Callable[[Host, Message], None]


def listed(host: Host, method: str, member: str) -> Iterator[Message]:
    """Yield the members of every page of a list."""
    params: Message | None = None
    for _ in range(MAX_PAGES):
        page = host.request(method, params)
        yield from page[member]
        if "nextCursor" not in page:
            return
        params = {"cursor": page["nextCursor"]}


def tools_of(host: Host) -> dict[str, Message]:
    """Return the server's tools by name."""
    return {tool["name"]: tool for tool in listed(host, "tools/list", "tools")}


def list_tools(host: Host, _context: Message) -> None:
    """List, and leave it at that: the schema in the list is the test."""
    tools_of(host)


def call_each_tool(host: Host, _context: Message) -> None:
    """List the tools and call every one with values its schema asks for."""
    for name, tool in tools_of(host).items():
        host.call(name, required_arguments(tool["inputSchema"]))


def required_arguments(schema: Message) -> Message:
    """Return a value for each required property."""
    properties = schema.get("properties", {})
    return {name: SAMPLES[properties[name]["type"]] for name in schema.get("required", [])}


def echo_schema(host: Host, _context: Message) -> None:
    """Hand the schema of one tool back through another, so that the suite sees what was lost between."""
    schema = tools_of(host)["json_schema_2020_12_tool"]["inputSchema"]
    host.call("json_schema_echo", {"schema": schema})


def use_everything(host: Host, context: Message) -> None:
    """List and use tools, resources and prompts."""
    call_each_tool(host, context)
    for resource in listed(host, "resources/list", "resources"):
        host.request("resources/read", {"uri": resource["uri"]})
    for prompt in listed(host, "prompts/list", "prompts"):
        host.request("prompts/get", {"name": prompt["name"]})


def call_as_told(host: Host, context: Message) -> None:
    """Make the calls the suite lists, after the tools have passed by."""
    tools_of(host)
    for call in context["toolCalls"]:
        host.call(call["name"], call["arguments"])


def mingle_calls(host: Host, _context: Message) -> None:
    """Call the tools that ask something back, with an unrelated call before the first answer."""
    tools_of(host)
    host.call("test_mrtr_echo_state", {}, meanwhile=lambda: host.call("test_mrtr_unrelated", {}))
    host.call("test_mrtr_no_state", {})
    host.call("test_mrtr_no_result_type", {})


BEHAVIOURS: dict[str, Behaviour] = {
    "http-custom-headers": call_as_told,
    "http-standard-headers": use_everything,
    "json-schema-2020-12-preservation": echo_schema,
    "json-schema-ref-no-deref": list_tools,
    "sep-2322-client-request-state": mingle_calls,
}
"""What a scenario needs beyond listing the tools and calling each."""


def command_for(url: str, scenario: str, context: Message, home: Path) -> list[str]:
    """Return the command under test: the bridge of this checkout unless the environment names another.

    The other's own options may have to follow the URL, so it says where `{url}` goes.
    """
    other = os.environ.get(COMMAND_VARIABLE)
    if not other:
        return [*BRIDGE, url, *options_for(scenario, context, home)]
    return [part.replace("{url}", url) for part in shlex.split(other)]


def options_for(scenario: str, context: Message, home: Path) -> list[str]:
    """Return what somebody who uses the scenario's server has to tell the bridge."""
    # The system's keyring would be that of the user at the machine; and the suite asks for the server's tools, which on
    # a slow machine come later than the host is shown `sign_in`.
    options = ["--token-store", "file", "--answer-within", f"{stretched(2.0) * 10:g}"]
    if "client_id" in context:
        options += ["--client-id", context["client_id"]]
    if "client_secret" in context:
        options += ["--client-secret", f"env:{SECRET_VARIABLE}"]
    if scenario.startswith("auth/client-credentials"):
        options += ["--grant", "client-credentials"]
    if "idp_id_token" in context:
        id_token = home / "id.jwt"
        id_token.write_text(context["idp_id_token"])
        options += ["--grant", "id-jag", "--idp-id-token", f"file:{id_token}"]
        options += ["--idp-token-endpoint", context["idp_token_endpoint"], "--idp-client-id", context["idp_client_id"]]
    if "valid_jwt" in context:
        assertion = home / "assertion.jwt"
        assertion.write_text(context["valid_jwt"])
        options += ["--grant", "jwt-bearer", "--assertion", f"file:{assertion}"]
    if "private_key_pem" in context:
        key = home / "client.pem"
        key.write_text(context["private_key_pem"])
        options += ["--client-key", str(key), "--client-key-alg", context["signing_algorithm"]]
    if scenario == "auth/basic-cimd":
        options += ["--client-metadata-url", METADATA_URL]
    return options


def drive(url: str, scenario: str, revision: str, era: str, context: Message) -> None:
    """Play the scenario. Raises RefusedError, or PipeError for the transport's faults and an unclean exit."""
    script = Path(__file__).with_name("browser.py")
    browser = [*(command_to_fork("conformance-browser") or [sys.executable, str(script)]), "%s"]
    with tempfile.TemporaryDirectory(prefix="bridge-conformance-") as home:
        own = private_environment(Path(home), shlex.join(browser))
        env = own | {SECRET_VARIABLE: context.get("client_secret", "")}
        pipe = Pipe(command_for(url, scenario, context, Path(home)), env, time.monotonic() + DEADLINE)
        try:
            host: Host = ModernHost(pipe) if era == "modern" else LegacyHost(pipe, revision)
            host.start()
            BEHAVIOURS.get(scenario, call_each_tool)(host, context)
            code = pipe.close(QUIT_PATIENCE)
            if code != 0:
                raise PipeError(f"exit code {code} after stdin closed")
        finally:
            pipe.kill()


def main() -> int:
    """Drive the scenario the environment names; return the exit code."""
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    revision = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"]
    context: Message = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    try:
        drive(sys.argv[1], scenario, revision, os.environ.get(ERA_VARIABLE, "legacy"), context)
    except (PipeError, RefusedError) as error:
        sys.stderr.write(f"host: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
