"""One file a piece of equipment; each has `EQUIPMENT`, a tuple of `Equipment`."""
