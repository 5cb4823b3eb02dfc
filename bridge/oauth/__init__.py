"""OAuth 2.1 as MCP wants it, without IO: what to ask, where, and whether an answer may be believed."""
