"""The house's arrows, held: `cli -> app -> IO rooms -> pure rooms`, and `provisional -> session -> era -> protocol`.

The rules are functions of a module's source, so the last tests show that each of them can fail.
"""

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from scripts.syntax import nodes_of, tree_of

ROOT = Path(__file__).resolve().parents[1] / "bridge"

PURE = {"protocol", "translate", "session", "features", "provisional", "oauth"}
IO = {"host", "remote", "login", "store", "documents"}

# Every room may import these modules, which import nothing of the project.
LEAVES = {"errors", "loopback"}

# Which rooms a room may import besides itself and the leaves.
ARROWS: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "config": set(),
    "protocol": set(),
    "translate": {"protocol"},
    "session": {"translate", "protocol"},
    "features": {"session", "translate", "protocol"},
    "provisional": {"session", "translate", "protocol"},
    "oauth": {"protocol"},
    **{room: PURE | {"config"} for room in IO},
    "process": PURE | IO | {"config"},
    "tokens": PURE | IO | {"config", "process"},
    "inventory": PURE | IO | {"config", "process", "tokens"},
    "bundle": {"config", "protocol"},
    "registry": PURE | {"config", "tokens"},
    "install": PURE | IO | {"config", "process", "tokens", "inventory"},
    "migrate": PURE | IO | {"config", "process", "tokens", "inventory", "install"},
    "app": PURE | IO | {"config", "process", "tokens", "inventory"},
    "cli": PURE
    | {"app", "bundle", "documents", "install", "inventory", "migrate", "registry", "tokens", "process", "config"},
    "__main__": {"cli", "tokens"},
    "__init__": set(),
}

# What a pure room may not touch: IO, clocks, randomness, the environment, logging, concurrency.
IMPURE = {
    *("anyio", "asyncio", "concurrent", "threading", "multiprocessing", "subprocess", "signal", "sched"),
    *("httpcore", "httpx", "h11", "socket", "ssl", "select", "selectors", "urllib.request", "truststore"),
    *("os", "sys", "io", "pathlib", "tempfile", "shutil", "keyring", "platformdirs", "click", "logging"),
    *("time", "random", "secrets", "uuid", "warnings", "http.client", "http.server"),
    *("authlib.integrations", "requests", "filelock", "psutil", "webbrowser", "secretstorage"),
}
CLOCK_CALLS = {"now", "utcnow", "today"}
BAD_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def room_of(name: str) -> str:
    """`bridge.remote.tls` is in `remote`; `bridge` itself is `__init__`."""
    return name.split(".")[1] if "." in name else "__init__"


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: str, nodes: Iterable[ast.AST], *, package: bool) -> Iterator[tuple[int, str]]:
    """Each imported name, absolute; for `from a import b` both `a` and `a.b`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")
            above = base[: len(base) - node.level + package] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield node.lineno, source
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def faults(module: str, source: str, *, package: bool = False) -> list[str]:
    """What in this module breaks the house's rules."""
    tree, nodes = tree_of(source), nodes_of(source)
    room = room_of(module)
    found = [
        *(f"line {line}: {room} imports {name}" for line, name in imports(module, nodes, package=package)
          if not allowed(room, name)),
        *(fault for node in nodes for fault in node_faults(room, node)),
        *(f"line {node.lineno}: module-level mutable state" for node in tree.body if is_mutable_state(node)),
    ]  # fmt: skip
    if module.rpartition(".")[2] in BAD_NAMES:
        found.append(f"{module} names no subject")
    return found


def allowed(room: str, name: str) -> bool:
    top = name.partition(".")[0]
    if top == "bridge":
        target = room_of(name)
        # `from bridge import PROGRAM, __version__` names no room.
        leaves = set() if room in LEAVES else LEAVES
        return target in ARROWS[room] | leaves | {room, "__init__", "PROGRAM", "__version__"}
    if room in PURE | {"loopback"}:
        return not any(name == bad or name.startswith(f"{bad}.") for bad in IMPURE)
    return True


def loaded_with(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """The project's modules that a module imports at its top level, for its types too."""
    found: set[str] = set()
    statements: list[ast.stmt] = list(tree_of(path.read_text("utf-8")).body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.If | ast.Try):
            statements += [child for child in ast.walk(node) if isinstance(child, ast.Import | ast.ImportFrom)]
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            found.update(name if name in modules else str(node.module) for name in whole)
    return found & modules.keys()


def cycles(root: Path = ROOT) -> list[list[str]]:
    """Modules that import one another, each cycle once, its members sorted."""
    modules = {module_name(path, root): path for path in root.rglob("*.py")}
    reached = {module: loaded_with(path, modules) - {module} for module, path in modules.items()}
    for middle in modules:  # Warshall's algorithm: afterwards these are all the modules that one leads to.
        for module in modules:
            if middle in reached[module]:
                reached[module] |= reached[middle]
    found = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in modules
        if module in reached[module]
    }
    return sorted(sorted(cycle) for cycle in found)


def node_faults(room: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Global):
        yield f"line {node.lineno}: global {', '.join(node.names)}"
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called == "print":
            yield f"line {node.lineno}: print"
        if called in ("sys.exit", "exit", "quit", "SystemExit") and room not in {"cli", "__main__"}:
            yield f"line {node.lineno}: {called} outside cli"
        if room in PURE and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            yield f"line {node.lineno}: {called} reads the clock"
        if room in PURE and called in ("open", "input", "breakpoint"):
            yield f"line {node.lineno}: {called} in a pure room"


def is_mutable_state(node: ast.stmt) -> bool:
    """A list, dict or set under a name that is not a constant's. Capitals promise that nobody changes it."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    if all(name.isupper() or name.startswith("__") for name in names):
        return False
    value = node.value
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in {
            "list",
            "dict",
            "set",
            "deque",
            "defaultdict",
            "Counter",
        }
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


MODULES = sorted(ROOT.rglob("*.py"))


def test_no_modules_import_one_another() -> None:
    assert cycles() == []


def test_each_module_keeps_the_rules() -> None:
    found = {
        module_name(path): faults(module_name(path), path.read_text("utf-8"), package=path.name == "__init__.py")
        for path in MODULES
    }
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_every_room_is_known() -> None:
    rooms = {room_of(module_name(path)) for path in MODULES}
    assert rooms >= {"protocol", "session", "host", "remote", "app", "cli", "config", "errors", "__main__"}
    assert rooms >= {"oauth", "login", "store"}
    assert rooms <= set(ARROWS)


@pytest.mark.parametrize(
    ("module", "source", "says"),
    [
        ("bridge.session.a", "import anyio", "session imports anyio"),
        ("bridge.session.a", "from bridge.remote import http", "session imports bridge.remote"),
        ("bridge.session.a", "from ..remote.http import X", "session imports bridge.remote.http"),
        ("bridge.session.a", "from bridge.oauth.flow import F", "session imports bridge.oauth.flow"),
        ("bridge.oauth.a", "import bridge.session", "oauth imports bridge.session"),
        ("bridge.oauth.a", "from bridge.config import SignInSettings", "oauth imports bridge.config"),
        ("bridge.oauth.a", "from authlib.integrations.httpx_client import X", "oauth imports authlib.integrations"),
        ("bridge.oauth.a", "import secrets", "oauth imports secrets"),
        ("bridge.login.a", "from bridge.store.secret_store import Vault", "login imports bridge.store"),
        ("bridge.store.a", "import bridge.login.auth_http", "store imports bridge.login"),
        ("bridge.config.signing_in", "from bridge.oauth.scopes import split", "config imports bridge.oauth"),
        ("bridge.protocol.a", "from bridge.translate import x", "protocol imports bridge.translate"),
        ("bridge.translate.a", "def f():\n    import os.path", "translate imports os.path"),
        ("bridge.translate.a", "from urllib import request", "translate imports urllib.request"),
        ("bridge.translate.a", "from bridge.config import Settings", "translate imports bridge.config"),
        ("bridge.translate.a", "import datetime\nx = datetime.datetime.now()", "reads the clock"),
        ("bridge.translate.a", "open('x')", "open in a pure room"),
        ("bridge.remote.a", "from bridge import host", "remote imports bridge.host"),
        ("bridge.remote.a", "from bridge.process.log import Log", "remote imports bridge.process.log"),
        ("bridge.app.a", "from bridge.cli import main", "app imports bridge.cli"),
        ("bridge.cli.a", "import bridge.remote.http", "cli imports bridge.remote.http"),
        ("bridge.config", "from bridge.protocol import x", "config imports bridge.protocol"),
        ("bridge.errors", "import bridge.config", "errors imports bridge.config"),
        ("bridge.errors", "from bridge.loopback import is_loopback", "errors imports bridge.loopback"),
        ("bridge.loopback", "import socket", "loopback imports socket"),
        ("bridge.app.a", "import sys\nsys.exit(1)", "sys.exit outside cli"),
        ("bridge.app.a", "raise SystemExit(1)", "SystemExit outside cli"),
        ("bridge.cli.a", "print('x')", "line 1: print"),
        ("bridge.app.utils", "", "names no subject"),
        ("bridge.app.a", "cache = {}", "module-level mutable state"),
        ("bridge.app.a", "_seen: set[str] = set()", "module-level mutable state"),
        ("bridge.app.a", "def f():\n    global x\n    x = 1", "global x"),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str, says: str) -> None:
    assert any(says in fault for fault in faults(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "bridge.session.a",
            "import msgspec, re\nfrom bridge.translate import x\nfrom bridge.errors import BridgeError",
        ),
        ("bridge.session.a", "from . import b\nfrom .b import c"),
        ("bridge.oauth.a", "from authlib.oauth2.rfc6749.parameters import p\nimport hmac, hashlib, joserfc"),
        ("bridge.login.a", "import httpx\nfrom bridge.oauth.record import R\nfrom bridge.config import S"),
        ("bridge.config.settings", "from bridge.config.signing_in import S\nfrom bridge.errors import E"),
        (
            "bridge.remote.a",
            "import ssl, os\nfrom bridge.protocol.x import y\nfrom bridge.config import Settings",
        ),
        (
            "bridge.app.a",
            "from bridge import __version__\nfrom bridge.host import x\nfrom bridge.remote import y",
        ),
        ("bridge.cli.a", "import sys\nfrom bridge.app.main import run_bridge\nsys.exit(0)"),
        ("bridge.app.a", "TABLE = {1: 2}\n__all__ = ['x']\nnames = ('a', 'b')"),
    ],
)
def test_a_kept_rule_is_quiet(module: str, source: str) -> None:
    assert faults(module, textwrap.dedent(source)) == []


@pytest.mark.parametrize(
    ("one", "other", "is_cycle"),
    [
        ("from bridge.a import other", "import bridge.a.one", True),
        ("if TYPE_CHECKING:\n    from bridge.a.other import x", "from bridge.a.one import y", True),
        ("from bridge.a.other import x", "def f():\n    from bridge.a.one import y", False),
        ("from bridge.a.other import x", "import os", False),
    ],
)
def test_modules_that_import_one_another_are_found(one: str, other: str, is_cycle: bool, tmp_path: Path) -> None:
    folder = tmp_path / "bridge" / "a"
    folder.mkdir(parents=True)
    for name, source in (("__init__", ""), ("one", one), ("other", other)):
        (folder / f"{name}.py").write_text(source)
    assert cycles(tmp_path / "bridge") == ([["bridge.a.one", "bridge.a.other"]] if is_cycle else [])
