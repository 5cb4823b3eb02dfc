"""Entries in the configuration of hosts: which command they hold, writing them, and taking them out again."""
