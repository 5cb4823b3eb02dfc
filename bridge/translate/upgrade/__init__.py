"""A legacy host on a modern server (MCP 2026-07-28, Versioning): what the host says, as modern requests."""
