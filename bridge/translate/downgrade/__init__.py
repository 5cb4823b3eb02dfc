"""A modern host on a legacy server (MCP 2026-07-28, Versioning): what the host says, in a legacy session."""
