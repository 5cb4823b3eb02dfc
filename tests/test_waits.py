"""Every wait of a test grows on a slow machine: one of a second or more passes its deadline through `stretched`.

The rule is a function of a file's source, so the last tests show that it can fail. Waits in which nothing is expected
to happen are shorter than a second, and need not grow.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The package cannot be imported where these run.
ALONE = {"support/oauth/browser_program.py", "conformance/browser.py", "hosts/probe.py"}
# Functions that wait: the position of the deadline among their arguments.
WAITING = {"asyncio.timeout": 0, "asyncio.wait_for": 1, "anyio.fail_after": 0, "anyio.move_on_after": 0}
LAST_NAMES = {name.rpartition(".")[2] for name in WAITING}
# Functions that wait as long as the argument `timeout` says.
WITH_TIMEOUT = {"run", "open", "urlopen", "create_connection", "communicate", "wait", "Client", "AsyncClient", "result"}
CLOCKS = {"monotonic", "current_time", "perf_counter"}
# Without one of these words there is no wait in a file, and it need not be parsed.
WORDS = {"timeout", *LAST_NAMES, *CLOCKS}


def unstretched(source: str) -> list[int]:
    """The lines of waits that do not grow."""
    if not any(word in source for word in WORDS):
        return []
    tree = ast.parse(source)
    lines = source.split("\n")
    grown = {
        ast.unparse(target)
        for node in tree.body
        if isinstance(node, ast.Assign)
        # To write a large table out again takes far longer than to look at its lines first.
        and "stretched(" in "\n".join(lines[node.lineno - 1 : node.end_lineno])
        and "stretched(" in ast.unparse(node.value)
        for target in node.targets
    }
    return sorted({limit.lineno for limit in limits(tree) if is_long(limit, grown)})


def limits(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression that says how long to wait."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if last_name(node) in LAST_NAMES and (name := ast.unparse(node.func)) in WAITING:
                yield from node.args[WAITING[name] : WAITING[name] + 1]
            if last_name(node) in WITH_TIMEOUT:
                yield from (word.value for word in node.keywords if word.arg == "timeout")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and reads_clock(node.left):
            yield node.right
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.BinOp) and reads_clock(node.left.left):
            yield from node.comparators


def last_name(call: ast.Call) -> str:
    """What is called, without what it belongs to: `timeout` of `asyncio.timeout(1)`."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def reads_clock(node: ast.expr) -> bool:
    """Whether it is a call of a clock."""
    return isinstance(node, ast.Call) and last_name(node) in CLOCKS


def is_long(limit: ast.expr, grown: set[str]) -> bool:
    """Whether it is a second or more, or a constant of which that is to be feared, and does not grow.

    What a function is given, its caller has stretched, or the function does.
    """
    if "stretched(" in ast.unparse(limit):
        return False
    return any(
        (isinstance(part, ast.Constant) and isinstance(part.value, int | float) and part.value >= 1)
        or (isinstance(part, ast.Name) and part.id.isupper() and not part.id.startswith("_") and part.id not in grown)
        for part in ast.walk(limit)
    )


def test_every_wait_grows() -> None:
    found = []
    for file in TESTS.rglob("*.py"):
        name = file.relative_to(TESTS).as_posix()
        if name not in ALONE:
            found += [f"tests/{name}:{line}" for line in unstretched(file.read_text(encoding="utf-8"))]
    assert found == [], "pass these deadlines through tests.support.waits.stretched"


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.timeout(10)",
        "asyncio.timeout(DEADLINE * 2)",
        "asyncio.wait_for(thing, 5)",
        "subprocess.run(command, timeout=60)",
        "end = time.monotonic() + 30",
        "assert time.monotonic() - began < 2",
    ],
)
def test_a_wait_that_does_not_grow_is_found(source: str) -> None:
    assert unstretched(source) == [1]


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.timeout(stretched(DEADLINE * 2))",
        "asyncio.wait_for(thing, 0.1)",
        "asyncio.wait({reading}, timeout=0)",
        "httpx.Client(timeout=None)",
        "moment = time.monotonic() - began",
        "LIMIT = stretched(5)\nprocess.wait(timeout=LIMIT)",
        "asyncio.timeout(deadline)",
    ],
)
def test_other_waits_are_let_be(source: str) -> None:
    assert unstretched(source) == []
