"""The system's error numbers, whether they are in an exception's `errno`, its `winerror` or its text.

On Windows a connection fails with one of two kinds of number. `connect` and `send` give Winsock's, which `errno` has.
On the Proactor loop `ConnectEx` and `WSARecv` are overlapped operations and give the kernel's; for those `errno` is
EINVAL (CPython, `PC/errmap.h`), and only `winerror` has the number. Each has an equivalent in Winsock:

| kernel | | Winsock |
|---|---|---|
| 64 | ERROR_NETNAME_DELETED | 10054, connection reset |
| 121 | ERROR_SEM_TIMEOUT | 10060, timed out |
| 1222 | ERROR_NO_NETWORK | 10050, network down |
| 1225 | ERROR_CONNECTION_REFUSED | 10061, refused |
| 1231 | ERROR_NETWORK_UNREACHABLE | 10051, network unreachable |
| 1232 | ERROR_HOST_UNREACHABLE | 10065, no route to the host |
| 1236 | ERROR_CONNECTION_ABORTED | 10053, aborted here |

Sources: Microsoft's System Error Codes and Windows Sockets Error Codes; libuv's `src/win/error.c`, which has the same
equivalents; CPython's `asyncio/windows_events.py` and `Modules/overlapped.c` for 64, 1225 and 1236. On other systems
the kernel's numbers have other meanings (121 is EREMOTEIO on Linux), so only a `WinError` is translated.
"""

from __future__ import annotations

import re

_AS_WINSOCK = {64: 10054, 121: 10060, 1222: 10050, 1225: 10061, 1231: 10051, 1232: 10065, 1236: 10053}
# Where several addresses failed, asyncio has one text: "Multiple exceptions: [WinError 1225] a, [Errno 101] b".
_IN_TEXT = r"\[(Errno|WinError) (\d{1,9})\]"


def numbers_of(problem: BaseException) -> frozenset[int]:
    """The numbers in an exception: those of POSIX or Winsock, never those of the Windows kernel."""
    numbers = {int(number) for kind, number in re.findall(_IN_TEXT, str(problem)) if kind == "Errno"}
    numbers |= {as_winsock(int(number)) for kind, number in re.findall(_IN_TEXT, str(problem)) if kind == "WinError"}
    if isinstance(problem, OSError):
        numbers.add(problem.errno or 0)
        numbers.add(as_winsock(getattr(problem, "winerror", None) or 0))  # Only Windows has this attribute.
    return frozenset(numbers - {0})


def as_winsock(number: int) -> int:
    """Winsock's equivalent of a number of the Windows kernel; any other number as it is."""
    return _AS_WINSOCK.get(number, number)
