"""Connections through an HTTP proxy: CONNECT, and then the service's own TLS.

httpx has such proxies. It reads the answer of one that drips for as long as that goes on, and looks the proxy's name up
without end.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable

import h11
import httpcore

from digime_pandas._service.http.backends.backend import Backend, Stream
from digime_pandas._service.http.backends.direct import DirectBackend, seconds_left
from digime_pandas._service.http.backends.tls import begin_tls
from digime_pandas._service.http.environment import Proxy
from digime_pandas._service.masking.tracebacks import FramesDropped

_HEAD_LIMIT_BYTES = 64 << 10
_READ_BYTES = 16 << 10
_OK, _REDIRECT = 200, 300


class TunnelBackend(Backend):
    """Connects through an HTTP proxy to wherever it is asked to, within `seconds` for all of it.

    Args:
        proxy: The proxy.
        context: What TLS to the proxy trusts.
        direct: Connects to the proxy.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self, proxy: Proxy, context: ssl.SSLContext, direct: DirectBackend, clock: Callable[[], float]
    ) -> None:
        self._proxy = proxy
        self._context = context
        self._direct = direct
        self._clock = clock

    def connect(self, host: str, port: int, seconds: float | None) -> Stream:
        """Connect to a host by way of the proxy.

        Raises:
            httpcore.ConnectError: There is no such proxy, or it takes no connection.
            httpcore.ConnectTimeout: The proxy did not connect in time.
            httpcore.ProxyError: It refused, or does not answer as a proxy does.
        """
        end = None if seconds is None else self._clock() + seconds
        stream: Stream = self._direct.connect(self._proxy.host, self._proxy.port, seconds)
        try:
            if self._proxy.scheme == "https":
                left = seconds_left(end, self._clock)
                stream = begin_tls(stream, self._context, self._proxy.host, left)
            with FramesDropped():  # credentials are in clear there
                self._ask_for(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", stream, end)
        except BaseException:
            stream.close()
            raise
        return stream

    def _ask_for(self, target: str, stream: Stream, end: float | None) -> None:
        """Send the request for a tunnel, and read the answer to it."""
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT_BYTES)
        asked = http.send(h11.Request(method="CONNECT", target=target, headers=self._fields(target)))
        asked += http.send(h11.EndOfMessage()) or b""
        try:
            while asked:
                asked = asked[stream.send(asked, seconds_left(end, self._clock)) :]
            while not isinstance(event := http.next_event(), h11.Response):
                if event is h11.NEED_DATA:
                    http.receive_data(self._read(stream, end))
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise httpcore.ConnectTimeout("the proxy did not connect in time") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise httpcore.ProxyError(f"the proxy did not answer ({error})") from error
        if not _OK <= event.status_code < _REDIRECT:
            reason = event.reason.decode("ascii", "ignore")
            raise httpcore.ProxyError(f"{event.status_code} {reason}".rstrip())
        if http.trailing_data[0]:
            raise httpcore.ProxyError("the proxy sent something before it was asked for it")

    def _read(self, stream: Stream, end: float | None) -> bytes:
        data = stream.recv(_READ_BYTES, seconds_left(end, self._clock))
        if not data:
            raise ConnectionError("it ended the connection")
        return data

    def _fields(self, target: str) -> list[tuple[str, str]]:
        fields = [("Host", target), ("User-Agent", "digime-pandas")]
        if self._proxy.credentials is None:
            return fields
        given = b64encode(":".join(self._proxy.credentials.reveal()).encode()).decode()
        return [*fields, ("Proxy-Authorization", f"Basic {given}")]
