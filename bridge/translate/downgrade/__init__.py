"""A modern host on a legacy server (MCP 2026-07-28, Versioning): its requests go through a legacy session."""
