"""mcp-remote-bridge: a desktop MCP host on stdio, a remote MCP server over HTTP, and everything between."""

__version__ = "0.1.0"
