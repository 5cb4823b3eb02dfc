"""Programs of their own, which the equipment runs or runs in."""
