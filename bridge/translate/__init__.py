"""Translates between a host and a server of different eras (MCP 2026-07-28, Versioning)."""
