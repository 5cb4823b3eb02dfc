"""An MCPB bundle: one file with which a desktop host installs a server by double click.

The format is MCPB's, manifest version 0.4 (github.com/anthropics/mcpb, MANIFEST.md).
"""
