"""Errors as Windows has them, for systems that have others.

`errno` is what `PC/errmap.h` of CPython makes of the number: Winsock's as they are, EINVAL for those of the kernel that
a connection ends with. `Modules/overlapped.c` (`SetFromWindowsErr`) gives two of the kernel's a class of their own.
"""

from __future__ import annotations

import errno

_CLASSES: dict[int, type[OSError]] = {
    1225: ConnectionRefusedError,
    1236: ConnectionAbortedError,
    # Of `errno`, as for every OSError.
    10053: ConnectionAbortedError,
    10054: ConnectionResetError,
    10060: TimeoutError,
    10061: ConnectionRefusedError,
    # asyncio's `IocpProactor.finish_socket_func` makes it one.
    64: ConnectionResetError,
}


def windows_error(number: int, text: str = "as Windows says it") -> OSError:
    """The exception that Python raises on Windows for this number."""

    def words(self: OSError) -> str:
        return f"[WinError {number}] {text}"

    kind = _CLASSES.get(number, OSError)
    made = type(kind.__name__, (kind,), {"__str__": words, "winerror": number})
    is_winsock = 10000 <= number < 12000
    problem: OSError = made(number if is_winsock else errno.EINVAL, text)
    return problem
