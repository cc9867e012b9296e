"""Connections without a proxy between."""

from __future__ import annotations

from collections.abc import Callable

import httpcore

from digime_pandas._service.http.backends.backend import Backend, Stream
from digime_pandas._service.http.backends.lookups import Lookups
from digime_pandas._service.http.backends.tcp import TcpStream

_SHORTEST_SECONDS = 0.001  # a socket takes 0 for "do not wait"


class DirectBackend(Backend):
    """Connects to whichever address of a host takes it, within `seconds` for the look-up and all of them.

    Args:
        lookups: Looks names up.
        clock: Monotonic clock, in seconds.
    """

    def __init__(self, lookups: Lookups, clock: Callable[[], float]) -> None:
        self._lookups = lookups
        self._clock = clock
        self._sockets = httpcore.SyncBackend()

    def connect(self, host: str, port: int, seconds: float | None) -> Stream:
        """Connect to a host.

        Raises:
            httpcore.ConnectError: There is no such host, or none of its addresses takes a connection.
            httpcore.ConnectTimeout: None did so in time, or the name was not looked up in time.
        """
        end = None if seconds is None else self._clock() + seconds
        addresses = self._lookups.addresses(host, seconds)
        failure: Exception | None = None
        for tried, address in enumerate(addresses):
            share = None if end is None else (end - self._clock()) / (len(addresses) - tried)
            if share is not None and share <= 0:
                raise failure or httpcore.ConnectTimeout("timed out")
            try:
                connected = self._sockets.connect_tcp(address, port, share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return TcpStream(connected.get_extra_info("socket"))
        assert failure is not None
        raise failure


def seconds_left(end: float | None, clock: Callable[[], float]) -> float | None:
    """Return the seconds until an end on a clock, for a step of connecting.

    Args:
        end: The end; None: there is none.
        clock: Monotonic clock, in seconds.

    Raises:
        httpcore.ConnectTimeout: None are left.
    """
    if end is None:
        return None
    left = end - clock()
    if left <= 0:
        raise httpcore.ConnectTimeout("timed out")
    return max(left, _SHORTEST_SECONDS)
