"""`server.json`, in which a server's publisher says how it is reached, and the registry that keeps such documents.

The document is that of schema 2025-12-11 (static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json), the
registry's interface that of `docs/reference/api/openapi.yaml` in github.com/modelcontextprotocol/registry. Anyone can
publish one, so all that it says is checked.
"""
