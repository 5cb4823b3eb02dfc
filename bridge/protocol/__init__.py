"""Pure: JSON-RPC envelopes, line framing, server-sent events, versions, method names, MCP headers."""
