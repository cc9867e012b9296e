"""What connects, as httpcore wants it, with what is never asked for here left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import httpcore


class Backend(httpcore.NetworkBackend, ABC):
    """Connects to hosts over TCP."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - of the interface
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - of the interface
    ) -> httpcore.NetworkStream:
        """Connect to a host, as `connect` does."""
        return self.connect(host, port, timeout)

    @abstractmethod
    def connect(self, host: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        """Connect to a host, within `timeout` seconds.

        Raises:
            httpcore.ConnectError: There is no such host, or it takes no connection.
            httpcore.ConnectTimeout: It did not do so in time.
            httpcore.ProxyError: A proxy refused.
        """
