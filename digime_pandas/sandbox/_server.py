"""The HTTP server, which runs in a thread of its own."""

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
# Seconds.
_START_DEADLINE = 10.0
_STOP_DEADLINE = 10.0
_GRACEFUL_SHUTDOWN = 1


class Server:
    """Serves an application on loopback; a context manager.

    Args:
        app: The ASGI application.
        port: TCP port; 0: any free one.

    Raises:
        ConfigurationError: The port cannot be used.
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
            timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN,
        )
        self._server = _ReadyServer(config)
        # A daemon, so that a sandbox that is not closed does not keep the interpreter from exiting.
        self._thread = threading.Thread(target=self._run, name="digime-sandbox", daemon=True)

    def __enter__(self) -> Self:
        """Start serving; return once requests are answered.

        Raises:
            ConfigurationError: It does not start within 10 s.
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
        """Stop serving, end the thread and free the port. Requests under way have 1 s to end."""
        self._server.should_exit = True
        self._thread.join(_STOP_DEADLINE)
        self._socket.close()

    def release_sockets(self) -> None:
        """Close a forked child's copies of the sockets, without sending anything; the parent's stay open.

        While a copy is open, clients of a parent that has exited do not notice its end and wait forever.
        """
        self._socket.close()
        null = os.open(os.devnull, os.O_RDWR)
        for connection in list(self._server.server_state.connections):
            transport: asyncio.Transport | None = connection.transport  # None while it is being accepted
            copy = None if transport is None else transport.get_extra_info("socket")
            if copy is not None and copy.fileno() >= 0:
                # Replaced instead of closed, so that no other file gets its descriptor's number.
                os.dup2(null, copy.fileno(), inheritable=False)
        os.close(null)

    def _run(self) -> None:
        # The log would contain consent codes and session keys.
        loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
        own_thread = _NotFromThread(threading.get_ident())
        for logger in loggers:
            logger.addFilter(own_thread)
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._server.ready.set()
            for logger in loggers:
                logger.removeFilter(own_thread)


def is_listening(port: int) -> bool:
    """Return whether a server on this computer accepts connections at a port."""
    try:
        socket.create_connection((HOST, port), timeout=_START_DEADLINE).close()
    except OSError:
        return False
    return True


def _listen(port: int) -> socket.socket:
    # The protocol is given because asyncio turns Nagle's algorithm off only then; with it on, every response of a head
    # and a body waits some 40 ms for the peer's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows this option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(f"port={port} cannot be used: {error}. Pass port=0 for a free one.") from error
    return listener


class _ReadyServer(uvicorn.Server):
    """A uvicorn server that sets `ready` once it is started, or has failed to start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _NotFromThread(logging.Filter):
    """Drops the records of one thread; other servers in this process share the loggers."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread
