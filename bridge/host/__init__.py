"""IO: the host's side: stdin, stdout, and whether the host still lives."""
