"""The server's features as the host may see and use them."""
