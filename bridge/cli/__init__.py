"""Talks to people: commands, options, exit codes. The only room that ends the process."""
