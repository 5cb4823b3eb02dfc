"""The host's side: stdin, stdout, the end of the host, and the desktop. IO."""
