"""Answers the host in time while somebody has to sign in. Pure."""
