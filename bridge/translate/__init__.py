"""What a host and a server of different eras say to each other, translated (MCP 2026-07-28, Versioning)."""
