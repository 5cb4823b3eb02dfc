"""The system's error numbers, read alike wherever they come from: an exception's `errno`, its `winerror`, its words.

On Windows a connection fails with one of two numbers. Winsock's own (`connect`, `send`) are what `errno` knows. On the
Proactor loop the kernel's come, for `ConnectEx` and `WSARecv` end as overlapped operations; `errno` is EINVAL for them
(CPython, `PC/errmap.h`), so only `winerror` tells. Each has a number of Winsock's that says the same:

| kernel | | Winsock |
|---|---|---|
| 64 | ERROR_NETNAME_DELETED | 10054, connection reset |
| 121 | ERROR_SEM_TIMEOUT | 10060, timed out |
| 1222 | ERROR_NO_NETWORK | 10050, network down |
| 1225 | ERROR_CONNECTION_REFUSED | 10061, refused |
| 1231 | ERROR_NETWORK_UNREACHABLE | 10051, network unreachable |
| 1232 | ERROR_HOST_UNREACHABLE | 10065, no route to the host |
| 1236 | ERROR_CONNECTION_ABORTED | 10053, aborted here |

Sources: Microsoft's System Error Codes and Windows Sockets Error Codes; libuv's `src/win/error.c`, which reads them so
too; CPython's `asyncio/windows_events.py` and `Modules/overlapped.c` for what comes of 64, 1225 and 1236. The kernel's
numbers mean other things elsewhere (121 is EREMOTEIO on Linux), so they count only where they are said to be Windows'.
"""

from __future__ import annotations

import re

_AS_WINSOCK = {64: 10054, 121: 10060, 1222: 10050, 1225: 10061, 1231: 10051, 1232: 10065, 1236: 10053}
# Where several addresses failed, asyncio tells it in one text: "Multiple exceptions: [WinError 1225] a, [Errno 101] b".
_IN_WORDS = r"\[(Errno|WinError) (\d{1,9})\]"


def numbers_of(problem: BaseException) -> frozenset[int]:
    """The numbers in an exception: POSIX' or Winsock's, never those of Windows' kernel."""
    numbers = {int(number) for kind, number in re.findall(_IN_WORDS, str(problem)) if kind == "Errno"}
    numbers |= {as_winsock(int(number)) for kind, number in re.findall(_IN_WORDS, str(problem)) if kind == "WinError"}
    if isinstance(problem, OSError):
        numbers.add(problem.errno or 0)
        numbers.add(as_winsock(getattr(problem, "winerror", None) or 0))  # There is no such attribute elsewhere.
    return frozenset(numbers - {0})


def as_winsock(number: int) -> int:
    """Winsock's number for one of Windows' kernel; any other as it is."""
    return _AS_WINSOCK.get(number, number)
