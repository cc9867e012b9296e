"""Opens connections: where they lead, and TLS on them."""

from __future__ import annotations

import ssl
from typing import NamedTuple

import httpcore

from digime_pandas._service.http.attempts.deadline import Deadline
from digime_pandas._service.http.backends.backend import Backend, Stream
from digime_pandas._service.http.backends.tls import begin_tls


class Origin(NamedTuple):
    """What a connection leads to."""

    secure: bool
    host: str
    port: int


def open_stream(
    backend: Backend, context: ssl.SSLContext, origin: Origin, timeout: float, deadline: Deadline
) -> Stream:
    """Open a connection.

    Args:
        backend: Connects.
        context: What TLS trusts.
        origin: Where to.
        timeout: Seconds that one step may take.
        deadline: When all of it has to be over.
    """
    stream = backend.connect(origin.host, origin.port, deadline.step(timeout, httpcore.ConnectTimeout))
    if not origin.secure:
        return stream
    try:
        return begin_tls(stream, context, origin.host, deadline.step(timeout, httpcore.ConnectTimeout))
    except BaseException:
        stream.close()
        raise
