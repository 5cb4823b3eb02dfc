"""Links that add a server to a host when they are opened; the host asks the user first.

| host | link | source |
|---|---|---|
| Cursor | `cursor://anysphere.cursor-deeplink/mcp/install`, the entry as Base64 of its JSON | cursor.com/docs/context/mcp/install-links |
| VS Code | `vscode:mcp/install?`, and the entry with its name as JSON, percent-encoded | code.visualstudio.com/api/extension-guides/ai/mcp |
| LM Studio | `lmstudio://add_mcp`, as Cursor's | lmstudio.ai/docs/app/mcp/deeplink |
"""  # noqa: E501 - rows of a table

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

_BASE64 = {"cursor": "cursor://anysphere.cursor-deeplink/mcp/install", "lm-studio": "lmstudio://add_mcp"}
_AS_JSON = {"vscode": "vscode:mcp/install", "vscode-insiders": "vscode-insiders:mcp/install"}

HOSTS_WITH_LINKS = (*_BASE64, *_AS_JSON)
"""The keys of the hosts that have such links."""


def link_for(host: str, name: str, entry: Mapping[str, Any]) -> str:
    """The link that adds this entry to the host of this key. Raises KeyError where the host has none."""
    if host in _BASE64:
        config = base64.b64encode(json.dumps(entry, separators=(",", ":")).encode()).decode()
        return f"{_BASE64[host]}?{urlencode({'name': name, 'config': config})}"
    return f"{_AS_JSON[host]}?{quote(json.dumps({'name': name, **entry}, separators=(',', ':')), safe='')}"
