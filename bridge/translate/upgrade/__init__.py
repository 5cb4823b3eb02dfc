"""A legacy host on a modern server (MCP 2026-07-28, Versioning): its messages become modern requests."""
