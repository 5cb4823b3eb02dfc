"""Connects the rooms: wiring, the event loop, the log, shutdown."""
