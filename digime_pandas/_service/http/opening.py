"""Opens connections: where they lead, and TLS on them."""

from __future__ import annotations

import ssl
from typing import NamedTuple

import httpcore

from digime_pandas._service.http.attempts.deadline import Deadline


class Origin(NamedTuple):
    """What a connection leads to."""

    secure: bool
    host: str
    port: int


def open_stream(
    backend: httpcore.NetworkBackend, context: ssl.SSLContext, origin: Origin, timeout: float, deadline: Deadline
) -> httpcore.NetworkStream:
    """Open a connection.

    Args:
        backend: Connects.
        context: What TLS trusts.
        origin: Where to.
        timeout: Seconds that one step may take.
        deadline: When all of it has to be over.
    """
    stream = backend.connect_tcp(origin.host, origin.port, timeout=deadline.step(timeout, httpcore.ConnectTimeout))
    if not origin.secure:
        return stream
    try:
        seconds = deadline.step(timeout, httpcore.ConnectTimeout)
        return stream.start_tls(context, server_hostname=origin.host, timeout=seconds)
    except BaseException:
        stream.close()
        raise
