"""Asks a fork server for a process, and is a program that does so, for where a program is wanted.

`python -E -S fork_request.py NAME WORDS...` gives the forked process its own environment, folder, stdin, stdout and
stderr, waits, and ends with its exit code. BRIDGE_TEST_PARENT tells the process who the parent of this program is.

It starts in 15 ms, for it imports next to nothing; hence `_socket`, of which `socket` is made.
"""

from __future__ import annotations

import _socket
import marshal
import os
import struct
import sys

VARIABLE = "BRIDGE_TEST_FORK_SERVER"
"""Where the fork server listens: the path of a Unix socket."""
LENGTH = struct.Struct("!I")
NUMBER = struct.Struct("!i")


def request(
    address: str,
    name: str,
    words: list[str],
    environment: dict[str, str],
    folder: str,
    streams: list[int],
    *,
    own_session: bool = False,
) -> tuple[int, int]:
    """Have the server at `address` fork one of its programs.

    `streams` are the descriptors of its stdin, stdout and stderr. `own_session` has it lead a session (setsid(2)).
    Returns its process id, and the descriptor of the connection, from which `read_code` reads how it ended.
    Raises `OSError` if there is no server.
    """
    body = marshal.dumps([name, words, environment, folder, own_session])
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(address)
    rights = struct.pack(f"{len(streams)}i", *streams)
    connection.sendmsg([LENGTH.pack(len(body))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    connection.sendall(body)
    return read_code(descriptor := connection.detach()), descriptor


def read_code(descriptor: int) -> int:
    """Read a process id or, when it has ended, its exit code, negative where a signal ended it. Raises `OSError`."""
    said = os.read(descriptor, NUMBER.size)
    if len(said) < NUMBER.size:
        raise OSError("the fork server has ended")
    return int(NUMBER.unpack(said)[0])


def _main() -> int:
    _, name, *words = sys.argv
    own = {**os.environ, "BRIDGE_TEST_PARENT": str(os.getppid())}
    _, connection = request(os.environ[VARIABLE], name, words, own, os.getcwd(), [0, 1, 2])  # noqa: PTH109 - pathlib is large
    code = read_code(connection)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_main())
