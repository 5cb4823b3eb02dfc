"""Answers the host in the server's place while the user has to sign in. Pure."""
