"""Forked children that a test waits for, and servers for them to ask."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 60.0
_SECONDS_TO_END = 0.1


class Child:
    """A forked child that does one thing and ends, without what a normal exit does.

    Args:
        work: What it does. What it returns or raises has to be picklable.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._end, answer = os.pipe()
        # A thread that has ended for Python gives back what OpenSSL keeps for it after that, under a lock of OpenSSL.
        time.sleep(_SECONDS_TO_END)
        with warnings.catch_warnings():
            # Of the threads there are, which from Python 3.12 on is warned of: they are what is tested here.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            os.close(self._end)
            with os.fdopen(answer, "wb") as stream:
                stream.write(pickle.dumps(_outcome(work)))
            os._exit(0)
        os.close(answer)

    def result(self) -> Any:
        """Return what it returned; what it raised is raised here."""
        content = bytearray()
        try:
            while select.select([self._end], [], [], _PATIENCE_SECONDS)[0]:
                piece = os.read(self._end, 1 << 16)
                if not piece:
                    break
                content += piece
            else:
                os.kill(self._pid, signal.SIGKILL)
                raise AssertionError("the child hangs")
        finally:
            os.close(self._end)
            os.waitpid(self._pid, 0)
        value, error = pickle.loads(content)
        if error is not None:
            raise error
        return value


def _outcome(work: Callable[[], object]) -> tuple[object, BaseException | None]:
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - raised again in the parent
        return None, error


def forked(work: Callable[[], object]) -> Any:
    """Return what `work` returns in a forked child."""
    return Child(work).result()


def body_of(path: str) -> bytes:
    """Return the bytes that `Echo` answers at a path, and at no other."""
    return sha256(path.encode()).digest() * 1024


class Echo:
    """An ASGI application that answers each path with bytes of its own; it sets cookies and counts connections."""

    def __init__(self) -> None:
        self.peers: Counter[object] = Counter()
        self.cookies: list[bytes] = []

    async def __call__(self, scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
        self.peers[scope["client"]] += 1
        self.cookies += [value for name, value in scope["headers"] if name == b"cookie"]
        person = scope["path"].strip("/").encode()
        headers = [(b"set-cookie", b"person=" + person + b"; Path=/"), (b"set-cookie", b"second=1; Max-Age=9999")]
        if scope["path"].startswith("/moved"):
            await send({"type": "http.response.start", "status": 302, "headers": [*headers, (b"location", b"/other")]})
            await send({"type": "http.response.body"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body_of(scope["path"])})


@contextmanager
def served(app: Any, certificate: Path | None = None) -> Iterator[str]:
    """Serve an ASGI application; give its address, without a slash at the end."""
    with socket.create_server((_HOST, 0)) as listener:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            timeout_keep_alive=60,  # no test ends a connection by taking long
            timeout_graceful_shutdown=1,
            ssl_certfile=certificate,  # with its key
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="test-server", daemon=True)
        thread.start()
        scheme = "http" if certificate is None else "https"
        try:
            yield f"{scheme}://{_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_PATIENCE_SECONDS)


def killed(work: Callable[[], object], seconds: float) -> bool:
    """Do something in a forked child and kill it so long after it began; tell whether it was still at it."""
    beginning, begun = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, which is meant here
        child = os.fork()
    if child == 0:
        try:
            os.write(begun, b"!")
            work()
        finally:
            os._exit(0)
    os.close(begun)
    os.read(beginning, 1)
    os.close(beginning)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
