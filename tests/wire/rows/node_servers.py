"""Node's own HTTP server, bare and under Express. It closes idle connections after 5 s and says so."""

from __future__ import annotations

import json
from pathlib import Path

from tests.wire.equipment import IDLE, Command, Equipment, NodeModules, Site

_PROGRAM = Path(__file__).parents[1] / "programs" / "node_doors.mjs"
_IDLE = {"announced": IDLE, "plain": 5.0}


def node(site: Site) -> list[Command]:
    return [Command([str(site.node), str(_PROGRAM), str(site.as_json())])]


def express(site: Site) -> list[Command]:
    return [Command([str(site.node), str(_PROGRAM), str(site.as_json()), str(site.node_modules / _EXPRESS)])]


def express_version(site: Site) -> list[str]:
    package = json.dumps(str(site.node_modules / "express" / "package.json"))
    return [str(site.node), "-p", f"JSON.parse(require('fs').readFileSync({package})).version"]


_EXPRESS = "express/index.js"

EQUIPMENT = (
    Equipment(
        name="node",
        source=NodeModules(""),
        doors=("plain", "tls", "announced", "guarded", "h2-only", "h2-only-plain"),
        start=node,
        version=lambda site: [str(site.node), "--version"],
        serves=True,
        idle=_IDLE,
    ),
    Equipment(
        name="express",
        source=NodeModules(_EXPRESS),
        doors=("plain", "tls", "announced", "guarded", "small"),
        start=express,
        version=express_version,
        serves=True,
        idle=_IDLE,
    ),
)
