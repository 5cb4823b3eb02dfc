"""The table of hosts: every `HOSTS` of a file in `rows/`. A new file there is a new row, and nothing else is needed."""

from __future__ import annotations

import importlib
import pkgutil

from tests.hosts import rows
from tests.hosts.host import Host


def all_hosts() -> list[Host]:
    """Every host, by name. Raises `ValueError` where two have one name."""
    found: dict[str, Host] = {}
    for file in sorted(pkgutil.iter_modules(rows.__path__), key=lambda file: file.name):
        for host in importlib.import_module(f"{rows.__name__}.{file.name}").HOSTS:
            if host.name in found:
                raise ValueError(f"two hosts are called {host.name}")
            found[host.name] = host
    return list(found.values())
