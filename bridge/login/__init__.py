"""Signing in: the loopback listener, the page it shows, the browser, and what drives one login."""
