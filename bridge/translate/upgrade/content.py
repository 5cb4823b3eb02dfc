"""Content that the revision of a legacy host does not have, as content that it has.

| content | since | for a host of an older revision |
|---|---|---|
| `audio` | 2025-03-26 | an embedded resource with the same data |
| `resource_link` | 2025-06-18 | text with its name, URI and description |
| a list in one message to be sampled | 2025-11-25 | one message for each |

Content is in the results of `tools/call` (`content`) and `prompts/get` (`messages`), and in the params of
`sampling/createMessage` (`messages`).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from bridge.protocol import mcp
from bridge.protocol.headers import string
from bridge.protocol.mcp import Features
from bridge.protocol.writing import Members, members

_AUDIO_URI = "urn:mcp:audio"


def lower(method: str, said: Members, can: Features) -> None:
    """Replace, in the members of a result, content that the host's revision does not have."""
    if can.has_audio and can.has_resource_links:
        return
    if method == mcp.TOOLS_CALL and "content" in said:
        said["content"] = _each(said["content"], can)
    elif method == mcp.PROMPTS_GET and "messages" in said:
        said["messages"] = _written([_message(message, can) for message in _values(said["messages"])])


def sampling_params(params: Raw, can: Features) -> Raw:
    """The params of `sampling/createMessage`, for a host whose revision can do this."""
    if can.has_content_lists:
        return params
    said = members(params)
    messages = _values(said.get("messages", Raw()))
    if all(_blocks(message) is None for message in messages):
        return params
    said["messages"] = _written([one for message in messages for one in _single_messages(message)])
    return _written(said)


def _single_messages(message: Raw) -> list[Raw]:
    blocks = _blocks(message)
    return [message] if blocks is None else [_written({**members(message), "content": block}) for block in blocks]


def _blocks(message: Raw) -> list[Raw] | None:
    """The content of a message, if that is a list."""
    content = bytes(members(message).get("content", Raw()))
    return _values(Raw(content)) if content[:1] == b"[" else None


def _message(message: Raw, can: Features) -> Raw:
    said = members(message)
    if "content" not in said:
        return message
    said["content"] = _block(said["content"], can)
    return _written(said)


def _each(content: Raw, can: Features) -> Raw:
    return _written([_block(block, can) for block in _values(content)])


def _block(block: Raw, can: Features) -> Raw:
    said = members(block)
    kind = string(said.get("type", Raw()))
    if kind == "resource_link" and not can.has_resource_links:
        changed: dict[str, object] = {"type": "text", "text": _as_text(said)}
    elif kind == "audio" and not can.has_audio:
        resource = {"uri": _AUDIO_URI, "mimeType": said.get("mimeType"), "blob": said.get("data", Raw(b'""'))}
        changed = {"type": "resource", "resource": {name: value for name, value in resource.items() if value}}
    else:
        return block
    if "annotations" in said:
        changed["annotations"] = said["annotations"]
    return _written(changed)


def _as_text(link: Members) -> str:
    name, uri, about = (string(link.get(key, Raw())) or "" for key in ("name", "uri", "description"))
    name = string(link.get("title", Raw())) or name
    return "\n".join(line for line in (f"{name}: {uri}" if name else uri, about) if line)


def _values(array: Raw) -> list[Raw]:
    try:
        return msgspec.json.decode(array, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _written(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
