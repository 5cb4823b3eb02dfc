"""Ports that nothing listens at, and that no program is given while a test uses one.

A system gives a program that asks for any port one of its dynamic ports (from 32768 on Linux, from 49152 elsewhere). A
test that asks for one too and lets go of it may find it given to another program a moment later. So these are below.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import sys
from collections.abc import Iterator

from bridge.login import ports

__all__ = ["callback_ports_of_tests", "free_port", "free_ports", "is_free"]

_BELOW_DYNAMIC = range(20_000, 32_768)
_TRIES = 200


def free_port() -> int:
    """A port that is free at 127.0.0.1 and, where there is IPv6, at ::1. Raises `AssertionError` if none is found."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different ports, each as `free_port` has it."""
    addresses = ["127.0.0.1", "::1"] if is_free("::1", 0) else ["127.0.0.1"]
    tried = random.SystemRandom().sample(_BELOW_DYNAMIC, _TRIES)
    free = itertools.islice((port for port in tried if all(is_free(address, port) for address in addresses)), count)
    found = list(free)
    assert len(found) == count, f"of {_TRIES} ports, {len(found)} are free"
    return found


@contextlib.contextmanager
def callback_ports_of_tests() -> Iterator[None]:
    """Meanwhile a server's name gives callback ports from below the dynamic ones, so they are the same each time."""
    before = ports.FIRST_DYNAMIC, ports.LAST_DYNAMIC
    ports.FIRST_DYNAMIC, ports.LAST_DYNAMIC = _BELOW_DYNAMIC[0], _BELOW_DYNAMIC[-1]
    try:
        yield
    finally:
        ports.FIRST_DYNAMIC, ports.LAST_DYNAMIC = before


def is_free(address: str, port: int) -> bool:
    """Whether a program may bind a port of an IPv4 or IPv6 address; connections that have ended do not count."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
            if sys.platform != "win32":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
    except OSError:
        return False
    return True
