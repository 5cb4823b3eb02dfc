"""The npm package `@modelcontextprotocol/server-everything` as a process, over Streamable HTTP or HTTP+SSE.

The package wants a fixed port and listens on every interface. A module that Node loads before it makes it
listen on 127.0.0.1 at an ephemeral port, says the port on stdout, and ends the process with its stdin.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from tests.support.process.node import require_node, require_package
from tests.support.servers.reference_process import running

Transport = Literal["streamableHttp", "sse"]

_PRELOAD = """
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (_port, ...rest) {
  this.once("listening", () => process.stdout.write(JSON.stringify({ port: this.address().port }) + "\\n"));
  return listen.call(this, { port: 0, host: "127.0.0.1" }, ...rest);
};
console.log = console.error;
process.stdin.on("end", () => process.exit(0)).resume();
"""


@contextlib.contextmanager
def everything(transport: Transport) -> Iterator[str]:
    """Run the server and give the URL a user would configure; skips where Node or the package is not."""
    node = require_node()
    script = require_package("@modelcontextprotocol/server-everything", "dist/index.js")
    preload = "data:text/javascript," + quote(_PRELOAD)
    env = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    with running([str(node), "--import", preload, str(script), transport], env) as (_process, line):
        path = "sse" if transport == "sse" else "mcp"
        yield f"http://127.0.0.1:{json.loads(line)['port']}/{path}"
