"""The JSON Schema of the user's file of servers, made from the rows of `option_table`.

Editors complete and check a file by it that names it in `$schema`. What a schema cannot say is left to `config check`.
"""

from __future__ import annotations

import json
from typing import Any

from bridge import PROGRAM
from bridge.cli import option_table
from bridge.cli.option_table import OptionRow
from bridge.cli.server_values import HEADER_MEMBER, ROWS, URL
from bridge.inventory.server_file import DEFAULTS, SCHEMA, SERVERS

SCHEMA_NAME = "config.schema.json"
"""The name of the copy beside the user's file."""
TITLE = f"Servers of {PROGRAM}"

_LARGEST_PORT = 65535


def schema() -> dict[str, Any]:
    """The whole schema."""
    members = {key: {"description": row.help, **_kind(row)} for key, row in ROWS.items()}
    url = {
        "description": "The URL of the remote server.",
        "type": "string",
        "pattern": r"^([A-Za-z][A-Za-z0-9+.-]*:/|.*\$\{)",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "type": "object",
        "properties": {
            SCHEMA: {"type": "string"},
            DEFAULTS: {
                "description": "Settings of all servers. A server's own come before them.",
                "type": "object",
                "properties": members,
                "additionalProperties": False,
            },
            SERVERS: {
                "description": "The servers by name.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": {URL: url, **members},
                    "required": [URL],
                    "additionalProperties": False,
                },
                # No blank name, no option, no URL.
                "propertyNames": {"pattern": r"^(?!\s*$)(?!-)(?![A-Za-z][A-Za-z0-9+.-]*:/)"},
            },
        },
        "additionalProperties": False,
    }


def _kind(row: OptionRow) -> dict[str, Any]:
    """What the JSON value of an option may be."""
    strings = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    by_name = {"type": "object", "additionalProperties": {"type": "string"}}
    kinds: dict[str, dict[str, Any]] = {
        option_table.TEXT: {"type": "string"},
        option_table.COMMAND: {"anyOf": strings},
        option_table.FILE: {"type": "string"},
        option_table.LINES: {"anyOf": [*strings, by_name] if row.key == HEADER_MEMBER else strings},
        option_table.INTEGER: {"type": "integer", "minimum": 1, "maximum": _LARGEST_PORT},
        # A text of variables may become one of the choices.
        option_table.CHOICE: {"anyOf": [{"enum": list(row.choices)}, {"type": "string", "pattern": r"\$\{"}]},
        option_table.SECONDS: {"type": "number", "exclusiveMinimum": 0},
        option_table.SECONDS_OR_NEVER: {"type": "number", "minimum": 0},
        option_table.FLAG: {"type": "boolean"},
    }
    return kinds[row.kind]


def schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"
