"""The HTTP server, which runs in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from digime_pandas.errors import ConfigurationError

App = Callable[[Any, Any, Any], Awaitable[None]]

HOST = "127.0.0.1"
# Seconds.
_START_DEADLINE = 10.0
_STOP_DEADLINE = 10.0
_CHANGE_DEADLINE = 10.0
_GRACEFUL_SHUTDOWN = 1


class Server:
    """Serves an application on loopback; a context manager.

    Args:
        app: The ASGI application.
        port: TCP port; 0: any free one.
        connection: The class of its connections.

    Raises:
        ConfigurationError: The port cannot be used.
    """

    def __init__(self, app: App, port: int, connection: type[asyncio.Protocol] = H11Protocol) -> None:
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=connection,
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
        self._is_silent = False

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
        if not self._is_silent:
            self._thread.join(_STOP_DEADLINE)
        self._socket.close()

    def stop_answering(self) -> None:
        """Leave what was asked and what will be asked without an answer, for a process that ends.

        Daemon threads go on until the very end. Those that use the server wait there, instead of failing.
        """
        loop = self._server.loop
        if loop is None or loop.is_closed():
            return
        silent = threading.Event()

        def stay() -> None:
            silent.set()
            threading.Event().wait()

        loop.call_soon_threadsafe(stay)
        self._is_silent = silent.wait(_STOP_DEADLINE)

    def refuse_connections(self) -> None:
        """Refuse new connections, and close those without a request. Nothing else can get the port meanwhile."""
        self._change(self._server.stop_listening())
        self._socket = _bind(self.port)

    def accept_connections(self) -> None:
        """Accept connections again."""
        self._change(self._server.listen_on(self._socket))

    def close_idle_connections(self) -> None:
        """Close the connections without a request, so that the next request has to connect."""
        self._change(self._server.close_idle())

    def _change(self, change: Coroutine[Any, Any, None]) -> None:
        """Carry out a change in the thread of the server, and wait for it."""
        assert self._server.loop is not None
        asyncio.run_coroutine_threadsafe(change, self._server.loop).result(_CHANGE_DEADLINE)

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
            asyncio.run(self._server.serve(sockets=[self._socket]), debug=False)
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
    listener = _bind(port)
    try:
        listener.listen()
    except OSError as error:
        listener.close()
        raise _unusable(port, error) from error
    return listener


def _bind(port: int) -> socket.socket:
    """Return a socket that has the port, and refuses connections until it listens."""
    # The protocol is given because asyncio turns Nagle's algorithm off only then; with it on, every response of a head
    # and a body waits some 40 ms for the peer's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows this option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise _unusable(port, error) from error
    return listener


def _unusable(port: int, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"port={port} cannot be used: {str(error).rstrip('.')}.",
        remedy="Pass port=0 for a free one.",
        command="Leave --port out for a free one.",
    )


class _ReadyServer(uvicorn.Server):
    """A uvicorn server that sets `ready` once it is started, or has failed to start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        self.servers.clear()
        await self.close_idle()

    async def listen_on(self, bound: socket.socket) -> None:
        config = self.config

        def connection() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state={}
            )
            return made

        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(connection, sock=bound, backlog=config.backlog))

    async def close_idle(self) -> None:
        for connection in list(self.server_state.connections):
            assert isinstance(connection, H11Protocol)
            has_request = connection.cycle is not None and not connection.cycle.response_complete
            if connection.transport is not None and not has_request:
                connection.transport.close()


class _NotFromThread(logging.Filter):
    """Drops the records of one thread; other servers in this process share the loggers."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread
