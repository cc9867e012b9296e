"""Ports for listeners that are told which one to take."""

from __future__ import annotations

import errno
import os
import socket
from itertools import count

# Below those that systems choose from where a program leaves its port, or the one it connects from, to them.
_FIRST, _COUNT = 10_000, 20_000
_PER_PROCESS = 200
_NUMBERS = count(os.getpid() * _PER_PROCESS)


def free_port() -> int:
    """Return a port of this computer that nobody has and nobody gets by chance."""
    return next(port for number in _NUMBERS if _is_free(port := _FIRST + number % _COUNT))


def _is_free(port: int) -> bool:
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True
