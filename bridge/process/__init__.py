"""Matters of the process itself: event loop, log, redaction, shutdown, suspend."""
