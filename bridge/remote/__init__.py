"""The way to the remote server: HTTP, its streams, TLS and proxies."""
