"""The HTTP server, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from typing import Self

import uvicorn
from starlette.applications import Starlette

from digime_pandas.errors import ConfigurationError

HOST = "127.0.0.1"
_START_DEADLINE = 10.0
_STOP_DEADLINE = 10.0
_GRACE = 1  # seconds that requests under way are given to end


class Server:
    """Serves an application on loopback; a context manager.

    Args:
        app: The ASGI application.
        port: TCP port; 0 takes a free one.

    Raises:
        ConfigurationError: The port cannot be had.
    """

    def __init__(self, app: Starlette, port: int) -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = _AnnouncedServer(config)
        # A daemon, so that a sandbox nobody closed does not keep the interpreter from ending.
        self._thread = threading.Thread(target=self._run, name="digime-sandbox", daemon=True)

    def __enter__(self) -> Self:
        """Start; return once requests are answered.

        Raises:
            ConfigurationError: It did not come up.
        """
        self._thread.start()
        self._server.ready.wait(_START_DEADLINE)
        if not self._server.started:
            self.stop()
            raise ConfigurationError(f"The sandbox did not start within {_START_DEADLINE:g} s.")
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, end its threads and free the port."""
        self._server.should_exit = True
        self._thread.join(_STOP_DEADLINE)
        self._socket.close()

    def leave(self) -> None:
        """Give up a forked child's copies of the sockets, which sends nothing on them and leaves the parent's open.

        With the copies, callers would wait for ever for the answers of a parent that has ended.
        """
        self._socket.close()
        nothing = os.open(os.devnull, os.O_RDWR)
        for connection in list(self._server.server_state.connections):
            transport: asyncio.Transport | None = connection.transport  # none yet, where it is being accepted
            taken = None if transport is None else transport.get_extra_info("socket")
            if taken is not None and taken.fileno() >= 0:
                # Put in its place instead of closed: its number stays taken, so that no other file comes to have it.
                os.dup2(nothing, taken.fileno(), inheritable=False)
        os.close(nothing)

    def _run(self) -> None:
        # The access log would hold consent codes and session keys.
        loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
        quiet = _QuietThread(threading.get_ident())
        for logger in loggers:
            logger.addFilter(quiet)
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._server.ready.set()
            for logger in loggers:
                logger.removeFilter(quiet)


def is_served(port: int) -> bool:
    """Tell whether anything on this computer answers at a port."""
    try:
        socket.create_connection((HOST, port), timeout=_START_DEADLINE).close()
    except OSError:
        return False
    return True


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only then; with it on, every answer of a
    # head and a body waits some 40 ms for the peer's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere this option lets two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(f"port={port} cannot be used: {error}. Pass port=0 for a free one.") from error
    return listener


class _AnnouncedServer(uvicorn.Server):
    """A server that says when it is up; `ready` is set as well when it cannot be."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _QuietThread(logging.Filter):
    """Drops what one thread logs: the logger is shared with any other server of this process."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread
