"""Connections through a SOCKS proxy, for httpcore.

httpcore has a SOCKS5 proxy of its own, which waits without end for a proxy that does not answer, and lets errors of
another library out. So the connecting is left to python-socks, which also knows SOCKS4.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import httpcore

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.attempts.own_thread import OwnThread
from digime_pandas._service.http.backends.backend import Backend, Stream
from digime_pandas._service.http.backends.direct import seconds_left
from digime_pandas._service.http.backends.lookups import Lookups
from digime_pandas._service.http.backends.tcp import TcpStream
from digime_pandas._service.http.environment import Proxy
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas.errors import ConfigurationError

# "socks5" is used as "socks5h": the proxy resolves names, since a network that has a proxy need not resolve others'.
_RESOLVES_NAMES_HERE = {"socks4"}
_LONGEST_CREDENTIAL = 255


class SocksBackend(Backend):
    """Connects through a SOCKS proxy to wherever it is asked to.

    Args:
        proxy: The proxy.
        lookups: Looks up the proxy's name and, where the proxy does not, that of the service.
        clock: Monotonic clock, in seconds.

    Raises:
        ConfigurationError: python-socks is not installed, or the proxy's credentials are none that it can send.
    """

    def __init__(self, proxy: Proxy, lookups: Lookups, clock: Callable[[], float]) -> None:
        try:
            import python_socks.sync  # here, because few need it
        except ImportError as error:
            raise ConfigurationError(
                f"{proxy.variable} names a SOCKS proxy, and the package for these is not installed. Install it with "
                "'pip install python-socks', or unset the variable."
            ) from error
        if proxy.credentials is not None and not all(map(_is_sendable, proxy.credentials.reveal())):
            raise ConfigurationError(
                f"{proxy.variable} names a SOCKS proxy with a user name or password that it cannot be sent: each has "
                f"{_LONGEST_CREDENTIAL} characters at most, of ASCII only."
            )
        kinds = python_socks.ProxyType
        self._kind = kinds.SOCKS5 if proxy.scheme.startswith("socks5") else kinds.SOCKS4
        self._make = python_socks.sync.Proxy
        self._own_error = python_socks.ProxyError, python_socks.ProxyConnectionError
        self._proxy = proxy
        self._lookups = lookups
        self._clock = clock

    def connect(self, host: str, port: int, seconds: float | None) -> Stream:
        """Connect to a host by way of the proxy.

        Raises:
            httpcore.ConnectTimeout: The proxy did not connect in time.
            httpcore.ProxyError: There is no such proxy, or it refused.
        """
        end = None if seconds is None else self._clock() + seconds
        if self._proxy.scheme in _RESOLVES_NAMES_HERE:
            host = self._of_version_4(host, seconds)
        address = self._lookups.addresses(self._proxy.host, seconds_left(end, self._clock))[0]
        try:
            with FramesDropped():
                connected = self._connected_within(seconds_left(end, self._clock), address, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the SOCKS proxy did not connect within {seconds} seconds") from error
        except Exception as error:  # its errors are of several families, and only its own are known to hold no secret
            reason = str(error) if isinstance(error, self._own_error) else type(error).__name__
            raise httpcore.ProxyError(reason) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return TcpStream(connected)

    def _of_version_4(self, host: str, timeout: float | None) -> str:
        """Return an address of a host that SOCKS4 can be told."""
        found = [each for each in self._lookups.addresses(host, timeout) if ":" not in each]
        if not found:
            raise httpcore.ProxyError(f"{host} has no IPv4 address, and a socks4 proxy knows no other")
        return found[0]

    def _connected_within(self, seconds: float | None, address: str, host: str, port: int) -> socket.socket:
        """Connect in a thread of its own: python-socks waits that long for each byte, and a proxy may drip."""
        if seconds is None:
            return self._connected(address, host, port, None)
        made: list[socket.socket] = []

        def connect() -> socket.socket:
            made.append(self._connected(address, host, port, seconds))
            return made[0]

        def finish() -> None:
            for late in made if thread.is_left else ():
                late.close()

        thread = OwnThread((), Deadline(seconds, self._clock), TimeoutError, finish)
        try:
            return thread.call(connect)
        finally:
            thread.close()

    def _connected(self, address: str, host: str, port: int, timeout: float | None) -> socket.socket:
        proxy = self._proxy
        username, password = (None, None) if proxy.credentials is None else proxy.credentials.reveal()
        way = self._make(
            self._kind, address, proxy.port, username, password, rdns=proxy.scheme not in _RESOLVES_NAMES_HERE
        )
        connected: socket.socket = way.connect(host, port, timeout)
        return connected


def _is_sendable(credential: str) -> bool:
    return credential.isascii() and len(credential) <= _LONGEST_CREDENTIAL
