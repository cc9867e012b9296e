"""Connections through a SOCKS proxy, for httpcore.

httpcore has a SOCKS5 proxy of its own, which waits without end for a proxy that does not answer, and lets errors of
another library out. So the connecting is left to python-socks, which also knows SOCKS4.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import httpcore
from httpcore._backends.sync import SyncStream  # there is no public way from a socket to a stream

from digime_pandas._service.http.environment import Proxy
from digime_pandas._service.masking.tracebacks import FramesDropped
from digime_pandas.errors import ConfigurationError

# "socks5" is used as "socks5h": the proxy resolves names, since a network that has a proxy need not resolve others'.
_RESOLVES_NAMES_HERE = {"socks4"}
_LONGEST_CREDENTIAL = 255


class SocksBackend(httpcore.SyncBackend):
    """Connects through a SOCKS proxy to wherever it is asked to.

    Args:
        proxy: The proxy.

    Raises:
        ConfigurationError: python-socks is not installed, or the proxy's credentials are none that it can send.
    """

    def __init__(self, proxy: Proxy) -> None:
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

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - of the interface
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host by way of the proxy.

        Raises:
            httpcore.ConnectTimeout: The proxy did not connect in time.
            httpcore.ProxyError: There is no such proxy, or it refused.
        """
        try:
            with FramesDropped():
                connected = self._connected(host, port, timeout)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the SOCKS proxy did not connect within {timeout} seconds") from error
        except Exception as error:  # its errors are of several families, and only its own are known to hold no secret
            reason = str(error) if isinstance(error, self._own_error) else type(error).__name__
            raise httpcore.ProxyError(reason) from error
        for option in (*(socket_options or ()), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)):
            connected.setsockopt(*option)
        return SyncStream(connected)

    def _connected(self, host: str, port: int, timeout: float | None) -> socket.socket:
        proxy = self._proxy
        username, password = (None, None) if proxy.credentials is None else proxy.credentials.reveal()
        way = self._make(
            self._kind, proxy.host, proxy.port, username, password, rdns=proxy.scheme not in _RESOLVES_NAMES_HERE
        )
        connected: socket.socket = way.connect(host, port, timeout)
        return connected


def _is_sendable(credential: str) -> bool:
    return credential.isascii() and len(credential) <= _LONGEST_CREDENTIAL
