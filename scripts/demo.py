"""See the bridge work: `python3 scripts/demo.py`.

Starts a real remote MCP server on this machine, launches the bridge as a desktop host would, and shows what
the two say to each other through it. The host's side is raw JSON-RPC, so nothing here helps the bridge. Every
answer is checked: exit code 0 means that all of it was right.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.demo_process import DemoError, Message, nothing_left_behind
from scripts.demo_sign_in import signed_in
from scripts.demo_stage import Screen, Stage, call, expect, tally, text_of
from scripts.environment import Environment, environment, run_script

_MODERN = "2026-07-28"


def plain(stage: Stage) -> None:
    """Play a session with a server that asks for no login."""
    server, url = stage.server()
    bridge, host = stage.host(url)
    say = stage.screen.step

    say("They agree on the protocol's version and what each can do.")
    client = {"name": "demo-host", "version": "1.0.0"}
    offer = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": client}
    about = host.result(host.request("initialize", offer))
    expect(about.get("serverInfo", {}).get("name") == "demo-server", "the server has to be the demo's", about)
    expect(about.get("protocolVersion") == "2025-11-25", "the version has to be the host's", about)
    host.notify("notifications/initialized")

    say("The host asks what there is.")
    tools = host.result(host.request("tools/list")).get("tools", [])
    expect({tool["name"] for tool in tools} == {"add", "count", "book"}, "three tools have to be there", tools)

    say("A slow tool reports its progress; a quick one is called meanwhile and does not wait for it.")
    slow = host.request("tools/call", call("count", {"steps": 4}) | {"_meta": {"progressToken": "steps"}})
    quick = host.request("tools/call", call("add", {"a": 2, "b": 40}))
    met = [host.receive() for _ in range(6)]
    progress = [m["params"]["progress"] for m in met if m.get("method") == "notifications/progress"]
    answers = {m["id"]: m["result"] for m in met if "result" in m}
    expect(progress == [1, 2, 3, 4], "four reports have to come, in order", met)
    expect(list(answers) == [quick, slow], "the quick answer has to come first", met)
    expect(text_of(answers[quick]) == "42", "2 + 40 has to be 42", answers[quick])
    expect(text_of(answers[slow]) == "counted to 4", "the slow tool has to count to 4", answers[slow])

    say("A tool asks the user something; the host answers, and the tool goes on.")
    booking = host.request("tools/call", call("book", {"flight": "MB202"}))
    question = host.receive()
    expect(question.get("method") == "elicitation/create", "the server has to ask", question)
    host.answer(question, {"action": "accept", "content": {"seat": "window", "meal": True}})
    booked = text_of(host.result(booking))
    expect(booked == "MB202: window seat, with a meal", "the booking has to hold the wishes", booked)

    say("The host reads a resource and fetches a prompt.")
    page = host.result(host.request("resources/read", {"uri": "demo://timetable"}))
    expect("Lisbon" in page["contents"][0]["text"], "the timetable has to name Lisbon", page)
    prompt = host.result(host.request("prompts/get", {"name": "plan", "arguments": {"city": "Lisbon"}}))
    expect("Lisbon" in prompt["messages"][0]["content"]["text"], "the prompt has to name Lisbon", prompt)

    say("The host goes: it closes the bridge's input.")
    began = time.monotonic()
    code = bridge.end_input()
    took = time.monotonic() - began
    left = bridge.rest()
    server_code = server.end_input()
    requests = Counter(server.rest())
    expect(left == [], "nothing may follow the last answer", left)
    expect(code == 0, "the bridge's exit code has to be 0", code)
    expect(requests["DELETE /mcp 200"] == 1, "the session has to be closed, once", requests)
    expect(server_code == 0, "the server has to end quietly", server_code)
    print(f"  session closed, exit code 0 ({took:.2f} s; the server saw {tally(requests)})")


def modern(stage: Stage) -> None:
    """Play a host of the newest revision with a server of an older one, which by themselves do not understand."""
    server, url = stage.server()
    bridge, host = stage.host(url, "--protocol", "legacy")
    say = stage.screen.step

    say("The host asks what the server is; there is no initialize any more.")
    about = host.result(host.request("server/discover", stamped({})))
    expect(about.get("supportedVersions") == [_MODERN], "the version has to be the host's", about)

    say("A tool asks the user something: the call ends with a question, and is repeated with the answer.")
    booking = call("book", {"flight": "MB101"})
    asked = host.result(host.request("tools/call", stamped(booking)))
    expect(asked.get("resultType") == "input_required", "the call has to end with a question", asked)
    said = {"action": "accept", "content": {"seat": "aisle", "meal": False}}
    answers = {"inputResponses": dict.fromkeys(asked["inputRequests"], said), "requestState": asked["requestState"]}
    booked = text_of(host.result(host.request("tools/call", stamped(booking | answers))))
    expect(booked == "MB101: aisle seat, without a meal", "the booking has to hold the wishes", booked)

    say("The host goes; the server's session, of which it knew nothing, is closed.")
    code = bridge.end_input()
    server_code = server.end_input()
    requests = Counter(server.rest())
    expect((code, server_code) == (0, 0), "both have to end quietly", [code, server_code])
    expect(requests["DELETE /mcp 200"] == 1, "the session has to be closed, once", requests)
    print(f"  session closed, exit code {code} (the server saw {tally(requests)})")


def stamped(params: Message) -> Message:
    """Return params that say, as each request of the newest revision does, who asks and what it can do."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": _MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "demo-host", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    }
    return params | {"_meta": meta}


def snippet(made: Environment) -> str:
    """Return the entry of a host's configuration file that uses this bridge."""
    entry = {"command": str(made.program("mcp-remote-bridge")), "args": ["https://your-server.example/mcp"]}
    return json.dumps({"mcpServers": {"your-server": entry}}, indent=2)


ACTS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("A desktop host, the bridge, and a remote MCP server over Streamable HTTP", plain),
    ("A host of MCP 2026-07-28, and the server spoken to as those before it were", modern),
    ("A server that requires a sign-in, and a bridge that is started again", signed_in),
)


def main(arguments: Sequence[str]) -> int:
    """Play every act; 0 when all was as it has to be."""
    if arguments:
        print("usage: python3 scripts/demo.py", file=sys.stderr)
        return 2
    made = environment("demo", extras=["demo"])
    screen = Screen()
    for title, act in ACTS:
        screen.title(title)
        with nothing_left_behind() as start:
            try:
                act(Stage(screen, made, start))
            except DemoError as failure:
                screen.failed(str(failure))
                return 1
            except (LookupError, TypeError) as failure:
                screen.failed(f"an answer lacks what it has to have ({failure!r})")
                return 1
    screen.title("Your own server")
    print("Put this into your host's configuration file, with your server's URL, and start the host again")
    print("(Claude Desktop: claude_desktop_config.json; Cursor: ~/.cursor/mcp.json):\n")
    print(snippet(made))
    return 0


if __name__ == "__main__":
    sys.exit(run_script(main))
