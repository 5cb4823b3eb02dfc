"""HTTP to the remote server: connections, streams, TLS and proxies. IO."""
