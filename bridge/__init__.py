"""mcp-remote-bridge: a desktop MCP host on stdio, a remote MCP server over HTTP, and everything between."""

__version__ = "0.1.0"

PROGRAM = "mcp-remote-bridge"
"""The name of the command, of its folders, and of the bridge in what it sends."""
