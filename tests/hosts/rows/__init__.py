"""One file a family of hosts; each has `HOSTS`, a tuple of `Host`."""
